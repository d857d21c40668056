"""Secrets: values that are looked up by name and shown nowhere."""

from __future__ import annotations

import json
from typing import Any

from flowbook.contexts import context
from flowbook.errors import nearest, shown
from flowbook.redaction import hide

__all__ = ["Secret"]


class Secret:
    """A value that is looked up when it is needed, by name: in the context, the environment, the settings file.

    Args:
        name: how it is called.

    >>> with context(secrets={"PHRASE": "battery staple"}):
    ...     Secret("PHRASE").get() == "battery staple", f"{context.secrets}"
    (True, "{'PHRASE': '***'}")

    """

    def __init__(self, name: str) -> None:
        if not name or not isinstance(name, str):
            raise TypeError(f"a secret has a name, not {shown(name)}: Secret('PASSWORD').")
        self.name = name

    def exists(self) -> bool:
        """Return whether the secret can be looked up."""
        return self._key(context.get("secrets") or {}) is not None

    def get(self) -> Any:
        """Return the value; from now on flowbook masks it in all text that it makes.

        A text that is a JSON object or list is read as such.

        Raises:
            ValueError: there is no secret of that name.

        """
        secrets = context.get("secrets") or {}
        key = self._key(secrets)
        if key is None:
            raise ValueError(
                f"Local Secret {shown(self.name)} was not found.{nearest(self.name, secrets)} Set the environment "
                f"variable FLOWBOOK__CONTEXT__SECRETS__{self.name}, or run inside "
                f"`with flowbook.context(secrets={{{self.name!r}: ...}})`."
            )
        value = secrets[key]
        return hide(_read(value)) if isinstance(value, str) else value

    def _key(self, secrets: dict[str, Any]) -> str | None:
        if self.name in secrets:
            return self.name
        # some systems write all names of variables in capitals
        return next((key for key in secrets if key.upper() == self.name.upper()), None)

    def __repr__(self) -> str:
        return f"<Secret: {self.name}>"


def _read(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
