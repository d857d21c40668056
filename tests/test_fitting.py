"""Typed flows: annotations are compared when an edge is bound, and told to whoever draws the edge."""

from __future__ import annotations

import typing
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from flowbook import Flow, Parameter, Task, config, flatten, mapped, task, unmapped
from flowbook.errors import TypeMismatch, TypeMismatchWarning
from flowbook.hints import EdgeTypes, in_words

if TYPE_CHECKING:
    from decimal import Decimal


@task
def number() -> int:
    return 1


@task
def numbers() -> list[int]:
    return [1, 2]


@task
def text() -> str:
    return "one"


@task
def double(x: int) -> int:
    return 2 * x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


anything = task(lambda x: x, name="anything")


@task
def halves() -> tuple[int, str]:
    return 1, "a"


@pytest.fixture
def strict() -> Iterator[None]:
    config.flows.strict_types = True
    yield
    config.flows.strict_types = False


# -- warning -----------------------------------------------------------------------------------------------------------


def test_a_mismatch_is_warned_of_with_both_ends_both_types_and_the_argument() -> None:
    with Flow("mismatch"), pytest.warns(TypeMismatchWarning) as caught:
        double(text())
    assert str(caught[0].message) == (
        "task 'text' returns str, but argument 'x' of task 'double' takes int. "
        "Change one of the two annotations, or put a task between them that converts."
    )
    assert caught[0].filename == __file__, "the warning points at the line that bound the edge"


@pytest.mark.parametrize("build", ["call", "bind", "set_upstream", "add_edge", "set_dependencies"])
def test_every_way_to_bind_is_looked_at(build: str) -> None:
    flow = Flow("ways")
    up, down = text.copy(), double.copy()
    with pytest.warns(TypeMismatchWarning, match="task 'text' returns str"), flow:  # noqa: PT031 - one of them
        if build == "call":
            double(up)
        elif build == "bind":
            down.bind(x=up)
        elif build == "set_upstream":
            down.set_upstream(up, key="x")
        elif build == "add_edge":
            flow.add_edge(up, down, "x")
        else:
            flow.set_dependencies(down, keyword_tasks={"x": up})


def test_strict_types_refuse_the_edge(strict: None) -> None:
    with Flow("strict"), pytest.raises(TypeMismatch, match="task 'text' returns str, but argument 'x'"):
        double(text())
    with Flow("strict"), pytest.raises(TypeError):
        double(text())


