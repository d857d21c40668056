"""Tasks: the steps of a flow.

A task describes; it does not run anything while a flow is being built. Calling a task inside ``with Flow(...)`` makes
a *copy*, adds it to the flow and binds its arguments; the copy that is returned is the node of the graph.
"""

from __future__ import annotations

import datetime as dt
import inspect
import warnings
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from flowbook.configuration import config
from flowbook.contexts import context, current_flow
from flowbook.errors import FlowError, shown
from flowbook.tasks.signature import RunSignature
from flowbook.triggers import all_successful

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from flowbook.edges import Edge
    from flowbook.flows import Flow
    from flowbook.states import State

    Trigger = Callable[[dict[Edge, State]], Any]
    StateHandler = Callable[[Any, State, State], State | None]

__all__ = ["Task", "TaskMeta", "attribute_changes", "constructors"]

TaskT = TypeVar("TaskT", bound="Task")

# Filled by flowbook.tasks.core: how values become tasks ("as_task") and which task each operator makes. The core tasks
# are subclasses of Task, so Task itself cannot import them without a circle.
constructors: dict[str, Callable[..., Task]] = {}

# How often an attribute of any task was set: a plan that was read from tasks holds until this changes.
attribute_changes = [0]

_RESERVED = frozenset(
    "name slug tags max_retries retry_delay retry_on timeout trigger skip_on_upstream_skip cache_for cache_validator "
    "cache_key checkpoint state_handlers log_stdout result target task_run_name nout auto_generated logger".split(),
)


def _operation(name: str, *, reflected: bool = False) -> Callable[[Any, Any], Task]:
    def operate(self: Any, other: Any) -> Task:
        operands = (other, self) if reflected else (self, other)
        return constructors[name](*operands)

    operate.__doc__ = f"Return a task of the operator {name} on both results."
    return operate


