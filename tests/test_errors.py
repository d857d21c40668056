"""Bad input: every error names the value, the rule, and the next step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from flowbook import Edge, Flow, Parameter, Task, as_task, config, task, triggers
from flowbook.errors import (
    CycleError,
    FlowbookError,
    FlowError,
    InvalidTransition,
    UnknownArgument,
    nearest,
    shown,
)


@task
def add(x: int, y: int = 1) -> int:
    return x + y


def in_block(build: Callable[[], object]) -> Callable[[], object]:
    """Do something inside a block of a flow."""

    def enter() -> None:
        with Flow("etl"):
            build()

    return enter


@dataclass
class Bad:
    """One thing people do wrong: what it names, the rule it states, the next step it offers."""

    what: str
    do: Callable[[], object]
    error: type[Exception]
    value: str
    rule: str
    next_step: str


def flow_with_a_cycle() -> Flow:
    a, b, c = Task("extract"), Task("clean"), Task("load")
    return Flow("etl", edges=[Edge(a, b), Edge(b, c), Edge(c, a)])


def flow_with_parameters() -> Flow:
    return Flow("etl", tasks=[Parameter("country"), Parameter("year", default=2026)])


def flow_with_an_argument_bound_twice() -> Flow:
    flow = Flow("etl")
    add.copy().bind(1, flow=flow).set_upstream(Task("stranger"), key="x", flow=flow)
    return flow


EXTRACT, STRANGER = Task("extract"), Task("stranger")
ETL = Flow("etl", tasks=[EXTRACT])

# For a type checker: the same, but anything may be given to them.
Wrong: Any = Task
WrongFlow: Any = Flow
WRONG_ETL: Any = ETL

BAD = [
    Bad(
        "a cycle",
        flow_with_a_cycle().run,
        CycleError,
        "'extract' -> 'clean' -> 'load' -> 'extract'",
        "acyclic",
        "Remove",
    ),
    Bad(
        "a task that waits for itself",
        lambda: ETL.add_edge(EXTRACT, EXTRACT),
        FlowError,
        "'extract'",
        "itself",
        "copy()",
    ),
    Bad(
        "an unknown parameter",
        lambda: flow_with_parameters().run(country="NL", yeer=1),
        FlowError,
        "'yeer'",
        "no parameter",
        "Did you mean 'year'?",
    ),
    Bad(
        "a missing parameter",
        flow_with_parameters().run,
        FlowError,
        "country",
        "needs a value",
        "flow.run(country=...)",
    ),
    Bad(
        "a misspelt option of a run",
        lambda: ETL.run(exectuor="threads"),
        UnknownArgument,
        "'exectuor'",
        "no argument",
        "Did you mean 'executor'?",
    ),
    Bad("an executor that is none", lambda: ETL.run(executor="treads"), ValueError, "'treads'", "executor", "threads"),
    Bad(
        "a name for a trigger",
        lambda: Wrong(trigger="all_faild"),
        TypeError,
        "'all_faild'",
        "not a function",
        "all_failed",
    ),
    Bad("a number for a trigger", lambda: Wrong(trigger=3), TypeError, "3", "not a function", "flowbook.triggers"),
    Bad(
        "a trigger without its bounds",
        lambda: Wrong(trigger=triggers.some_successful),
        TypeError,
        "some_successful",
        "no bounds yet",
        "some_successful(at_least=1)",
    ),
    Bad(
        "a task of another flow",
        lambda: ETL.edges_to(STRANGER),
        FlowError,
        "'stranger'",
        "not in flow 'etl'",
        "add_task",
    ),
    Bad(
        "a decorated task for its copy",
        lambda: ETL.edges_to(add),
        FlowError,
        "'add'",
        "not in flow",
        "copy which the call",
    ),
    Bad(
        "a reference task of another flow",
        lambda: ETL.set_reference_tasks([STRANGER]),
        FlowError,
        "'stranger'",
        "not in flow 'etl'",
        "Tasks here: extract",
    ),
    Bad("a call outside a flow", lambda: add(1), FlowError, "'add'", "active flow", ".run()"),
    Bad("an operator outside a flow", lambda: EXTRACT + 1, FlowError, "'Add'", "no flow", "with Flow"),
    Bad("an if on a task", in_block(lambda: 1 if add(1) else 2), TypeError, "'add'", "no truth value", "signals.SKIP"),
    Bad("a loop over a task", in_block(lambda: list(add(1))), TypeError, "'add'", "not known", "nout=2"),
    Bad(
        "an argument bound twice",
        flow_with_an_argument_bound_twice().run,
        FlowError,
        "argument 'x' of task 'add'",
        "bound more than once: to 1 and the result of 'stranger'",
        "copy the task",
    ),
    Bad(
        "one task where a list belongs",
        lambda: add.copy().bind(1, upstream_tasks=STRANGER, flow=ETL.copy()),
        TypeError,
        "<Task: stranger>",
        "one task; give a list",
        "upstream_tasks=[stranger]",
    ),
    Bad(
        "two tasks of one slug",
        lambda: Flow("etl", tasks=[Task(slug="a"), Task(slug="a")]),
        FlowError,
        "'a'",
        "already part",
        "another name",
    ),
    Bad(
        "two parameters of one name",
        lambda: Flow("etl", tasks=[Parameter("a"), Parameter("a")]),
        FlowError,
        "'a'",
        "already",
        "Use that one",
    ),
    Bad(
        "a parameter downstream",
        lambda: ETL.add_edge(EXTRACT, Parameter("p")),
        FlowError,
        "'p'",
        "nothing upstream",
        "flow.run(p=...)",
    ),
    Bad("a missing argument", in_block(add), TypeError, "'add'", "missing a required argument: 'x'", "It takes (x"),
    Bad(
        "an argument too many", in_block(lambda: add(1, 2, 3)), TypeError, "'add'", "too many positional", "It takes (x"
    ),
    Bad(
        "an unknown argument",
        in_block(lambda: add(1, z=2)),
        TypeError,
        "'add'",
        "unexpected keyword argument 'z'",
        "It takes (x",
    ),
    Bad(
        "a key with a space",
        lambda: ETL.add_edge(STRANGER, EXTRACT, key="a b"),
        FlowError,
        "'a b'",
        "identifier",
        "an argument of",
    ),
    Bad("a flow without a name", lambda: Flow(""), FlowError, "''", "needs a name", "Flow('etl')"),
    Bad("something that is no task", lambda: WRONG_ETL.add_task(len), TypeError, "len", "not a task", "@task"),
    Bad(
        "something that is no edge",
        lambda: WrongFlow("etl", edges=[("a", "b")]),
        TypeError,
        "('a', 'b')",
        "not an edge",
        "Edge(first, second)",
    ),
    Bad(
        "retries without a delay",
        lambda: Task(max_retries=2),
        ValueError,
        "max_retries=2",
        "needs a retry_delay",
        "timedelta(seconds=10)",
    ),
    Bad(
        "a delay that is a number",
        lambda: Wrong(max_retries=2, retry_delay=5),
        TypeError,
        "retry_delay=5",
        "timedelta",
        "timedelta(seconds=10)",
    ),
    Bad(
        "a timeout of half a second",
        lambda: Wrong(timeout=0.5),
        TypeError,
        "0.5",
        "whole number of seconds",
        "timedelta",
    ),
    Bad(
        "a timeout that leaves no time",
        lambda: Task(timeout=dt.timedelta(0)),
        ValueError,
        "timedelta(0)",
        "at least one second",
        "None",
    ),
    Bad("a tag that is a text", lambda: Task(tags="slow"), TypeError, "'slow'", "a list or a set", "tags=['slow']"),
    Bad(
        "a setting that is none",
        lambda: setattr(config.flows, "eager", True),
        UnknownArgument,
        "'eager'",
        "unknown",
        "Known: checkpointing, eager_edge",
    ),
    Bad("any number of arguments", lambda: task(lambda *rows: rows), ValueError, "*rows", "named edges", "Take a list"),
    Bad(
        "an argument that calls need",
        lambda: task(lambda flow: flow),
        ValueError,
        "'flow'",
        "needs for itself",
        "Rename it",
    ),
    Bad(
        "an argument by position only",
        lambda: task(lambda x, /: x),
        TypeError,
        "'x'",
        "passed by name",
        "Remove the '/'",
    ),
    Bad("a builtin", lambda: task(max), ValueError, "max", "cannot be read", "@task def my_max(x): return max(x)"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_an_error_names_the_value_the_rule_and_the_next_step(bad: Bad) -> None:
    with pytest.raises(bad.error) as caught:
        bad.do()
    words = str(caught.value)
    for part in (bad.value, bad.rule, bad.next_step):
        assert part in words


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.what)
def test_what_went_wrong_leaves_no_open_block_behind(bad: Bad) -> None:
    with pytest.raises(bad.error):
        bad.do()
    with pytest.raises(FlowError, match="active flow"):
        add(1)


# -- hostile names ---------------------------------------------------------------------------------------------------

HOSTILE = {
    "a new line": "load\nTraceback (most recent call last):",
    "quotes": 'it\'s "quoted" `code`',
    "html": "<script>alert(1)</script>",
    "braces": "{0} {name} %s %(name)s",
    "a long one": "load " * 10_000,
    "an arrow": "a -> b",
    "right to left": "\u202eevil\u202c",
    "no letters": "   ",
    "nul": "a\x00b",
    "a surrogate": "\ud800",
    "emoji": "🚀" * 50,
    "a path": "../../etc/passwd",
}
HOSTILE_NAMES = pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)


@HOSTILE_NAMES
def test_hostile_names_run_and_keep_their_slug(name: str) -> None:
    with Flow(name) as flow:
        first = add(1, task_args={"name": name})
        second = add(first, task_args={"name": name})
        add(Parameter(name, default=1))

    state = flow.run()

    assert state.is_successful()
    assert state.result[second].result == 3
    assert (flow.slugs[first], flow.slugs[second]) == (f"{name}-1", f"{name}-2")


@HOSTILE_NAMES
def test_hostile_names_make_messages_of_modest_length_on_lines_of_their_own(name: str) -> None:
    a, b = Task(name), Task(name)
    flow = Flow(name, edges=[Edge(a, b, key="x")], tasks=[Parameter(name)])
    around = Flow(name, edges=[Edge(a, b), Edge(b, a)])
    tries: list[Callable[[], object]] = [
        around.validate,
        lambda: flow.edges_to(Task(name)),
        lambda: flow.add_task(Parameter(name)),
        lambda: flow.add_edge(b, b),
        lambda: flow.add_edge(a, b, key=name),
        lambda: flow.add_edge(Task(name), b, key="x", validate=True),
        Task(name),
        lambda: bool(a),
        lambda: list(a),
        lambda: a.copy(**{name: 1}),
        lambda: flow.run({name: 1, f"{name}?": 1}),
        lambda: flow.add_edge(a, Parameter(name)),
        lambda: flow.set_dependencies(a, upstream_tasks=b),
        lambda: Parameter(name)(1, flow=flow),
    ]
    for attempt in tries:
        with pytest.raises((ValueError, TypeError, AttributeError)) as caught:
            attempt()
        words = str(caught.value)
        assert len(words) < 1200
        assert "\nTraceback" not in words
        assert "\x00" not in words
        words.encode("utf-8")
    for words in (flow.unknown_parameters([name + "?"]), flow.missing_parameters([])):
        assert len(words) < 600
        words.encode("utf-8")
        assert not set(words) & set("\x00\n")
    for thing in (a, flow, Edge(a, b), Parameter(name)):
        assert "\n" not in repr(thing)
        assert len(repr(thing)) < 200


class Rude:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_values_whose_repr_breaks_can_still_be_named() -> None:
    assert shown(Rude()) == "<Rude, whose repr raises RuntimeError>"
    with pytest.raises(TypeError, match="<Rude, whose repr raises RuntimeError> is not a task"):
        WRONG_ETL.add_task(Rude())
    assert as_task(Rude()).name == "Rude"


# -- the classes -----------------------------------------------------------------------------------------------------


def test_errors_are_what_the_field_expects_in_their_place() -> None:
    assert issubclass(FlowError, ValueError)
    assert issubclass(CycleError, FlowError)
    assert issubclass(UnknownArgument, TypeError)
    assert issubclass(UnknownArgument, ValueError)
    assert issubclass(InvalidTransition, RuntimeError)
    assert all(issubclass(each, FlowbookError) for each in (FlowError, UnknownArgument, InvalidTransition))


def test_a_cycle_error_carries_the_tasks_so_that_they_can_be_drawn() -> None:
    with pytest.raises(CycleError) as caught:
        flow_with_a_cycle().validate()
    assert [each.name for each in caught.value.cycle] == ["extract", "clean", "load"]


@pytest.mark.parametrize(
    ("value", "limit", "wanted"),
    [("abc", 10, "'abc'"), ("a" * 20, 11, "'aaaa…aaaa'"), ("a\nb", 10, r"'a\nb'"), ([1, 2], 10, "[1, 2]")],
)
def test_values_are_shown_in_one_short_line(value: object, limit: int, wanted: str) -> None:
    assert shown(value, limit) == wanted


def test_the_nearest_name_is_offered_only_when_it_is_near() -> None:
    assert nearest("triger", ["trigger", "timeout"]) == " Did you mean 'trigger'?"
    assert nearest("colour", ["trigger", "timeout"]) == ""
