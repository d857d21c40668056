"""Secret tasks: their results are handed on to other tasks and shown nowhere."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from flowbook.client.secrets import Secret as _Secret
from flowbook.errors import shown
from flowbook.redaction import hide
from flowbook.tasks.base import Task
from flowbook.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EnvVarSecret", "PrefectSecret", "Secret", "SecretBase"]


class SecretBase(Task):
    """Base of tasks whose result is a secret: derive from it and define ``run``.

    What ``run`` returns is masked in all text that flowbook makes, is never written to a result, and is asked for again
    when a run starts from an earlier one.

    Args:
        **kwargs: as for `Task`.

    """

    sensitive = True
    runs_anew = True

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "checkpoint": False})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "run" in cls.__dict__:
            cls.run = _hiding(cls.run)  # type: ignore[method-assign]  # the same body, which tells what it gives
        super().__init_subclass__(**kwargs)


def _hiding(run: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(run)
    def hidden(self: Any, *args: Any, **kwargs: Any) -> Any:
        return hide(run(self, *args, **kwargs))

    return hidden


class PrefectSecret(SecretBase):
    """Look up a secret by name, as `flowbook.client.Secret` does.

    Args:
        name: of the secret, and of the task.
        **kwargs: as for `Task`.

    >>> from flowbook import Flow, task
    >>> with Flow("secretive") as flow:
    ...     size = task(lambda token: len(token))(PrefectSecret("TOKEN"))
    >>> flow.run(context={"secrets": {"TOKEN": "battery staple"}}, show=False).result[size].result
    14

    """

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        self.secret_name = name
        super().__init__(name=name, **kwargs)

    @defaults_from_attrs("secret_name")
    def run(self, secret_name: str | None = None) -> Any:
        """Return the secret.

        Raises:
            ValueError: no name was given, or there is no such secret.

        """
        if not secret_name:
            raise ValueError("a secret needs a name: PrefectSecret('PASSWORD').")
        return _Secret(secret_name).get()


class EnvVarSecret(SecretBase):
    """Read a secret from an environment variable.

    Args:
        name: of the variable, and of the task.
        raise_if_missing: fail when there is no such variable; None is the result otherwise.
        cast: turns the text into the value.
        **kwargs: as for `Task`.

    """

    def __init__(
        self,
        name: str | None = None,
        raise_if_missing: bool = False,  # noqa: FBT001, FBT002 - the reference API takes it by position
        cast: Callable[[str], Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.env_var = name
        self.raise_if_missing = raise_if_missing
        self.cast = cast
        super().__init__(name=name, **kwargs)

    @defaults_from_attrs("env_var")
    def run(self, env_var: str | None = None) -> Any:
        """Return the value of the variable.

        Raises:
            ValueError: no name was given, or the variable is missing and must not be.

        """
        if not env_var:
            raise ValueError("an environment variable needs a name: EnvVarSecret('PASSWORD').")
        text = os.environ.get(env_var)
        if text is None:
            if self.raise_if_missing:
                raise ValueError(f"Environment variable not set: {shown(env_var)[1:-1]}. Set it before the run.")
            return None
        return text if self.cast is None else self.cast(hide(text))


# Its earlier name.
Secret = PrefectSecret