class TaskMeta(type):
    """Check a subclass's ``run`` when it is made, and look at the arguments a task is constructed with."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> Any:
        made = super().__new__(mcs, name, bases, namespace, **kwargs)
        if "run" in namespace and callable(namespace["run"]):
            made.run_signature = RunSignature.of(namespace["run"], method=True)  # type: ignore[attr-defined]  # set for Task below
        return made

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            if isinstance(value, Task) and not cls.__dict__.get("accepts_tasks", False):
                warnings.warn(
                    f"task {shown(value.name)} was passed to the constructor of {cls.__name__}. "
                    "Its result is not known yet there; pass it to the call inside `with Flow(...)` instead.",
                    UserWarning,
                    stacklevel=2,
                )
        made = super().__call__(*args, **kwargs)
        # Reserved attributes that the class replaces by something the engine cannot mean: methods, mostly.
        clashes = sorted(name for name in _RESERVED & set(vars(cls)) if inspect.isfunction(vars(cls)[name]))
        if clashes:
            warnings.warn(
                f"{cls.__name__} defines {', '.join(clashes)}, which every task already has with another meaning. Rename it.",
                UserWarning,
                stacklevel=2,
            )
        return made


class Task(metaclass=TaskMeta):
    """One step of a flow. Subclass it and define ``run``, or decorate a function with `flowbook.task`.

    Args:
        name: how people call it; the class name when not given.
        slug: an identifier, unique in a flow; made from name and tags when not given.
        tags: words to find the task by.
        max_retries: how often a failed attempt is repeated; n means up to n + 1 attempts.
        retry_delay: how long to wait before each new attempt.
        retry_on: retry only on these kinds of exception.
        timeout: seconds (or a timedelta of whole seconds) an attempt may take.
        trigger: decides from the states upstream whether the task may run.
        skip_on_upstream_skip: skip this task when one upstream was skipped (looked at before the trigger).
        cache_for, cache_validator, cache_key: keep the result for later runs.
        checkpoint, result, target: where and whether the result is written.
        state_handlers: called as ``handler(task, old_state, new_state)`` at each change; may return another state.
        on_failure: called as ``on_failure(task, state)`` when an attempt failed.
        log_stdout: send what the body prints to the task's logger.
        task_run_name: a template or callable for the name of a run.
        nout: how many results the task returns, for unpacking.

    Raises:
        ValueError: options that contradict each other.
        TypeError: options of the wrong type.

    >>> from flowbook import Flow, Task
    >>> class Add(Task):
    ...     def run(self, x, y=1):
    ...         return x + y
    >>> with Flow("sum") as flow:
    ...     total = Add()(2, y=3)
    >>> flow.run(show=False).result[total].result
    5

    """

    accepts_tasks: ClassVar[bool] = False
    auto_generated: bool = False
    run_signature: RunSignature

    def __init__(  # noqa: PLR0913 - the reference API's constructor
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int | None = None,
        retry_delay: dt.timedelta | None = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        timeout: int | dt.timedelta | None = None,
        trigger: Trigger | None = None,
        skip_on_upstream_skip: bool = True,  # noqa: FBT001, FBT002 - positional in the reference API
        cache_for: dt.timedelta | None = None,
        cache_validator: Callable[..., bool] | None = None,
        cache_key: str | None = None,
        checkpoint: bool | None = None,  # noqa: FBT001
        state_handlers: list[StateHandler] | None = None,
        on_failure: Callable[[Any, State], Any] | None = None,
        log_stdout: bool = False,  # noqa: FBT001, FBT002
        result: Any = None,
        target: str | Callable[..., str] | None = None,
        task_run_name: str | Callable[..., str] | None = None,
        nout: int | None = None,
    ) -> None:
        self.name = name if name is not None else type(self).__name__
        self.slug = slug
        if isinstance(tags, str):
            msg = f"tags={shown(tags)} is one text; give a list or a set of texts: tags=[{shown(tags)}]."
            raise TypeError(msg)
        self.tags: set[str] = set(tags or ()) | set(context.get("tags") or ())
        defaults = config.tasks.defaults
        self.max_retries = defaults.max_retries if max_retries is None else max_retries
        self.retry_delay = _checked_delay(
            retry_delay if retry_delay is not None else defaults.retry_delay, self.max_retries, retry_delay
        )
        self.retry_on = _checked_retry_on(retry_on, self.max_retries)
        self.timeout = _whole_seconds(timeout if timeout is not None else defaults.timeout)
        self.trigger: Trigger = trigger if trigger is not None else all_successful
        if not callable(self.trigger):
            msg = f"trigger={shown(trigger)} is not callable. Use one of flowbook.triggers, or a function of a dict of Edge to State."
            raise TypeError(msg)
        self.skip_on_upstream_skip = skip_on_upstream_skip
        self.cache_for = cache_for
        self.cache_validator = cache_validator
        self.cache_key = cache_key
        self.checkpoint = checkpoint
        self.state_handlers = _checked_handlers(state_handlers, on_failure)
        self.on_failure = on_failure
        self.log_stdout = log_stdout
        self.result = result
        self.target = target
        self.task_run_name = task_run_name
        self.nout = nout if nout is not None else self.run_signature.nout
        tracker = context.get("_created_tasks")
        if tracker is not None and not self.auto_generated:
            tracker[id(self)] = self

    def __setattr__(self, name: str, value: Any) -> None:
        attribute_changes[0] += 1
        object.__setattr__(self, name, value)

    def run(self) -> Any:
        """Do the work. Subclasses replace this."""
        return None

    def __repr__(self) -> str:
        return f"<Task: {shown(self.name, 60)[1:-1]}>"

    def __bool__(self) -> bool:
        msg = (
            f"task {shown(self.name, 60)} has no truth value: its result is not known while the flow is being built. "
            "Branch inside a task, or let the task raise flowbook.signals.SKIP."
        )
        raise TypeError(msg)

    @property
    def logger(self) -> Any:
        """The logger of this task; inside a run, of this task run."""
        from flowbook.utilities.logging import get_logger  # a door: logging is loaded when somebody logs

        return get_logger(context.get("task_full_name") or self.name)

    # -- building ------------------------------------------------------------------------------------------------

    def copy(self: TaskT, **task_args: Any) -> TaskT:
        """Return a copy that is not in any flow yet.

        Args:
            **task_args: attributes to set on the copy.

        Raises:
            AttributeError: the task has no attribute of that name.

        """
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        made.__dict__["tags"] = set(self.tags)
        if self.slug is not None and "slug" not in task_args:
            made.slug = f"{self.slug}-copy"
        for name, value in task_args.items():
            if name not in made.__dict__:
                known = ", ".join(sorted(key for key in made.__dict__ if not key.startswith("_")))
                msg = f"task {shown(self.name)} has no attribute {name!r} to set. Known: {known}."
                raise AttributeError(msg)
            setattr(made, name, set(value) if name == "tags" else value)
        extra = context.get("tags")
        if extra:
            made.tags |= set(extra)
        flow = current_flow()
        if flow is not None:
            node = flow.nodes.get(self)
            if node is not None and (node.upstream or node.downstream):
                warnings.warn(
                    f"task {shown(self.name)} already has edges in flow {shown(flow.name)}; the copy starts without them.",
                    UserWarning,
                    stacklevel=3,
                )
            tracker = context.get("_created_tasks")
            if tracker is not None:
                # the copy stands for the task it was made from: only the copy has to end up in the flow
                tracker.pop(id(self), None)
        return made

    def __call__(
        self: TaskT,
        *args: Any,
        mapped: bool = False,
        task_args: Mapping[str, Any] | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> TaskT:
        """Copy this task, add the copy to the flow, bind the arguments, and return the copy.

        Raises:
            FlowError: there is no flow to add it to.
            TypeError: the arguments do not fit ``run``.

        """
        flow = flow if flow is not None else current_flow()
        if flow is None:
            msg = (
                f"could not infer an active flow for task {shown(self.name)}: call it inside `with Flow(...) as flow:` "
                f"or pass flow=. To run the function itself now, call .run() on the task."
            )
            raise FlowError(msg)
        made = self.copy(**(task_args or {}))
        return made.bind(*args, mapped=mapped, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def bind(
        self: TaskT,
        *args: Any,
        mapped: bool = False,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> TaskT:
        """Add this very task to the flow and bind its arguments; return the task.

        Raises:
            FlowError: there is no flow to add it to, or a key is bound twice while edges are validated.
            TypeError: the arguments do not fit ``run``.

        """
        flow = self._flow(flow, "bind")
        arguments = self.run_signature.bind(self.name, args, kwargs)
        extra = context.get("tags")
        if extra:
            self.tags |= set(extra)
        flow.connect(self, arguments, upstream_tasks=upstream_tasks, mapped=mapped)
        return self

    def pipe(self, other: Any, **kwargs: Any) -> Any:
        """Return ``other(self, **kwargs)``, so that steps read from left to right."""
        if "self" in kwargs:
            msg = "pipe cannot pass a keyword called 'self'; bind that argument with task.bind(...)."
            raise FlowError(msg)
        return other(self, **kwargs)

    def _flow(self, flow: Flow | None, verb: str) -> Flow:
        found = flow if flow is not None else current_flow()
        if found is None:
            msg = f"no flow to {verb} task {shown(self.name)} in: do it inside `with Flow(...) as flow:` or pass flow=."
            raise FlowError(msg)
        return found

    def set_dependencies(  # noqa: PLR0913 - the reference API's signature
        self: TaskT,
        flow: Flow | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,  # noqa: FBT001, FBT002
        validate: bool | None = None,  # noqa: FBT001
    ) -> TaskT:
        """Set what goes before and after this task; values that are not tasks are converted. Return the task."""
        self._flow(flow, "set the dependencies of").set_dependencies(
            self,
            upstream_tasks=upstream_tasks,
            downstream_tasks=downstream_tasks,
            keyword_tasks=keyword_tasks,
            mapped=mapped,
            validate=validate,
        )
        return self

    def set_upstream(
        self: TaskT, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False
    ) -> TaskT:  # noqa: FBT001, FBT002
        """Let this task wait for another one (and take its result as `key`); return this task."""
        if key is not None:
            return self.set_dependencies(flow=flow, keyword_tasks={key: task}, mapped=mapped)
        return self.set_dependencies(flow=flow, upstream_tasks=[task], mapped=mapped)

    def set_downstream(
        self: TaskT, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False
    ) -> TaskT:  # noqa: FBT001, FBT002
        """Let another task wait for this one (and take its result as `key`); return this task."""
        constructors["as_task"](task, flow=flow).set_upstream(self, flow=flow, key=key, mapped=mapped)
        return self

    # -- looking -------------------------------------------------------------------------------------------------

    def inputs(self) -> dict[str, dict[str, Any]]:
        """Return each argument of ``run`` with its type, whether it is required, and its default."""
        return self.run_signature.describe(self.run)

    def outputs(self) -> Any:
        """Return what ``run`` is annotated to return, or Any."""
        return self.run_signature.returns(self.run)

    @property
    def __signature__(self) -> inspect.Signature:
        return self.run_signature.of_call()

    def is_equal(self, other: Any) -> Task:
        """Return a task that compares the two results with ``==``."""
        return self._operator("Equal", self, other)

    def is_not_equal(self, other: Any) -> Task:
        """Return a task that compares the two results with ``!=``."""
        return self._operator("NotEqual", self, other)

    def not_(self) -> Task:
        """Return a task that negates the result."""
        return self._operator("Not", self)

    def or_(self, other: Any) -> Task:
        """Return a task that gives ``self or other`` of the results."""
        return self._operator("Or", self, other)

    @staticmethod
    def _operator(name: str, *operands: Any) -> Task:
        return constructors[name](*operands)

    def __iter__(self) -> Iterator[Task]:
        if self.nout is None:
            msg = (
                f"task {shown(self.name)} cannot be unpacked: how many results it returns is not known. Say it with "
                "@task(nout=2) or annotate the function with Tuple[...]; task[0] works without."
            )
            raise TypeError(msg)
        return (self[index] for index in range(self.nout))

    def __getitem__(self, key: Any) -> Task:
        return self._operator("GetItem", self, key)

    # `==` and `!=` keep meaning identity, so that tasks stay usable as keys; see is_equal and is_not_equal.
    __add__ = _operation("Add")
    __radd__ = _operation("Add", reflected=True)
    __sub__ = _operation("Sub")
    __rsub__ = _operation("Sub", reflected=True)
    __mul__ = _operation("Mul")
    __rmul__ = _operation("Mul", reflected=True)
    __truediv__ = _operation("Div")
    __rtruediv__ = _operation("Div", reflected=True)
    __floordiv__ = _operation("FloorDiv")
    __rfloordiv__ = _operation("FloorDiv", reflected=True)
    __mod__ = _operation("Mod")
    __rmod__ = _operation("Mod", reflected=True)
    __pow__ = _operation("Pow")
    __rpow__ = _operation("Pow", reflected=True)
    __and__ = _operation("And")
    __rand__ = _operation("And", reflected=True)
    __lt__ = _operation("LessThan")
    __le__ = _operation("LessThanOrEqual")
    __gt__ = _operation("GreaterThan")
    __ge__ = _operation("GreaterThanOrEqual")

    def __or__(self, other: Any) -> Any:
        made: Task = constructors["as_task"](other)
        return made.set_upstream(self)

    def __ror__(self, other: Any) -> Task:
        return self.set_upstream(other)


def _checked_delay(delay: dt.timedelta | None, max_retries: int, given: dt.timedelta | None) -> dt.timedelta | None:
    if max_retries > 0 and delay is None:
        msg = f"max_retries={max_retries} needs a retry_delay, for instance retry_delay=timedelta(seconds=10)."
        raise ValueError(msg)
    if given is not None and not max_retries:
        msg = f"retry_delay={shown(given)} needs max_retries of at least 1."
        raise ValueError(msg)
    return delay


def _checked_retry_on(retry_on: Any, max_retries: int) -> tuple[type[BaseException], ...] | None:
    if retry_on is None:
        return None
    if not max_retries:
        msg = f"retry_on={shown(retry_on)} needs max_retries of at least 1."
        raise ValueError(msg)
    kinds = (retry_on,) if isinstance(retry_on, (type, BaseException)) else tuple(retry_on)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            msg = f"retry_on takes exception classes, not {shown(kind)}."
            raise TypeError(msg)
    return kinds


def _whole_seconds(timeout: Any) -> int | None:
    if timeout is None:
        return None
    if isinstance(timeout, dt.timedelta):
        if timeout.microseconds:
            warnings.warn(f"timeout={timeout!r} is cut to whole seconds.", UserWarning, stacklevel=4)
        return int(timeout.total_seconds())
    if isinstance(timeout, bool) or not isinstance(timeout, int):
        msg = f"timeout={shown(timeout)} must be a whole number of seconds or a timedelta."
        raise TypeError(msg)
    return timeout


def _checked_handlers(handlers: Any, on_failure: Callable[[Any, State], Any] | None) -> list[StateHandler]:
    if handlers is not None and (callable(handlers) or not isinstance(handlers, (list, tuple))):
        msg = f"state_handlers={shown(handlers)} must be a list of functions: state_handlers=[handler]."
        raise TypeError(msg)
    made = list(handlers or [])
    if on_failure is not None:
        made.append(FailureHandler(on_failure))
    return made


class FailureHandler:
    """Turn ``on_failure(task, state)`` into a state handler; a class, so that tasks can be pickled."""

    def __init__(self, function: Callable[[Any, State], Any]) -> None:
        self.function = function

    def __call__(self, subject: Any, old: State, new: State) -> State | None:  # noqa: ARG002 - a state handler's signature
        """Call the function when the new state is a failure."""
        if new.is_failed():
            self.function(subject, new)
        return None
