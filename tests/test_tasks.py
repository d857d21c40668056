"""Tasks by themselves: how they are made, what they refuse, what they tell about themselves."""

# ruff: noqa: UP006, UP035 - typing.Tuple and its kin are under test: people write them

from __future__ import annotations

import abc
import datetime as dt
import functools
import inspect
import math
import warnings
from collections.abc import Callable
from typing import Any, Dict, List, Tuple

import cloudpickle
import pytest

from flowbook import Flow, Task, config, tags, task, triggers
from flowbook.states import Failed, State, Success
from flowbook.tasks import FunctionTask
from flowbook.utilities.tasks import defaults_from_attrs


class Add(Task):
    def run(self, x: int, y: int = 1) -> int:
        return x + y


# -- making ----------------------------------------------------------------------------------------------------------


def test_the_decorator_keeps_name_and_docstring_of_the_function() -> None:
    @task
    def clean(rows: list[int]) -> list[int]:
        """Leave out what is not there."""
        return rows

    assert isinstance(clean, FunctionTask)
    assert (clean.name, clean.__name__, clean.__doc__) == ("clean", "clean", "Leave out what is not there.")  # type: ignore[attr-defined]
    assert clean.__wrapped__([1]) == [1]  # type: ignore[attr-defined]
    assert clean.run([1]) == [1]


def test_the_decorator_takes_the_options_of_a_task() -> None:
    @task(name="clean rows", tags=["slow"], nout=2)
    def clean(rows: list[int]) -> list[int]:
        return rows

    assert (clean.name, clean.tags, clean.nout) == ("clean rows", {"slow"}, 2)


def test_a_lambda_is_a_task_too() -> None:
    assert task(lambda x: x).name == "<lambda>"
    assert task(lambda x: x, name="same").name == "same"


def test_something_that_cannot_be_called_is_no_function_task() -> None:
    with pytest.raises(TypeError, match="FunctionTask takes a function, not 7"):
        FunctionTask(7)  # type: ignore[arg-type]


def test_a_task_cannot_be_decorated_again() -> None:
    with pytest.raises(TypeError, match=r"task 'plus' is a task already\. Call it"):
        task(Add(name="plus"))


def test_a_partial_function_and_an_object_with_call_are_tasks() -> None:
    class Double:
        def __call__(self, x: int) -> int:
            return 2 * x

    assert task(functools.partial(pow, 2)).run(3) == 8
    assert task(Double()).run(3) == 6
    assert task(Double()).name == "FunctionTask"


def test_a_task_of_the_base_class_does_nothing_and_may_stand_in_a_flow() -> None:
    with Flow("empty") as flow:
        nothing = Task()()

    assert Task().name == "Task"
    assert flow.run().result[nothing].result is None


def test_the_name_of_a_task_is_its_class_unless_it_is_given() -> None:
    assert Add().name == "Add"
    assert Add(name="plus").name == "plus"
    assert Add(name="").name == "Add"
    assert repr(Add(name="plus")) == "<Task: plus>"


def test_options_have_the_order_of_the_reference_api() -> None:
    assert ", ".join(inspect.signature(Task.__init__).parameters) == (
        "self, name, slug, tags, max_retries, retry_delay, retry_on, timeout, trigger, skip_on_upstream_skip, "
        "cache_for, cache_validator, cache_key, checkpoint, state_handlers, on_failure, log_stdout, result, target, "
        "task_run_name, nout"
    )


def test_tasks_are_equal_to_themselves_alone() -> None:
    one, other = Add(), Add()
    assert one == one  # noqa: PLR0124 - that is the point
    assert one != other
    assert len({one, other, one}) == 2


def test_a_subclass_may_have_a_metaclass_of_its_own() -> None:
    class Reader(Task, abc.ABC):
        @abc.abstractmethod
        def run(self, *, path: str) -> str: ...

    class Upper(Reader):
        def run(self, *, path: str) -> str:
            return path.upper()

    assert Upper().run(path="a") == "A"
    with pytest.raises(TypeError, match="abstract"):
        Reader()  # type: ignore[abstract]


# -- what run may take -----------------------------------------------------------------------------------------------


def test_run_cannot_take_any_number_of_positional_arguments() -> None:
    def total(*numbers: int) -> int:
        return sum(numbers)

    with pytest.raises(ValueError, match=r"total takes \*numbers; .* Take a list, or \*\*kwargs"):
        task(total)
    with pytest.raises(ValueError, match=r"\*numbers"):

        class Total(Task):
            def run(self, *numbers: int) -> int:
                return sum(numbers)


