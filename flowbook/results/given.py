"""Results that need no store: the value is written in the location, is constant, or is a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.errors import shown
from flowbook.results.base import Result
from flowbook.serializers import JSONSerializer, Serializer

if TYPE_CHECKING:
    from typing_extensions import Self

    from flowbook.tasks.base import Task

__all__ = ["ConstantResult", "FlowbookResult", "PrefectResult", "SecretResult"]


class PrefectResult(Result):
    """Keep a small value as JSON in the location itself, so that it goes wherever its state goes.

    >>> PrefectResult().write([1, 2]).location
    '[1, 2]'
    >>> PrefectResult().read("[1, 2]").value
    [1, 2]

    """

    def __init__(self, value: Any = None, location: Any = None, serializer: Serializer | None = None) -> None:
        super().__init__(value, location, serializer if serializer is not None else JSONSerializer())

    def read(self, location: str) -> Self:
        """Return the result of a JSON text."""
        made = self.from_value(self.serializer.deserialize(location.encode()))
        made.location = location
        return made

    def write(self, value_: Any, **context: Any) -> Self:  # noqa: ARG002 - a location is not looked for
        """Return the result whose location is the JSON text of a value."""
        made = self.from_value(value_)
        made.location = self.serializer.serialize(value_).decode()
        return made

    def exists(self, location: str, **context: Any) -> bool:  # noqa: ARG002 - likewise
        """Tell whether a text is JSON."""
        try:
            self.read(location)
        except ValueError:
            return False
        return True


# The reference API's name says whose result it is; here it is ours.
FlowbookResult = PrefectResult


class ConstantResult(Result):
    """Stand for a value that never changes and need not be kept.

    >>> ConstantResult(3).read("anywhere").value
    3

    """

    is_writable = False

    def __init__(self, value: Any = None, location: Any = None, serializer: Serializer | None = None) -> None:
        super().__init__(value, location, serializer)

    def read(self, location: str) -> Self:  # noqa: ARG002 - it is everywhere the same
        """Return the result itself."""
        return self

    def write(self, value_: Any, **context: Any) -> Self:  # noqa: ARG002 - always refused
        """Refuse: a constant is not written.

        Raises:
            ValueError: always.

        """
        raise ValueError(
            f"a ConstantResult keeps {shown(self.value)} and nothing else; {shown(value_)} was given to it."
        )

    def exists(self, location: str, **context: Any) -> bool:  # noqa: ARG002 - it is always there
        """Return True."""
        return True


class SecretResult(Result):
    """Stand for a secret, which is never written: reading it asks its task again.

    Args:
        secret_task: the task whose ``run`` returns the secret.
        location: as for `Result`; the name of the task when not given.

    """

    is_writable = False

    def __init__(self, secret_task: Task, location: Any = None) -> None:
        super().__init__(None, location if location is not None else secret_task.name)
        self.secret_task = secret_task

    def read(self, location: str) -> Self:
        """Return the result with the secret as its value."""
        made = self.from_value(self.secret_task.run())
        made.location = location
        return made

    def write(self, value_: Any, **context: Any) -> Self:  # noqa: ARG002 - always refused
        """Refuse: a secret is not written.

        Raises:
            ValueError: always; the message does not show the value.

        """
        raise ValueError("a secret is never written; its task is asked for it again when it is needed.")

    def exists(self, location: str, **context: Any) -> bool:  # noqa: ARG002 - it can always be asked for
        """Return True."""
        return True

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "value": None}  # nor is it written by whoever pickles this
