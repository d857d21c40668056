"""The options of a task, checked when they are given: each error names the value, the rule and the next step."""

from __future__ import annotations

import datetime as dt
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

from flowbook.caching import duration_only, never_use
from flowbook.configuration import config
from flowbook.errors import nearest, shown
from flowbook.results.base import Result
from flowbook.triggers import __all__ as trigger_names
from flowbook.triggers import all_successful, some_failed, some_successful

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from flowbook.caching import Validator
    from flowbook.edges import Edge
    from flowbook.states import State

    Trigger = Callable[[dict[Edge, State]], Any]
    StateHandler = Callable[[Any, State, State], State | None]

__all__ = ["CHECKS", "check_retries", "checked_handlers", "checked_tags", "warn_unused"]


def checked_name(name: object, otherwise: str) -> str:
    """Return the name, or `otherwise` when there is none."""
    if name is None or name == "":
        return otherwise
    if isinstance(name, str):
        return name
    raise TypeError(f"name={shown(name)} is not a text: name={shown(str(name))}.")


def checked_tags(tags: Iterable[str] | None) -> set[str]:
    """Return a set of its own."""
    if isinstance(tags, str):
        raise TypeError(f"tags={shown(tags)} is one text; give a list or a set of texts: tags=[{shown(tags)}].")
    made = set(tags or ())
    for tag in made:
        if not isinstance(tag, str):
            raise TypeError(
                f"tags={shown(tags)} holds {shown(tag)}, which is not a text. A tag is a word: tags=['slow']."
            )
    return made


def checked_trigger(trigger: Trigger | None) -> Trigger:
    """Return the trigger, or the default one."""
    if trigger is None:
        return all_successful
    unbound: tuple[object, ...] = (some_failed, some_successful)
    if trigger in unbound:
        name = getattr(trigger, "__name__", "")
        raise TypeError(
            f"trigger={name} has no bounds yet; it makes a trigger when it is called: trigger={name}(at_least=1)."
        )
    if not callable(trigger):
        raise TypeError(
            f"trigger={shown(trigger)} is not a function.{_nearest_trigger(trigger)} "
            "Use one of flowbook.triggers, or a function of a dict of Edge to State."
        )
    return trigger


def _nearest_trigger(trigger: object) -> str:
    """Offer the function for a trigger that was given by its name."""
    return nearest(str(trigger), trigger_names).replace("Did you mean '", "Did you mean 'triggers.")


def checked_retries(max_retries: int | None) -> int:
    """Return how often a failed attempt is repeated, by default as configured."""
    count = config.tasks.defaults.max_retries if max_retries is None else max_retries
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"max_retries={shown(count)} is not a whole number, for instance max_retries=2.")
    if count < 0:
        raise ValueError(f"max_retries={count} is below 0; say 0 for no second attempt.")
    return count


def checked_delay(delay: dt.timedelta | None) -> dt.timedelta | None:
    """Return the time between attempts, by default as configured (there also as seconds)."""
    if delay is None:
        default: dt.timedelta | float | None = config.tasks.defaults.retry_delay
        return dt.timedelta(seconds=default) if isinstance(default, (int, float)) else default
    if not isinstance(delay, dt.timedelta):
        raise TypeError(
            f"retry_delay={shown(delay)} is not a timedelta, for instance retry_delay=timedelta(seconds=10)."
        )
    if delay < dt.timedelta():
        raise ValueError(f"retry_delay={shown(delay)} is negative; a new attempt can only come later.")
    return delay


def checked_retry_on(retry_on: Any) -> tuple[type[BaseException], ...] | None:
    """Return a tuple of exception classes, or None for all of them."""
    if retry_on is None:
        return None
    single = isinstance(retry_on, (type, BaseException, str)) or not hasattr(retry_on, "__iter__")
    kinds = (retry_on,) if single else tuple(retry_on)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise TypeError(
                f"retry_on takes exception classes, not {shown(kind)}; for instance retry_on=[ConnectionError]."
            )
    return kinds


def warn_unused(owner: str, **given: object) -> None:
    """Say which of the given options have no effect yet; a flow written with them still builds."""
    unused = [name for name, value in given.items() if value is not None]
    if unused:
        warnings.warn(
            f"{', '.join(unused)} of {owner} has no effect in this version of flowbook; the rest works as written.",
            UserWarning,
            stacklevel=4,
        )


def check_retries(
    max_retries: int,
    retry_delay: dt.timedelta | None,
    given: Collection[str],
) -> None:
    """Check that the options about retries make sense together.

    Args:
        max_retries: as it is now.
        retry_delay: likewise.
        given: the names of the options somebody just gave; defaults may stay unused.

    Raises:
        ValueError: retries without a delay, or options about retries without any.

    """
    if max_retries and retry_delay is None:
        raise ValueError(
            f"max_retries={max_retries} needs a retry_delay, for instance retry_delay=timedelta(seconds=10)."
        )
    for name in ("retry_delay", "retry_on"):
        if name in given and not max_retries:
            raise ValueError(f"{name} needs max_retries of at least 1: without a new attempt it says nothing.")


def checked_timeout(timeout: int | dt.timedelta | None) -> int | None:
    """Return whole seconds, by default as configured."""
    if timeout is None:
        timeout = config.tasks.defaults.timeout
    if timeout is None:
        return None
    seconds: object = timeout
    if isinstance(timeout, dt.timedelta):
        seconds = int(timeout.total_seconds())
        if timeout.microseconds:
            warnings.warn(f"timeout={timeout!r} is cut to whole seconds: {seconds}.", UserWarning, stacklevel=4)
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise TypeError(f"timeout={shown(timeout)} must be a whole number of seconds or a timedelta.")
    if seconds < 1:
        raise ValueError(
            f"timeout={shown(timeout)} leaves no time at all; it must be at least one second, or None for no limit."
        )
    return seconds