@pytest.mark.parametrize("name", ["upstream_tasks", "mapped", "task_args", "flow"])
def test_run_cannot_use_a_name_that_calls_need_themselves(name: str) -> None:
    namespace: dict[str, Any] = {}
    exec(f"def greedy({name}): pass\nasync def also({name}): pass", namespace)
    for function in (namespace["greedy"], namespace["also"]):
        with pytest.raises(
            ValueError, match=f"has an argument '{name}', which calling a task needs for itself. Rename"
        ):
            task(function)


def test_a_builtin_without_a_signature_is_refused_with_advice() -> None:
    for builtin in (min, dict.update if not _has_signature(dict.update) else max):
        with pytest.raises(ValueError, match=r"cannot be read.* Wrap it in a function of your own: @task def my_"):
            task(builtin)


def _has_signature(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function)
    except ValueError:
        return False
    return True


def test_an_argument_by_position_only_is_refused_when_the_task_is_made() -> None:
    class Root(Task):
        def run(self, x: float, /) -> float:  # the class itself may be written down
            return math.sqrt(x)

    with pytest.raises(TypeError, match=r"'x' by position only, .* Remove the '/'"):
        Root()
    with pytest.raises(TypeError, match="by position only"):
        task(math.sqrt)


def test_any_number_of_keywords_is_fine() -> None:
    @task
    def collect(**numbers: int) -> int:
        return sum(numbers.values())

    with Flow("keywords") as flow:
        total = collect(a=1, b=collect(c=2))

    assert flow.run().result[total].result == 3
    assert {edge.key for edge in flow.edges} == {"b"}


def test_run_may_be_a_static_or_a_class_method() -> None:
    class Plain(Task):
        @staticmethod
        def run(x: int) -> int:
            return x

    class Named(Task):
        @classmethod
        def run(cls, x: int) -> str:
            return f"{cls.__name__} {x}"

    with Flow("methods") as flow:
        plain, named = Plain()(1), Named()(2)

    result = flow.run().result
    assert (result[plain].result, result[named].result) == (1, "Named 2")


# -- what a subclass should not do -----------------------------------------------------------------------------------