def test_what_fits_or_is_not_known_is_silent(strict: None) -> None:
    @task
    def unknown() -> Decimal:
        return typing.cast("Decimal", 1)

    @task
    def optional(x: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013 - many write it so
        assert x is None

    @task
    def nothing() -> None: ...

    with Flow("fits") as flow:
        double(number())
        double(anything(text()))
        anything(text())
        double(unknown())
        double(Parameter("p"))
        optional(nothing())
        double(number(), upstream_tasks=[text()])
    assert flow.run(p=3).is_successful()


def test_a_type_that_is_only_there_for_checkers_is_not_known() -> None:
    @task
    def exact() -> Decimal:
        raise NotImplementedError

    assert exact.outputs() == "Decimal"


def test_methods_of_task_classes_are_looked_at_too() -> None:
    class Greet(Task):
        def run(self, name: str, **rest: int) -> str:
            return name

    with Flow("classes"):
        with pytest.warns(TypeMismatchWarning, match=r"argument 'name' of task 'Greet' takes str"):
            Greet()(number())
        with pytest.warns(TypeMismatchWarning, match=r"argument 'more' of task 'Greet' takes int"):
            Greet()("a", more=text())
        Greet()("a", more=number())


def test_async_tasks_give_what_is_awaited() -> None:
    @task
    async def slow() -> str:
        return "a"

    with Flow("async"), pytest.warns(TypeMismatchWarning, match="'slow' returns str"):
        double(slow())


def test_a_list_of_tasks_arrives_as_a_list() -> None:
    with Flow("lists"):
        total([number(), number()])
        with pytest.warns(TypeMismatchWarning, match=r"task 'List' returns list\[Any\], but argument 'x'"):
            double([number()])


def test_items_of_a_tuple_have_their_own_types() -> None:
    with Flow("items"):
        one, letter = halves()
        double(one)
        with pytest.warns(TypeMismatchWarning, match=r"returns str, but argument 'x' of task 'double' takes int"):
            double(letter)


# -- mapping -----------------------------------------------------------------------------------------------------------


def test_a_mapped_edge_brings_elements() -> None:
    with Flow("mapped"):
        double.map(numbers())
        double(mapped(numbers()))
        with pytest.warns(TypeMismatchWarning, match="each element of what task 'text' returns is str, but"):
            double.map(text())
        with pytest.warns(TypeMismatchWarning, match=r"task 'numbers' returns list\[int\], but argument 'x'"):
            double(numbers())


def test_a_mapped_task_gives_a_list_to_one_that_takes_all() -> None:
    with Flow("reduced"):
        doubled = double.map(numbers())
        total(doubled)
        double.map(doubled)
        with pytest.warns(TypeMismatchWarning, match=r"task 'double' returns list\[int\], but argument 'x'"):
            double(doubled)
        with pytest.warns(TypeMismatchWarning, match=r"task 'double' returns list\[int\], but argument 'x'"):
            double(unmapped(doubled))


def test_flattening_takes_one_level_out() -> None:
    @task
    def nested() -> list[list[int]]:
        return [[1], [2]]

    with Flow("flat"):
        double.map(flatten(nested()))
        total(flatten(nested()))
        double.map(flatten(numbers.map(upstream_tasks=[mapped([1, 2])])))
        with pytest.warns(TypeMismatchWarning, match=r"each element of what task 'nested' returns is list\[int\]"):
            double.map(nested())


def test_who_says_each_step_may_map_a_task_after_it_was_used(strict: None) -> None:
    flow = Flow("steps")
    doubled, summed = double.copy(), total.copy()
    flow.add_edge(doubled, summed, "xs")
    flow.add_edge(numbers.copy(), doubled, "x", mapped=True)
    assert sorted(map(str, flow.edge_types().values())) == ["int -> int", "list[int] -> list[int]"]


# -- data for pictures -------------------------------------------------------------------------------------------------


def test_the_types_of_edges_can_be_asked_for() -> None:
    with Flow("asked") as flow:
        doubled = double(number())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wrong = double(text(), upstream_tasks=[doubled])
        plain = anything(anything(1))
    found = flow.edge_types()
    assert {edge.downstream_task: types for edge, types in found.items()} == {
        doubled: EdgeTypes(int, int, fits=True),
        wrong: EdgeTypes(str, int, fits=False),
    }
    assert [str(types) for types in found.values()] == ["int -> int", "str -> int"]
    assert plain not in {edge.downstream_task for edge in found}
    assert flow.edge_types() == found
    with flow:
        total(numbers())
    assert len(flow.edge_types()) == 3


def test_one_known_end_is_told() -> None:
    with Flow("one end") as flow:
        double(anything(1))
    assert [str(types) for types in flow.edge_types().values()] == ["Any -> int"]


# -- parameters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameter", "type_"),
    [
        (Parameter("p", type=float), "float"),
        (Parameter("p", default=1, type=float), "float"),
        (Parameter("p", default=3), "int | float"),
        (Parameter("p", default="a"), "str"),
        (Parameter("p", default=True), "bool"),
        (Parameter("p", default=[1]), "Any"),
        (Parameter("p", default=None), "Any"),
        (Parameter("p"), "Any"),
    ],
)
def test_an_unused_parameter_has_its_own_type_or_that_of_its_default(parameter: Parameter, type_: str) -> None:
    flow = Flow("types", tasks=[parameter])
    assert in_words(flow.parameter_type(parameter)) == type_


def test_a_parameter_gets_its_type_from_where_it_is_used() -> None:
    @task
    def flags(x: bool, y: Any = None) -> None: ...

    with Flow("used") as flow:
        once, each, both, nested, own = (Parameter(name) for name in ("once", "each", "both", "nested", "own"))
        given = Parameter("given", type=str)
        double(once)
        double.map(each)
        double(both)
        flags(both)
        flags(True, own)
        double.map(flatten(nested))
        anything(given)
    types = {one.name: in_words(flow.parameter_type(one)) for one in flow.parameters()}
    assert types == {
        "once": "int",
        "each": "list[int]",
        "both": "bool",
        "nested": "list[list[int]]",
        "own": "Any",
        "given": "str",
    }


def test_the_type_of_a_parameter_is_compared_with_its_uses_and_its_default() -> None:
    with Flow("declared"), pytest.warns(TypeMismatchWarning, match="^parameter 'p' is str, but argument 'x'"):
        double(Parameter("p", type=str))
    with Flow("mapped"), pytest.warns(TypeMismatchWarning, match="^each element of parameter 'p' is str, but"):
        double.map(Parameter("p", type=list[str]))
    with pytest.raises(TypeMismatch, match="parameter 'p' has the default 'a', which is not int"):
        Parameter("p", default="a", type=int)
    with pytest.raises(TypeError, match=r"type='int' is a text; give the type itself: Parameter\('p', type=int\)"):
        Parameter("p", type="int")
    assert in_words(Parameter("p", type=int).copy("q").outputs()) == "int"


def test_values_given_in_python_are_checked_when_types_are_strict_only(strict: None) -> None:
    with Flow("given") as flow:
        doubled = double(Parameter("x"))
    with pytest.raises(TypeMismatch, match=r"parameter 'x' got 'a', a str, but it is int"):
        flow.run(x="a")
    assert flow.run(x=True).is_successful()
    config.flows.strict_types = False
    assert flow.run(x="a").result[doubled].result == "aa", "a value is handed over as it is"
