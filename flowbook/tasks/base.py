"""Tasks: the steps of a flow.

A task describes; it does not run anything while a flow is being built. Calling a task inside ``with Flow(...)`` makes
a *copy*, adds it to the flow and binds its arguments; the copy that is returned is the node of the graph.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, cast

from flowbook.caching import never_use
from flowbook.contexts import context, current_flow, given_values
from flowbook.errors import FlowError, nearest, shown
from flowbook.mapping import like, options_when_mapped, unmappable
from flowbook.tasks import options
from flowbook.tasks.arithmetic import Arithmetic, constructors
from flowbook.tasks.pickling import OF_SHARING, SHARED, Picklable
from flowbook.tasks.signature import RunSignature, SignatureOfCall

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Self

    from flowbook.flows import Flow
    from flowbook.states import State
    from flowbook.tasks.options import StateHandler, Trigger

__all__ = ["Task", "attribute_changes", "constructors"]

# How often an attribute of any task was set: a plan that was read from tasks holds until this changes.
attribute_changes = [0]

# What `Task.__init__` sets: a subclass that uses one of these names for something else loses one of the two meanings.
_OPTIONS = frozenset(
    {
        "name",
        "slug",
        "tags",
        "max_retries",
        "retry_delay",
        "retry_on",
        "timeout",
        "trigger",
        "skip_on_upstream_skip",
        "cache_for",
        "cache_validator",
        "cache_key",
        "checkpoint",
        "state_handlers",
        "log_stdout",
        "result",
        "target",
        "task_run_name",
        "nout",
    },
)

_NO_TAGS: frozenset[str] = frozenset()


class Task(Picklable, Arithmetic):
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
        cache_for: how long the result may stand for later runs; in memory.
        cache_validator: decides whether it may, as ``validator(state, inputs, parameters)``; see `flowbook.caching`.
        cache_key: the name it is kept under, to share it between tasks; the task's name when not given.
        checkpoint: False keeps the result from being written.
        result: where it is written, as `flowbook.results.LocalResult`; the flow's when not given.
        target: the location it is written to; a task whose target exists already is not run.
        state_handlers: called as ``handler(task, old_state, new_state)`` at each change; may return another state.
        on_failure: called as ``on_failure(task, state)`` when an attempt failed.
        log_stdout: send what the body prints to the task's logger.
        task_run_name: a template or callable for the name of a run, ``context.task_run_name``.
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

    # The tags are apart because copies share all else, see _twin.
    __slots__ = ("__dict__", "__weakref__", "_tags")

    auto_generated: bool = False
    # whether a restarted run does this again, though the run before it ended it well
    runs_anew: bool = False
    sensitive: bool = False
    run_signature: RunSignature
    # of an instance: how it is called inside a flow; of a class: how it is made
    __signature__ = SignatureOfCall()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        hidden = sorted(_OPTIONS & vars(cls).keys())
        if hidden:
            warnings.warn(
                f"class {cls.__name__} sets {', '.join(hidden)}, which `Task.__init__` sets anew for each task. "
                f"Give it to the constructor, super().__init__({hidden[0]}=...), or rename it.",
                UserWarning,
                stacklevel=2,
            )
        run = vars(cls).get("run")
        if isinstance(run, (staticmethod, classmethod)):
            cls.run_signature = RunSignature.of(run.__func__, method=isinstance(run, classmethod))
        elif callable(run):
            cls.run_signature = RunSignature.of(run, method=True)

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Look at what a task is constructed with: the result of another task is not known yet."""
        for value in (*args, *kwargs.values()):
            if isinstance(value, Task):
                warnings.warn(
                    f"task {shown(value.name)} was passed to the constructor of {cls.__name__}. "
                    "Its result is not known yet there; pass it to the call inside `with Flow(...)` instead.",
                    UserWarning,
                    stacklevel=2,
                )
        return object.__new__(cls)

    def __init__(
        self,
        name: str | None = None,
        slug: str | None = None,
        tags: Iterable[str] | None = None,
        max_retries: int | None = None,
        retry_delay: dt.timedelta | None = None,
        retry_on: type[BaseException] | Iterable[type[BaseException]] | None = None,
        timeout: int | dt.timedelta | None = None,
        trigger: Trigger | None = None,
        skip_on_upstream_skip: bool = True,
        cache_for: dt.timedelta | None = None,
        cache_validator: Callable[..., bool] | None = None,
        cache_key: str | None = None,
        checkpoint: bool | None = None,
        state_handlers: list[StateHandler] | None = None,
        on_failure: Callable[[Any, State], Any] | None = None,
        log_stdout: bool = False,
        result: Any = None,
        target: str | Callable[..., str] | None = None,
        task_run_name: str | Callable[..., str] | None = None,
        nout: int | None = None,
    ) -> None:
        self._check_subclass()
        self.name = options.checked_name(name, type(self).__name__)
        self.slug = slug
        self.tags = options.checked_tags(tags)
        self.max_retries = options.checked_retries(max_retries)
        self.retry_delay = options.checked_delay(retry_delay)
        self.retry_on = options.checked_retry_on(retry_on)
        given = {"retry_delay": retry_delay, "retry_on": retry_on}
        options.check_retries(
            self.max_retries, self.retry_delay, [key for key, value in given.items() if value is not None]
        )
        self.timeout = options.checked_timeout(timeout)
        self.trigger: Trigger = options.checked_trigger(trigger)
        self.skip_on_upstream_skip = skip_on_upstream_skip
        owner = f"task {shown(self.name, 40)}"
        self.cache_for = options.checked_cache_for(cache_for)
        self.cache_validator = options.checked_validator(cache_validator, cache_for, owner)
        self.cache_key = options.checked_cache_key(cache_key)
        self.checkpoint = checkpoint
        self.state_handlers = options.checked_handlers(state_handlers, on_failure)
        self.log_stdout = log_stdout
        self.target = options.checked_template("target", target)
        self.result = options.placed(options.checked_result(result), target, owner)
        self.task_run_name = options.checked_template("task_run_name", task_run_name)
        self.nout = self.run_signature.nout if nout is None else options.checked_nout(nout)
        values = given_values()
        self.tags.update(values.get("tags") or ())
        tracker = values.get("_created_tasks")
        if tracker is not None and not self.auto_generated:
            tracker[id(self)] = self

    def _check_subclass(self) -> None:
        """Look at what a subclass made of this task before the constructor was called."""
        if self.run_signature.by_position_only:
            raise TypeError(
                f"the run of {type(self).__name__} takes {self.run_signature.by_position_only!r} by position only, but "
                "a task's arguments are passed by name. Remove the '/'."
            )
        lost = sorted(_OPTIONS & self.__dict__.keys())
        if lost:
            warnings.warn(
                f"{type(self).__name__} had set {', '.join(lost)} before `Task.__init__`, which sets it anew. "
                f"Give it to the constructor, super().__init__({lost[0]}=...), or use another name.",
                UserWarning,
                stacklevel=4,
            )

    if not TYPE_CHECKING:  # a checker that saw these would let any attribute be set

        def __setattr__(self, name: str, value: Any) -> None:
            attribute_changes[0] += 1
            if name in _METHODS:
                warnings.warn(
                    f"{type(self).__name__} sets the attribute {shown(name)}, which hides the method of that name that "
                    "every task has. Use another name.",
                    UserWarning,
                    stacklevel=2,
                )
            if SHARED in self.__dict__:
                self._take_attributes()
            object.__setattr__(self, name, value)

        def __delattr__(self, name: str) -> None:
            attribute_changes[0] += 1
            if SHARED in self.__dict__:
                self._take_attributes()
            object.__delattr__(self, name)

        def __getattr__(self, name: str) -> Any:
            raise options.missing_attribute(self, name)

    def _take_attributes(self) -> None:
        """Give this task attributes of its own."""
        own = {key: value for key, value in self.__dict__.items() if key not in OF_SHARING}
        object.__setattr__(self, "__dict__", own)

    @property
    def tags(self) -> set[str]:
        """Words to find the task by; the set can be changed in place."""
        tags = self._tags
        if isinstance(tags, frozenset):
            tags = set(tags)
            _set_tags(self, tags)
        return tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags: set[str] | frozenset[str] = set(tags)

    if TYPE_CHECKING:

        def run(self, *args: Any, **kwargs: Any) -> Any:
            """Do the work; to a type checker it takes anything, so that subclasses may take what they need."""

    else:

        def run(self) -> Any:
            """Do the work. Subclasses replace this."""
            return

    def __repr__(self) -> str:
        return f"<Task: {shown(self.name, 60)[1:-1]}>"

    def __bool__(self) -> bool:
        raise TypeError(
            f"task {shown(self.name, 60)} has no truth value: its result is not known while the flow is being built. "
            "Branch with `with flowbook.case(task, value):` or inside a task, or let it raise flowbook.signals.SKIP."
        )

    @property
    def logger(self) -> Any:
        """The logger of this task; inside a run, of this task run."""
        from flowbook.utilities.logging import get_logger  # loaded when somebody logs

        return self.__dict__.get("_logger") or get_logger(context.get("task_full_name") or self.name)

    @logger.setter
    def logger(self, logger: Any) -> None:
        self._logger = logger

    # -- building ------------------------------------------------------------------------------------------------

    def copy(self, **task_args: Any) -> Self:
        """Return a copy that is not in any flow yet.

        Args:
            **task_args: attributes to set on the copy.

        Raises:
            AttributeError: the task has no attribute of that name.

        """
        block = given_values()
        made = self._twin(block, task_args)
        if "_created_tasks" in block:
            block["_created_tasks"][id(made)] = made
        return made

    def _twin(self, block: Mapping[str, Any], task_args: Mapping[str, Any] | None) -> Self:
        # A flow of 100,000 calls is 100,000 copies, and the thirty attributes of each cost more than all the rest of
        # a call. So copies share one `__dict__` until somebody sets an attribute; whoever does takes one of its own
        # (__setattr__). Tags, which people change in place, are frozen until somebody looks at them.
        values = self.__dict__
        values[SHARED] = True
        made = object.__new__(type(self))
        object.__setattr__(made, "__dict__", values)
        tags = frozenset(self._tags) if self._tags else _NO_TAGS
        _set_tags(made, tags)
        if task_args:
            made._set_options(task_args)
        if self.slug is not None and (not task_args or "slug" not in task_args):
            made.slug = f"{self.slug}-copy"
        if block:
            self._copied_in(block, made)
        return made

    def _copied_in(self, block: Mapping[str, Any], made: Task) -> None:
        """Settle with the block around it that a copy was made of this task."""
        if "tags" in block:
            made.tags.update(block["tags"])
        if "_created_tasks" in block:
            # the copy stands for the task it was made from: only the copy has to end up in the flow
            block["_created_tasks"].pop(id(self), None)
        flow = block.get("flow")
        if flow is not None and self in flow.nodes:
            node = flow.nodes[self]
            if node.upstream or node.downstream:
                warnings.warn(
                    f"task {shown(self.name)} already has edges in flow {shown(flow.name)}; "
                    "the copy starts without them.",
                    UserWarning,
                    stacklevel=4,
                )

    def _set_options(self, task_args: Mapping[str, Any]) -> None:
        for name, value in task_args.items():
            if not hasattr(self, name):
                known = sorted(key for key in (*self.__dict__, "tags") if not key.startswith("_"))
                raise AttributeError(
                    f"task {shown(self.name)} has no attribute {shown(name)} to set.{nearest(name, known)} "
                    f"Known: {', '.join(known)}."
                )
            check = options.CHECKS.get(name)
            setattr(self, name, value if check is None else check(value))
        options.check_retries(self.max_retries, self.retry_delay, task_args.keys())
        if "cache_for" in task_args and "cache_validator" not in task_args and self.cache_validator is never_use:
            self.cache_validator = options.checked_validator(None, self.cache_for, "")

    def __call__(
        self,
        *args: Any,
        mapped: bool = False,
        task_args: Mapping[str, Any] | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Self:
        """Copy this task, add the copy to the flow, bind the arguments, and return the copy.

        Raises:
            FlowError: there is no flow to add it to.
            TypeError: the arguments do not fit ``run``.

        """
        block = given_values()
        if flow is None:
            flow = block.get("flow")
        if flow is None:
            raise FlowError(
                f"could not infer an active flow for task {shown(self.name)}: call it inside `with Flow(...) as flow:` "
                "or pass flow=. To run the function itself now, call .run() on the task."
            )
        made = self._twin(block, task_args)
        return made.bind(*args, mapped=mapped, upstream_tasks=upstream_tasks, flow=flow, **kwargs)

    def map(
        self,
        *args: Any,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        task_args: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Copy this task and bind the copy so that it runs once per element of its arguments; return the copy.

        What is wrapped in `flowbook.unmapped` goes whole to every run; what is upstream without being an argument is
        mapped over, too.

        Raises:
            FlowError: there is no flow to add it to.
            TypeError: the arguments do not fit ``run``, or one given by position has no elements.

        >>> from flowbook import Flow, task, unmapped
        >>> power = task(lambda x, y: x**y, name="power")
        >>> with Flow("squares") as flow:
        ...     squares = power.map([1, 2, 3], unmapped(2))
        >>> flow.run(show=False).result[squares].result
        [1, 4, 9]

        """
        for value in unmappable(args):
            raise TypeError(
                f"task {shown(self.name)} cannot be mapped over {shown(value)}, which has no elements to be asked for. "
                f"Give a list, or unmapped({shown(value, 40)}) to hand the same value to every run."
            )
        task_args = options_when_mapped(task_args)
        made = self(*args, mapped=True, task_args=task_args, upstream_tasks=upstream_tasks, flow=flow, **kwargs)
        return cast("Self", made)

    def bind(
        self,
        *args: Any,
        mapped: bool = False,
        upstream_tasks: Iterable[Any] | None = None,
        flow: Flow | None = None,
        **kwargs: Any,
    ) -> Self:
        """Add this very task to the flow and bind its arguments; return the task.

        Raises:
            FlowError: there is no flow to add it to, or a key is bound twice while edges are validated.
            TypeError: the arguments do not fit ``run``.

        """
        flow = self._flow(flow, "bind")
        arguments = self.run_signature.bind(self.name, args, kwargs)
        tags = given_values().get("tags")
        if tags:
            self.tags.update(tags)
        flow.connect(self, arguments, upstream_tasks=upstream_tasks, mapped=mapped)
        return self

    def pipe(self, other: Any, /, **kwargs: Any) -> Any:
        """Return ``other(self, **kwargs)``, so that steps read from left to right.

        `other` is a task, its ``map``, or an annotation: ``pages.pipe(flatten).pipe(clean.map, rules=rules)``.
        """
        if "self" in kwargs:
            raise FlowError("pipe cannot pass a keyword called 'self'; bind that argument with task.bind(...).")
        return other(self, **kwargs)

    def _flow(self, flow: Flow | None, verb: str) -> Flow:
        found = flow if flow is not None else current_flow()
        if found is None:
            raise FlowError(
                f"no flow to {verb} task {shown(self.name)} in: do it inside `with Flow(...) as flow:` or pass flow=."
            )
        return found

    def set_dependencies(
        self,
        flow: Flow | None = None,
        upstream_tasks: Iterable[Any] | None = None,
        downstream_tasks: Iterable[Any] | None = None,
        keyword_tasks: Mapping[str, Any] | None = None,
        mapped: bool = False,
        validate: bool | None = None,
    ) -> Self:
        """Set what goes before and after this task; values that are not tasks are converted. Return the task.

        >>> from flowbook import Flow, Task
        >>> with Flow("order") as flow:
        ...     middle = Task("middle").set_dependencies(upstream_tasks=[Task("a")], downstream_tasks=[Task("z")])
        >>> [task.name for task in flow.sorted_tasks()]
        ['a', 'middle', 'z']
        """
        self._flow(flow, "set the dependencies of").set_dependencies(
            self,
            upstream_tasks=upstream_tasks,
            downstream_tasks=downstream_tasks,
            keyword_tasks=keyword_tasks,
            mapped=mapped,
            validate=validate,
        )
        return self

    def set_upstream(self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False) -> Self:
        """Let this task wait for another one (and take its result as `key`); return this task.

        >>> from flowbook import Flow, Task
        >>> with Flow("order") as flow:
        ...     last = Task("last").set_upstream(Task("first"))
        >>> [task.name for task in flow.sorted_tasks()]
        ['first', 'last']
        """
        if key is not None:
            return self.set_dependencies(flow=flow, keyword_tasks={key: task}, mapped=mapped)
        return self.set_dependencies(flow=flow, upstream_tasks=[task], mapped=mapped)

    def set_downstream(self, task: Any, flow: Flow | None = None, key: str | None = None, mapped: bool = False) -> Self:
        """Let another task wait for this one (and take its result as `key`); return this task.

        >>> from flowbook import Flow, Task
        >>> with Flow("order") as flow:
        ...     first = Task("first").set_downstream(Task("last"))
        >>> [task.name for task in flow.sorted_tasks()]
        ['first', 'last']
        """
        waiting: Task = constructors["as_task"](task, flow=flow)
        waiting.set_upstream(like(task, self), flow=flow, key=key, mapped=mapped)
        return self

    # -- looking -------------------------------------------------------------------------------------------------

    def inputs(self) -> dict[str, dict[str, Any]]:
        """Return each argument of ``run`` with its type, whether it is required, and its default."""
        return self.run_signature.describe(self.run)

    def outputs(self) -> Any:
        """Return what ``run`` is annotated to return, or Any."""
        return self.run_signature.returns(self.run)

    def is_equal(self, other: Any) -> Task:
        """Return a task that compares the two results with ``==``."""
        return constructors["Equal"](self, other)

    def is_not_equal(self, other: Any) -> Task:
        """Return a task that compares the two results with ``!=``."""
        return constructors["NotEqual"](self, other)

    def not_(self) -> Task:
        """Return a task that negates the result."""
        return constructors["Not"](self)

    def or_(self, other: Any) -> Task:
        """Return a task that gives ``self or other`` of the results."""
        return constructors["Or"](self, other)

    def __iter__(self) -> Iterator[Task]:
        if self.nout is None:
            raise TypeError(
                f"task {shown(self.name)} cannot be unpacked: how many results it returns is not known. Say it with "
                "@task(nout=2) or annotate the function with Tuple[...]; task[0] works without."
            )
        return (self[index] for index in range(self.nout))

    def __getitem__(self, key: Any) -> Task:
        return constructors["GetItem"](self, key)

    def __or__(self, other: Any) -> Any:
        made: Any = constructors["as_task"](other)
        return made.set_upstream(like(other, self))

    def __ror__(self, other: Any) -> Task:
        return self.set_upstream(other)


Task.run_signature = RunSignature.of(Task.run, method=True)

# The slot's own setter: setting the tags of a fresh copy must not make it take attributes of its own.
_set_tags = vars(Task)["_tags"].__set__

# Attributes a subclass cannot use; `run` it may, a task can be given its body.
_METHODS = frozenset(name for name in vars(Task) if not name.startswith("_")) - {
    "auto_generated",
    "logger",
    "run",
    "run_signature",
    "runs_anew",
    "sensitive",
    "tags",
}