class Forgetful(Task):
    """A task whose author forgot a line."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def run(self) -> int:
        return self.factor


@pytest.mark.parametrize(
    "use",
    [
        lambda made: made(flow=Flow("f")),
        lambda made: Flow("f").add_task(made),
        lambda made: Flow("f", tasks=[made]),
        lambda made: made.copy(),
        lambda made: made.tags,
        repr,
    ],
)
def test_a_subclass_that_forgot_its_base_is_told_what_to_write(use: Callable[[Any], Any]) -> None:
    with pytest.raises(AttributeError, match=r"Write super\(\).__init__\(\*\*kwargs\) in Forgetful.__init__"):
        use(Forgetful(2))


def test_an_attribute_that_no_task_has_is_missing_as_of_any_object() -> None:
    with pytest.raises(AttributeError, match=r"^'Forgetful' object has no attribute 'factory'$"):
        Forgetful(2).factory  # type: ignore[attr-defined]  # noqa: B018 - looking is the test
    with pytest.raises(AttributeError, match=r"^'Add' object has no attribute 'factor'$"):
        Add().factor  # type: ignore[attr-defined]  # noqa: B018 - likewise


def test_a_task_given_to_a_constructor_warns() -> None:
    class Scale(Task):
        def __init__(self, factor: object, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.factor = factor

    with pytest.warns(UserWarning, match="task 'Add' was passed to the constructor of Scale"):
        Scale(Add())
    with pytest.warns(UserWarning, match="pass it to the call inside `with Flow"):
        Scale(factor=Add())


def test_a_class_attribute_that_the_constructor_sets_anew_warns() -> None:
    with pytest.warns(UserWarning, match=r"class Slow sets max_retries, name, .*super\(\).__init__\(max_retries="):

        class Slow(Task):
            name = "slow"
            max_retries = 3


def test_an_attribute_that_is_set_before_the_constructor_and_lost_warns() -> None:
    class Write(Task):
        def __init__(self, target: str) -> None:
            self.target = target
            super().__init__()

    with pytest.warns(UserWarning, match="Write had set target before"):
        Write("here.csv")


def test_an_attribute_that_hides_a_method_warns() -> None:
    class Read(Task):
        def __init__(self, inputs: list[str]) -> None:
            super().__init__()
            self.inputs = inputs  # type: ignore[assignment,method-assign]

    with pytest.warns(UserWarning, match="Read sets the attribute 'inputs', which hides the method"):
        Read(["a.csv"])


def test_attributes_of_its_own_are_a_subclass_s_business() -> None:
    class Fine(Task):
        colour = "red"

        def __init__(self, factor: int, **kwargs: Any) -> None:
            self.factor = factor
            super().__init__(**kwargs)
            self.logger = None

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Fine(3).factor == 3


# -- retries, timeout, handlers, trigger -----------------------------------------------------------------------------

SECOND = dt.timedelta(seconds=1)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max_retries": 2}, ValueError, "max_retries=2 needs a retry_delay"),
        ({"retry_delay": SECOND}, ValueError, "retry_delay needs max_retries of at least 1"),
        ({"retry_delay": SECOND, "max_retries": 0}, ValueError, "retry_delay needs max_retries"),
        ({"retry_on": OSError}, ValueError, "retry_on needs max_retries"),
        (
            {"retry_on": OSError("gone"), "max_retries": 1, "retry_delay": SECOND},
            TypeError,
            "exception classes, not OSE",
        ),
        ({"retry_on": [OSError, int], "max_retries": 1, "retry_delay": SECOND}, TypeError, "not <class 'int'>"),
        ({"retry_on": "OSError", "max_retries": 1, "retry_delay": SECOND}, TypeError, "not 'OSError'"),
        ({"max_retries": -1}, ValueError, "below 0"),
        ({"max_retries": "3"}, TypeError, "max_retries='3' is not a whole number"),
        ({"max_retries": 1, "retry_delay": 10}, TypeError, r"retry_delay=timedelta\(seconds=10\)"),
        ({"max_retries": 1, "retry_delay": -SECOND}, ValueError, "negative"),
        ({"timeout": 1.5}, TypeError, "timeout=1.5 must be a whole number of seconds"),
        ({"timeout": "1"}, TypeError, "timeout='1'"),
        ({"timeout": 0}, ValueError, "at least one second"),
        ({"tags": "slow"}, TypeError, r"is one text; give a list or a set of texts: tags=\['slow'\]"),
        ({"tags": [1]}, TypeError, "holds 1, which is not a text"),
        ({"state_handlers": print}, TypeError, r"must be a list of functions"),
        ({"state_handlers": {print}}, TypeError, r"must be a list of functions"),
        ({"state_handlers": ["print"]}, TypeError, "'print' cannot handle states"),
        ({"on_failure": "print"}, TypeError, "'print' cannot handle states"),
        ({"trigger": "any_faild"}, TypeError, "not a function. Did you mean .*any_failed'"),
        ({"trigger": 7}, TypeError, "trigger=7 is not a function"),
        ({"trigger": triggers.some_failed}, TypeError, r"trigger=some_failed\(at_least=1\)"),
        ({"name": 7}, TypeError, "name=7 is not a text"),
        ({"nout": "two"}, TypeError, "nout='two' is not a whole number"),
        ({"nout": -2}, ValueError, "below 0"),
    ],
)
def test_options_that_cannot_be_meant_are_refused_when_they_are_given(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        Task(**options)


def test_retry_on_takes_one_exception_class_or_several() -> None:
    assert Task(max_retries=1, retry_delay=SECOND, retry_on=OSError).retry_on == (OSError,)
    assert Task(max_retries=1, retry_delay=SECOND, retry_on={OSError}).retry_on == (OSError,)


def test_defaults_come_from_the_settings() -> None:
    defaults = config.tasks.defaults
    before = defaults.to_dict()
    try:
        defaults.max_retries, defaults.retry_delay, defaults.timeout = 3, 10, 60
        assert (Task().max_retries, Task().retry_delay, Task().timeout) == (3, dt.timedelta(seconds=10), 60)
        assert Task(max_retries=0).max_retries == 0
    finally:
        config.tasks.defaults = before
    assert (Task().max_retries, Task().retry_delay, Task().timeout) == (0, None, None)


def test_a_timeout_is_whole_seconds() -> None:
    assert Task(timeout=5).timeout == 5
    assert Task(timeout=dt.timedelta(minutes=2)).timeout == 120
    with pytest.warns(UserWarning, match="cut to whole seconds: 2"):
        assert Task(timeout=dt.timedelta(seconds=2, milliseconds=900)).timeout == 2


def test_on_failure_is_a_handler_after_the_others_that_hears_of_failures_alone() -> None:
    def handler(subject: Task, old: State, new: State) -> None:
        heard.append(("handler", new))

    def failed(subject: Task, state: State) -> None:
        heard.append(("on_failure", state))

    heard: list[Any] = []
    made = Task(state_handlers=[handler], on_failure=failed)
    assert made.state_handlers[0] is handler
    good, bad = Success(), Failed()
    for state in (good, bad):
        for each in made.state_handlers:
            each(made, good, state)
    assert heard == [("handler", good), ("handler", bad), ("on_failure", bad)]


def test_handlers_are_kept_in_a_list_of_the_task_s_own() -> None:
    given: list[Callable[..., Any]] = []
    made = Task(state_handlers=given)
    given.append(print)
    assert made.state_handlers == []


# -- tags ------------------------------------------------------------------------------------------------------------


def test_tags_of_nested_blocks_are_united_with_the_task_s_own() -> None:
    with tags("a", "b"), tags("c"):
        made = Task(tags=["own"])

    assert made.tags == {"a", "b", "c", "own"}
    assert Task().tags == set()


def test_tags_apply_to_copies_and_to_tasks_that_are_bound_inside() -> None:
    early, bound = Add(), Add()
    with Flow("tags") as flow, tags("late"):
        copied, called = flow.add_task(early.copy()), early(1)
        bound.bind(1)
    with tags("copy"):
        assert copied.copy().tags == {"late", "copy"}

    assert (copied.tags, called.tags, bound.tags, early.tags) == ({"late"}, {"late"}, {"late"}, set())


# -- how many results ------------------------------------------------------------------------------------------------

Pair = Tuple[int, int]


def two() -> Tuple[int, int]: ...  # type: ignore[empty-body]
def two_small() -> tuple[int, str]: ...  # type: ignore[empty-body]
def nested() -> Tuple[List[Tuple[int, int]], Dict[str, int]]: ...  # type: ignore[empty-body]
def of_an_alias() -> Pair: ...  # type: ignore[empty-body]
def of_unknown_names() -> Tuple[Nowhere, Nothing]: ...  # type: ignore[name-defined,empty-body]  # noqa: F821
def other_argument_unknown(x: Nowhere) -> Tuple[int, int]: ...  # type: ignore[name-defined,empty-body]  # noqa: F821
def none_at_all() -> Tuple[()]: ...  # type: ignore[empty-body]
def any_number() -> Tuple[int, ...]: ...  # type: ignore[empty-body]
def bare() -> Tuple: ...  # type: ignore[type-arg,empty-body]
def bare_small() -> tuple: ...  # type: ignore[type-arg,empty-body]
def a_list() -> List[int]: ...  # type: ignore[empty-body]
def nothing_said(): ...  # type: ignore[no-untyped-def]
def nothing_returned() -> None: ...


@pytest.mark.parametrize(
    ("function", "nout"),
    [
        (two, 2),
        (two_small, 2),
        (nested, 2),
        (of_an_alias, 2),
        (of_unknown_names, 2),
        (other_argument_unknown, 2),
        (none_at_all, 0),
        (any_number, None),
        (bare, None),
        (bare_small, None),
        (a_list, None),
        (nothing_said, None),
        (nothing_returned, None),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_tuple_annotation_tells_how_many_results_there_are(function: Callable[..., Any], nout: int | None) -> None:
    # annotations are texts here: this file says `from __future__ import annotations`
    assert task(function).nout == nout
    assert task(function, nout=7).nout == 7


def test_annotations_that_are_no_texts_tell_the_same() -> None:
    namespace: dict[str, Any] = {"Tuple": Tuple}
    exec(
        "def two() -> Tuple[int, int]: ...\ndef none() -> Tuple[()]: ...\ndef small() -> tuple[()]: ...\n"
        "def bare() -> Tuple: ...\ndef more() -> Tuple[int, ...]: ...",
        namespace,
    )
    found = {name: task(namespace[name]).nout for name in ("two", "none", "small", "bare", "more")}
    assert found == {"two": 2, "none": 0, "small": 0, "bare": None, "more": None}


def test_a_task_with_a_known_number_of_results_can_be_unpacked() -> None:
    @task
    def split(text: str) -> Tuple[str, str]:
        return text[:1], text[1:]

    with Flow("unpack") as flow:
        head, tail = split("abc")

    result = flow.run().result
    assert (result[head].result, result[tail].result) == ("a", "bc")


def test_one_result_means_a_tuple_of_one() -> None:
    @task(nout=1)
    def single() -> tuple[int]:
        return (7,)

    with Flow("one") as flow:
        (only,) = single()

    assert flow.run().result[only].result == 7


def test_a_task_with_an_unknown_number_of_results_refuses_to_be_unpacked() -> None:
    with Flow("unpack"):
        with pytest.raises(TypeError, match=r"'Add' cannot be unpacked: .* @task\(nout=2\) .* task\[0\] works"):
            _, _ = Add()(1)
        assert Add()(1)[0].name == "Add[0]"


# -- what a task tells about itself ----------------------------------------------------------------------------------


def test_inputs_and_outputs_are_described() -> None:
    @task
    def mix(x: int, y=None, *, z: str = "a", **rest: float) -> Dict[str, int]:  # type: ignore[no-untyped-def]  # noqa: ANN001
        return {}

    assert mix.inputs() == {
        "x": {"type": int, "required": True, "default": None},
        "y": {"type": Any, "required": False, "default": None},
        "z": {"type": str, "required": False, "default": "a"},
        "rest": {"type": float, "required": False, "default": None},
    }
    assert mix.outputs() == Dict[str, int]
    assert task(lambda: 1).outputs() is Any


def test_the_signature_of_a_task_is_that_of_run_and_of_the_call() -> None:
    assert str(inspect.signature(Add())) == (
        "(x: 'int', y: 'int' = 1, *, mapped=False, task_args=None, upstream_tasks=None, flow=None) -> 'int'"
    )
    assert list(inspect.signature(task(lambda **rest: rest)).parameters)[-1] == "rest"


def test_the_signature_of_a_class_is_that_of_its_constructor() -> None:
    assert list(inspect.signature(Task).parameters)[:3] == ["name", "slug", "tags"]
    assert str(inspect.signature(Greet)) == "(greeting: 'str | None', **kwargs: 'Any')"


def test_a_task_has_a_logger_named_after_it() -> None:
    assert Add(name="plus").logger.name == "flowbook.plus"


# -- defaults that are attributes ------------------------------------------------------------------------------------


class Greet(Task):
    def __init__(self, greeting: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.greeting = greeting

    @defaults_from_attrs("greeting")
    def run(self, greeting: str | None, person: str) -> str:
        return f"{greeting}, {person}!"


def test_missing_arguments_fall_back_to_attributes_and_an_explicit_none_is_kept() -> None:
    hello = Greet("Hello")
    assert hello.run(person="Marvin") == "Hello, Marvin!"
    assert hello.run(person="Marvin", greeting="Bye") == "Bye, Marvin!"
    assert hello.run("Hi", person="Marvin") == "Hi, Marvin!"
    assert hello.run(person="Marvin", greeting=None) == "None, Marvin!"


def test_an_argument_with_a_fall_back_need_not_be_bound() -> None:
    with Flow("greet") as flow:
        greeting = Greet("Hello")(person="Marvin")
        with pytest.raises(TypeError, match="'person'"):
            Greet("Hello")("Hi")

    assert flow.run().result[greeting].result == "Hello, Marvin!"
    assert Greet("Hello").inputs()["greeting"]["required"] is False


def test_a_fall_back_for_an_argument_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes no argument 'greetings' .* Did you mean 'greeting'"):

        class Wrong(Task):
            @defaults_from_attrs("greetings")
            def run(self, greeting: str) -> str:
                return greeting


# -- pickling --------------------------------------------------------------------------------------------------------


def test_a_task_survives_cloudpickle_with_its_options() -> None:
    @task(tags=["slow"], max_retries=1, retry_delay=SECOND, trigger=triggers.some_failed(at_least=1))
    def double(x: int) -> int:
        return 2 * x

    again = cloudpickle.loads(cloudpickle.dumps(double))

    assert (again.name, again.tags, again.max_retries, again.run(4)) == ("double", {"slow"}, 1, 8)
    assert repr(again.trigger) == "<trigger some_failed>"
    copy = again.copy()
    copy.name = "other"
    assert again.name == "double"


def test_an_unknown_option_offers_the_nearest_known_one() -> None:
    with pytest.raises(TypeError, match=r"no option 'max_retris'\. Did you mean 'max_retries'\?"):
        task(max_retris=2)(lambda: 1)


def test_options_that_do_nothing_yet_are_said_to_do_nothing() -> None:
    with pytest.warns(UserWarning, match="cache_for of task 'Task' has no effect in this version"):
        Task(cache_for=dt.timedelta(hours=1))
    with pytest.warns(UserWarning, match="storage of flow 'nightly' has no effect in this version"):
        Flow("nightly", storage=object())