def checked_handlers(handlers: Any, on_failure: Callable[[Any, State], Any] | None = None) -> list[StateHandler]:
    """Return a list of its own, with `on_failure` at its end."""
    if handlers is not None and (callable(handlers) or not isinstance(handlers, (list, tuple))):
        raise TypeError(f"state_handlers={shown(handlers)} must be a list of functions: state_handlers=[handler].")
    made = list(handlers or ())
    for handler in made if on_failure is None else [*made, on_failure]:
        if not callable(handler):
            raise TypeError(
                f"{shown(handler)} cannot handle states: it is not a function of (task, old_state, new_state)."
            )
    if on_failure is not None:
        made.append(FailureHandler(on_failure))
    return made


def checked_nout(nout: int | None) -> int | None:
    """Return how many results there are, or None when that is not known."""
    number: object = nout
    if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
        raise TypeError(f"nout={shown(nout)} is not a whole number, for instance nout=2 for `a, b = task()`.")
    if nout is not None and nout < 0:
        raise ValueError(f"nout={nout} is below 0; say how many results there are, or None when that is not known.")
    return nout


def checked_cache_for(cache_for: dt.timedelta | None) -> dt.timedelta | None:
    """Return how long a result may stand for later runs, or None for not at all."""
    if cache_for is not None and not isinstance(cache_for, dt.timedelta):
        raise TypeError(f"cache_for={shown(cache_for)} is not a timedelta, for instance cache_for=timedelta(hours=1).")
    if cache_for is not None and cache_for < dt.timedelta():
        raise ValueError(f"cache_for={shown(cache_for)} is negative; a result can only be kept for some time to come.")
    return cache_for


def checked_cache_key(cache_key: str | None) -> str | None:
    """Return the name under which results are kept, or None for the task's own name."""
    if cache_key is not None and not isinstance(cache_key, str):
        raise TypeError(f"cache_key={shown(cache_key)} is not a text: cache_key={shown(str(cache_key))}.")
    return cache_key


def checked_validator(validator: Validator | None, cache_for: dt.timedelta | None, owner: str) -> Validator:
    """Return the function that decides about kept results; the default one depends on whether any are kept."""
    if validator is None:
        return never_use if cache_for is None else duration_only
    looked_at: object = validator
    if isinstance(looked_at, type) or not callable(looked_at):
        hint = " Call it first: partial_inputs_only(validate_on=[...])." if isinstance(validator, type) else ""
        raise TypeError(
            f"cache_validator={shown(validator)} is not a function of (state, inputs, parameters).{hint} "
            "Use one of flowbook.caching."
        )
    if cache_for is None and validator is not never_use:
        warnings.warn(
            f"{owner} has a cache_validator and no cache_for, so nothing is kept that it could decide about. "
            "Say how long results are kept, for instance cache_for=timedelta(hours=1).",
            UserWarning,
            stacklevel=4,
        )
    return validator


def checked_result(result: object) -> Result | None:
    """Return where results are kept, or None."""
    if result is not None and not isinstance(result, Result):
        raise TypeError(
            f"result={shown(result)} does not say where results are kept. Use one of flowbook.results, "
            "for instance result=LocalResult('results')."
        )
    return result


def checked_template(name: str, template: Any) -> Any:
    """Return a template, a function that makes a text, or None."""
    if template is not None and not isinstance(template, str) and not callable(template):
        raise TypeError(f"{name}={shown(template)} is neither a text with {{names}} nor a function that returns one.")
    return template


def placed(result: Result | None, target: Any, owner: str) -> Result | None:
    """Return where results are kept: at the target, when there is one."""
    if result is None or target is None:
        return result
    if result.location is not None and result.location != target:
        warnings.warn(
            f"{owner} has a target and a result with a location; the target is used. Leave one of the two out.",
            UserWarning,
            stacklevel=4,
        )
    made = result.copy()
    made.location = target
    return made


# What must hold for an attribute that is set on a copy: t(1, task_args={"max_retries": 3, ...}).
CHECKS: dict[str, Callable[[Any], Any]] = {
    "tags": checked_tags,
    "trigger": checked_trigger,
    "max_retries": checked_retries,
    "retry_delay": checked_delay,
    "retry_on": checked_retry_on,
    "timeout": checked_timeout,
    "state_handlers": checked_handlers,
    "nout": checked_nout,
    "cache_for": checked_cache_for,
    "cache_key": checked_cache_key,
    "result": checked_result,
    "target": partial(checked_template, "target"),
    "task_run_name": partial(checked_template, "task_run_name"),
}


def missing_attribute(task: object, name: str) -> AttributeError:
    """Return what to raise when a task lacks an attribute, above all because its class never made it a task."""
    kind, has = type(task).__name__, object.__getattribute__(task, "__dict__")
    if name.startswith("__") or "name" in has or name not in {"_tags", "name", "slug", "nout", *CHECKS}:
        return AttributeError(f"{kind!r} object has no attribute {name!r}")
    return AttributeError(
        f"{kind} has no {name.strip('_')} yet: its __init__ does not call super().__init__(), which makes it a task. "
        f"Write super().__init__(**kwargs) in {kind}.__init__."
    )


class FailureHandler:
    """Turn ``on_failure(task, state)`` into a state handler; a class, so that tasks can be pickled."""

    def __init__(self, function: Callable[[Any, State], Any]) -> None:
        self.function = function

    def __call__(self, subject: Any, old: State, new: State) -> State | None:  # noqa: ARG002 - a state handler's signature
        """Call the function when the new state is a failure."""
        if new.is_failed():
            self.function(subject, new)
        return None
