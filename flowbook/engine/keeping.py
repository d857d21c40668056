"""Keeping: results are written, found again and remembered here; this is the part that opens files.

*Writing* is done where the body runs, by a `KeepingBody` that stands for the body of each task which has somewhere to
write to: in a process or on another machine too, so a large value need not travel in order to be kept. It needs no
runner, only the `Frame` that answers for the task run.

*Looking* for a kept result (`look_for_kept`) is a question like those to triggers and handlers, since targets read
files and validators are code of a user.

*Remembering* (`remember`) happens when a run has ended: what its tasks keep with ``cache_for`` goes to
``context.caches``. So two tasks of one name in one run never take each other's results.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from flowbook import signals
from flowbook.caching import Candidates, HashedInputs, all_inputs, is_expired, looks_at_inputs, token, why_not
from flowbook.contexts import caches as process_caches
from flowbook.contexts import context, current_frame
from flowbook.engine.coroutines import is_async
from flowbook.engine.ends import said
from flowbook.engine.interrupts import BodyStopped, RunInterrupted
from flowbook.engine.kept import Kept, Written
from flowbook.engine.lazy import Holder
from flowbook.errors import FlowbookError, shown
from flowbook.parameters import Parameter
from flowbook.results.base import Result, filled_in
from flowbook.states import Cached, Failed, State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowbook.contexts import Frame
    from flowbook.engine.messages import AskKept
    from flowbook.engine.runner import Runner
    from flowbook.tasks.base import Task

__all__ = [
    "KeepingBody",
    "ResultNotWritten",
    "keeping_body",
    "look_for_kept",
    "place_of",
    "remember",
    "run_name",
    "store",
    "template_values",
]

# Not for the names of files: they are objects, not words, or are secret, or are made from a template themselves.
_NO_WORDS = {"caches", "config", "logger", "resume", "secrets", "task_run_name"}


class ResultNotWritten(FlowbookError, RuntimeError):
    """Say that a task did its work and its result could not be written.

    Attributes:
        value: the result, which would be lost otherwise.
        location: where it was to be written.

    """

    def __init__(self, message: str, value: Any = None, location: str = "") -> None:
        super().__init__(message)
        self.value = value
        self.location = location


# -- writing ---------------------------------------------------------------------------------------------------------


def place_of(task: Task, default: Result | None) -> Result | None:
    """Return where the results of a task are kept: as it says, else as its flow says, else in files for its target."""
    place: Result | None = task.result
    if place is None and not (task.auto_generated or isinstance(task, Parameter)):
        place = default
    if task.target is None:
        return place
    if place is None or type(place) is Result:
        from flowbook.results.local import LocalResult  # noqa: PLC0415 - loaded when something is kept in a file

        place = LocalResult(serializer=place.serializer if place is not None else None)
    else:
        place = place.copy()
    place.location = task.target
    return place


def is_kept(task: Task, default: Result | None) -> bool:
    """Tell whether a task has somewhere to write to; one that may not write still looks for its target."""
    place = place_of(task, default)
    return place is not None and place.is_writable and task.checkpoint is not False


def may_write(frame: Frame | None) -> bool:
    """Tell whether results are written: always where a task or its flow says where, unless it was switched off."""
    try:
        return frame is None or frame.lookup("checkpointing") is not False
    except KeyError:
        return True


def template_values(
    frame: Frame | None, defaults: Mapping[str, Any], inputs: Mapping[str, Any], task: Task | None = None
) -> dict[str, Any]:
    """Return what a template may name: the flow's parameters, above them the context, above both the inputs.

    Args:
        frame: answers for the task run.
        defaults: the parameters' defaults.
        inputs: what the body is called with.
        task: also name the task run by its ``task_run_name``.

    """
    there = frame.keys() if frame is not None else []
    known = {key: frame.lookup(key) for key in there if frame is not None and key not in _NO_WORDS}
    parameters = {**defaults, **(known.get("parameters") or {})}
    words = {key: value for key, value in known.items() if not key.startswith("_")}
    values = {**parameters, **words, "parameters": parameters, **inputs}
    if task is not None and task.task_run_name is not None:
        values.setdefault("task_run_name", filled_in(task.task_run_name, values))
    return values


def store(task: Task, value: Any, values: Mapping[str, Any], default: Result | None = None) -> Result | None:
    """Write what a task returned, unless it is None or the task has nowhere to write it.

    Args:
        task: the task.
        value: what it returned.
        values: what the location's template may name.
        default: where the flow keeps results.

    Returns:
        Where it is kept now.

    Raises:
        FlowError: the template cannot be filled in.
        FAIL: it could not be written; the state's result is a `ResultNotWritten` which has the value.

    """
    place = place_of(task, default) if is_kept(task, default) else None
    return None if place is None else _written(place.format(**values), value)


def _written(place: Result, value: Any) -> Result | None:
    if value is None:
        return None
    try:
        return place.write(value)
    except Exception as error:
        where = said(place.location, 200)
        message = (
            f"The task did its work, but its result could not be written to {where}: {said(error)}. "
            "The value is in state.result.value; mend the place and run again."
        )
        failed = ResultNotWritten(message, value, str(place.location))
        raise signals.FAIL(message, result=failed) from error


class KeepingBody:
    """The body of a task, which writes what the task returns.

    Args:
        task: the task.
        run: its own body.
        default: where the flow keeps results.
        defaults: the defaults of the flow's parameters, for templates.

    """

    def __init__(
        self, task: Task, run: Callable[..., Any], default: Result | None, defaults: Mapping[str, Any]
    ) -> None:
        self.task = task
        self.run = run
        self.default = default
        self.defaults = defaults

    @property
    def __func__(self) -> Any:
        """What the bodies of copies of one task have in common, as bound methods have it."""
        return getattr(self.run, "__func__", self.run)

    def __call__(self, **kwargs: Any) -> Any:
        """Call the body and write what it returns."""
        place = self.place(kwargs)
        try:
            value = self.run(**kwargs)
        except signals.SUCCESS as signal:
            _write_signal(place, signal)
            raise
        return _taken_down(place, value)

    def place(self, kwargs: dict[str, Any]) -> Result | None:
        """Return where to write to; worked out before the body runs, since that may change what it was given."""
        frame = current_frame()
        is_on = may_write(frame) and is_kept(self.task, self.default)
        if not is_on and self.task.task_run_name is None:
            return None
        values = template_values(frame, self.defaults, kwargs, self.task)
        place = place_of(self.task, self.default)
        return place.format(**values) if is_on and place is not None else None


class _AsyncKeepingBody(KeepingBody):
    async def __call__(self, **kwargs: Any) -> Any:
        """Await the body and write what it returns."""
        place = self.place(kwargs)
        try:
            made = self.run(**kwargs)
            value = await made if hasattr(made, "__await__") else made
        except signals.SUCCESS as signal:
            _write_signal(place, signal)
            raise
        return _taken_down(place, value)


def _taken_down(place: Result | None, value: Any) -> Any:
    written = None if place is None else _written(place, value)
    return value if written is None else Written(value, written.from_value(None))


def _write_signal(place: Result | None, signal: signals.SUCCESS) -> None:
    state = signal.state
    written = None if place is None or state.result is signal else _written(place, state.result)
    if written is not None:
        state._result = written.from_value(state.result)  # noqa: SLF001 - the reference API's name


def keeping_body(task: Task, default: Result | None, defaults: Mapping[str, Any]) -> Callable[..., Any]:
    """Return the body of a task; one that writes, when there is somewhere to write to or a run to be named."""
    run: Callable[..., Any] = task.run
    if task.task_run_name is None and not is_kept(task, default):
        return run
    kind = _AsyncKeepingBody if is_async(run) else KeepingBody
    return kind(task, run, default, defaults)


def run_name(frame: Frame, task: Task, defaults: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    """Return the name of a task run, from the template of its task.

    Raises:
        FlowError: the template cannot be filled in.

    """
    return str(template_values(frame, defaults, inputs, task)["task_run_name"])


# -- looking ---------------------------------------------------------------------------------------------------------


def look_for_kept(runner: Runner, question: AskKept) -> Kept:
    """Look for a kept result that may stand for a task run; whatever goes wrong in it ends in a state."""
    task = runner.described(question.task)
    try:
        given = runner.arguments(question.task)
        # an element that is on a worker is compared by what it is, not by where it is
        inputs = HashedInputs(
            {key: value.fetch() if isinstance(value, Holder) else value for key, value in given.items()}
        )
    except Exception:  # noqa: BLE001 - a mapped child's element cannot be taken: its attempt says so with all words
        return Kept()
    parameters = runner.all_parameters
    try:
        found = _found(runner, question, task, inputs, parameters)
    except (BodyStopped, RunInterrupted):
        raise
    except BaseException as error:  # noqa: BLE001 - a user's validator or store may raise anything; the run goes on
        message = f"A kept result of task {shown(task.name, 60)} could not be looked for: {said(error)}."
        return Kept(Failed(message, result=error), message)
    if found.state is None and task.cache_for is not None:
        return Kept(None, found.why, inputs.tokens, parameters)
    return found


def _found(runner: Runner, question: AskKept, task: Task, inputs: HashedInputs, parameters: dict[str, Any]) -> Kept:
    reasons: list[str] = []
    if isinstance(question.seed, Cached):
        if task.cache_validator(question.seed, inputs, parameters):
            return Kept(question.seed, "The cached state that the run began with still holds.")
        why = why_not(task.cache_validator, question.seed, inputs, parameters)
        reasons.append(f"the cached state that the run began with does not hold any more: {why}")
    if task.target is not None:
        state, why = _at_target(runner, task, inputs)
        if state is not None:
            return Kept(state, why)
        reasons.append(why)
    if task.cache_for is not None:
        is_child = runner.plan.map_index(question.task) is not None
        state, why = _in_cache(task, inputs, parameters, is_child=is_child)
        if state is not None:
            return Kept(state, why)
        reasons.append(why)
    return Kept(None, f"It ran because {', and '.join(reasons)}." if reasons else "")


def _at_target(runner: Runner, task: Task, inputs: HashedInputs) -> tuple[State | None, str]:
    values = template_values(current_frame(), runner.plan.defaults, inputs, task)
    place = place_of(task, runner.plan.flow.result)
    assert place is not None
    location = str(place.format(**values).location)
    if not place.exists(location):
        return None, f"its target {shown(location)} was not there"
    message = f"Result found at task target {shown(location)}."
    try:
        return Cached(message, result=place.read(location)), ""
    except Exception as error:
        raise FlowbookError(
            f"the target {shown(location)} is there, but cannot be read: {said(error)}. "
            "Remove it, and the task runs and writes it anew"
        ) from error


def _in_cache(
    task: Task, inputs: HashedInputs, parameters: dict[str, Any], *, is_child: bool
) -> tuple[State | None, str]:
    """Return the newest kept result that the validator takes, or say why there is none.

    A mapped child never takes what was kept for other elements, whatever its validator looks at: all children keep
    their results under one key.
    """
    key, validator = task.cache_key or task.name, task.cache_validator
    kept = _caches().get(key)
    if not kept:
        return None, f"nothing is kept under {shown(key)} yet"
    every = kept if isinstance(kept, Candidates) else Candidates(kept)
    is_narrowed = validator is all_inputs or (is_child and not looks_at_inputs(validator))
    fitting = every.with_inputs(inputs.tokens) if is_narrowed else every
    for candidate in reversed(fitting):
        if validator(candidate, inputs, parameters):
            until = candidate.cached_result_expiration
            holds = f", which holds until {until:%Y-%m-%d %H:%M:%S %Z}" if until is not None else ""
            message = f"Taken from the cache {shown(key)}{holds}."
            return _anew(candidate, message), ""
    if not fitting:
        return None, f"none of the {len(every)} results under {shown(key)} was made from these inputs"
    why = why_not(validator, fitting[-1], inputs, parameters)
    others = f" (the newest of {len(fitting)})" if len(fitting) > 1 else ""
    return None, f"the result under {shown(key)}{others} may not be taken: {why}"


def _anew(candidate: Any, message: str) -> Cached:
    """Return a state of its own with a kept result: two task runs are two moments."""
    return Cached(
        message,
        result=candidate.load_result()._result,  # noqa: SLF001 - the reference API's name
        hashed_inputs=candidate.hashed_inputs,
        cached_parameters=candidate.cached_parameters,
        cached_result_expiration=candidate.cached_result_expiration,
    )


def _caches() -> dict[str, Any]:
    found: dict[str, Any] | None = context.get("caches")
    return process_caches if found is None else found


# -- remembering -----------------------------------------------------------------------------------------------------

_remembering = threading.Lock()


def remember(runner: Runner) -> None:
    """Put what the tasks of a run keep into ``context.caches``; what has expired leaves it."""
    machine = runner.machine
    fresh: dict[str, list[Cached]] = {}
    for number in machine.kept:
        state, task = machine.states[number], runner.described(number)
        if task.cache_for is not None and isinstance(state, Cached) and state.cached_result_expiration is not None:
            fresh.setdefault(task.cache_key or task.name, []).append(state)
    if not fresh:
        return
    kept = _caches()
    with _remembering:  # runs may end side by side
        for key, states in fresh.items():
            kept[key] = _merged(kept.get(key) or (), states)


def _merged(before: Sequence[Any], fresh: Sequence[Cached]) -> Candidates:
    """Return the candidates of a key: of those with the same inputs and parameters the newest."""
    by_origin: dict[Any, Any] = {}
    tokens: dict[int, str] = {}  # all task runs of one run share their parameters
    for state in (*before, *fresh):
        if not is_expired(state):
            parameters = state.cached_parameters or {}
            if id(parameters) not in tokens:
                tokens[id(parameters)] = token(parameters)
            origin = (frozenset((state.hashed_inputs or {}).items()), tokens[id(parameters)])
            by_origin.pop(origin, None)  # the newest stands last
            by_origin[origin] = state
    return Candidates(by_origin.values())
