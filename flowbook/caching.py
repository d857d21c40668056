"""Caching: which results of earlier runs may stand for a task run, and who decides.

A *validator* is a function of ``(state, inputs, parameters)``: the kept `Cached` state, what the task would be called
with now, and the flow's parameters. It returns whether the kept result may be taken. All those here first look whether
it has expired.

>>> import datetime as dt
>>> from flowbook.states import Cached
>>> kept = Cached(result=3, hashed_inputs={"x": token(1)})
>>> all_inputs(kept, {"x": 1}, {}), all_inputs(kept, {"x": 2}, {})
(True, False)
>>> duration_only(Cached(cached_result_expiration=dt.datetime(2020, 1, 1)), {}, {})
False
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from flowbook.contexts import context
from flowbook.errors import shown
from flowbook.hashing import token

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import TypeAlias

    from flowbook.states import Cached

    Validator: TypeAlias = Callable[[Cached, dict[str, Any], dict[str, Any]], bool]

__all__ = [
    "Candidates",
    "HashedInputs",
    "all_inputs",
    "all_parameters",
    "duration_only",
    "is_expired",
    "looks_at_inputs",
    "never_use",
    "partial_inputs_only",
    "partial_parameters_only",
    "token",
    "why_not",
]


class HashedInputs(dict[str, Any]):
    """Inputs whose tokens are worked out once, however many kept results they are compared with."""

    _tokens: dict[str, str] | None = None

    @property
    def tokens(self) -> dict[str, str]:
        """The token of each input."""
        if self._tokens is None:
            self._tokens = {key: token(value) for key, value in self.items()}
        return self._tokens


def _tokens(inputs: Mapping[str, Any] | None) -> dict[str, str]:
    if isinstance(inputs, HashedInputs):
        return inputs.tokens
    return {key: token(value) for key, value in (inputs or {}).items()}


def now() -> dt.datetime:
    """Return the moment it is, by the clock of the run when there is one."""
    moment = context.get("_now")
    return dt.datetime.now(dt.timezone.utc) if moment is None else dt.datetime.fromtimestamp(moment, dt.timezone.utc)


def is_expired(state: Cached) -> bool:
    """Tell whether the time of a kept result is over; without an expiry it never is."""
    expires = state.cached_result_expiration
    return expires is not None and expires <= now()


# -- validators ------------------------------------------------------------------------------------------------------


def never_use(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:  # noqa: ARG001 - a validator
    """Never take a kept result. The default without ``cache_for``."""
    return False


def duration_only(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:  # noqa: ARG001 - likewise
    """Take a kept result until it expires, whatever the inputs are. The default with ``cache_for``."""
    return not is_expired(state)


def all_inputs(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:  # noqa: ARG001 - likewise
    """Take a kept result if every input is what it was."""
    return not is_expired(state) and (state.hashed_inputs or {}) == _tokens(inputs)


def all_parameters(state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:  # noqa: ARG001 - likewise
    """Take a kept result if every parameter of the flow is what it was."""
    return not is_expired(state) and _tokens(state.cached_parameters) == _tokens(parameters)


class partial_inputs_only:  # noqa: N801 - the reference API's name; a class, so that tasks can be pickled
    """Take a kept result if some inputs are what they were.

    Args:
        validate_on: their names; None looks at none of them.

    >>> partial_inputs_only(validate_on=["x"])
    partial_inputs_only(validate_on=['x'])

    """

    def __init__(self, validate_on: Iterable[str] | None = None) -> None:
        self.validate_on = _names(validate_on)

    def __call__(self, state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:  # noqa: ARG002 - a validator
        """Tell whether a kept result may be taken."""
        if is_expired(state):
            return False
        return self.validate_on is None or _agree(state.hashed_inputs or {}, _tokens(inputs), self.validate_on)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(validate_on={self.validate_on!r})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.validate_on or ())))


class partial_parameters_only(partial_inputs_only):  # noqa: N801 - likewise
    """Take a kept result if some parameters of the flow are what they were.

    Args:
        validate_on: their names; None looks at none of them.

    """

    def __call__(self, state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> bool:  # noqa: ARG002 - a validator
        """Tell whether a kept result may be taken."""
        if is_expired(state):
            return False
        kept = {key: value for key, value in (state.cached_parameters or {}).items() if key in (self.validate_on or ())}
        given = {key: value for key, value in (parameters or {}).items() if key in (self.validate_on or ())}
        return self.validate_on is None or _agree(_tokens(kept), _tokens(given), self.validate_on)


def _names(validate_on: Iterable[str] | None) -> list[str] | None:
    if isinstance(validate_on, str):
        raise TypeError(
            f"validate_on={shown(validate_on)} is one text; give a list: validate_on=[{shown(validate_on)}]."
        )
    return None if validate_on is None else list(validate_on)


def _agree(kept: Mapping[str, str], given: Mapping[str, str], names: Iterable[str]) -> bool:
    return all(kept.get(name) == given.get(name) for name in names)


def looks_at_inputs(validator: Validator) -> bool:
    """Tell whether a validator compares inputs; of one that is not from here it is believed."""
    return validator not in {never_use, duration_only, all_parameters} and not isinstance(
        validator, partial_parameters_only
    )


# -- candidates ------------------------------------------------------------------------------------------------------


class Candidates(list[Any]):
    """The kept states of one cache key, oldest first; found by their inputs without going through all of them."""

    _by_inputs: dict[frozenset[tuple[str, str]], list[Any]] | None = None
    _indexed = 0

    def with_inputs(self, tokens: Mapping[str, str]) -> list[Any]:
        """Return the states which were made from these inputs, oldest first."""
        if self._by_inputs is None or self._indexed != len(self):
            self._by_inputs, self._indexed = {}, len(self)
            for state in self:
                self._by_inputs.setdefault(_key(state.hashed_inputs or {}), []).append(state)
        return self._by_inputs.get(_key(tokens), [])


def _key(tokens: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(tokens.items())


def why_not(validator: Validator, state: Cached, inputs: dict[str, Any], parameters: dict[str, Any]) -> str:
    """Say why a validator refused a kept result, as the end of a sentence that begins with "because".

    >>> from flowbook.states import Cached
    >>> why_not(all_inputs, Cached(hashed_inputs={"x": token(1)}), {"x": 2}, {})
    'the input x is another one'

    """
    if validator is never_use:
        return "its validator never takes a kept result"
    if is_expired(state):
        return f"it expired at {state.cached_result_expiration:%Y-%m-%d %H:%M:%S %Z}"
    if validator is all_inputs or type(validator) is partial_inputs_only:
        return _differing("input", state.hashed_inputs or {}, _tokens(inputs))
    if validator is all_parameters or type(validator) is partial_parameters_only:
        return _differing("parameter", _tokens(state.cached_parameters), _tokens(parameters))
    return f"its validator {shown(getattr(validator, '__name__', validator), 40)} refused it"


_NAMED = 4


def _differing(what: str, kept: Mapping[str, str], given: Mapping[str, str]) -> str:
    names = [name for name in dict.fromkeys([*given, *kept]) if kept.get(name) != given.get(name)]
    listed = f"{', '.join(names[:_NAMED])}{' and more' if len(names) > _NAMED else ''}"
    return f"the {what} {listed} is another one" if len(names) == 1 else f"the {what}s {listed} are others"
