"""Ask web servers, through httpx (the extra ``http``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flowbook.errors import nearest, shown
from flowbook.signals import FAIL
from flowbook.tasks.base import Task
from flowbook.tasks.given import check_given, import_hint
from flowbook.utilities.tasks import defaults_from_attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HTTPGet", "HTTPPost"]

_RETURNS = ("bytes", "json", "response", "text")

# So much of an answer is in the message of a failure.
_SHOWN = 200

_OPTIONS = ("url", "params", "headers", "auth", "returns", "give_up_after")


class HTTPGet(Task):
    """Get what is at a URL, and return it.

    Redirects are followed. An answer with a status of 400 or above fails the task, and is retried as any failure is
    (`max_retries`). Neither the query of the URL nor a password in it is in the message.

    Args:
        url: where.
        params: the query, by name.
        headers: more headers, by name.
        auth: name and password.
        returns: ``text``, ``json`` for what the JSON means, ``bytes``, or ``response`` for the ``httpx.Response``.
        give_up_after: seconds in which something must come from the server each time it is waited for. (``timeout``
            is the time of a whole attempt, as for all tasks.)
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: there is no URL, or what to return is not known.
        ImportError: httpx is not installed (the extra ``http``).
        httpx.HTTPError: the server cannot be reached.
        flowbook.signals.FAIL: the server said no; the result is the ``httpx.Response``.

    """

    def __init__(
        self,
        url: str = "",
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        returns: str = "text",
        give_up_after: float = 30.0,
        **kwargs: Any,
    ) -> None:
        self.url = url
        self.params = params
        self.headers = headers
        self.auth = auth
        self.returns = _checked(returns)
        self.give_up_after = give_up_after
        super().__init__(**kwargs)

    @defaults_from_attrs(*_OPTIONS)
    def run(
        self,
        url: str = "",
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        returns: str = "text",
        give_up_after: float = 30.0,
    ) -> Any:
        """Get it; see the class."""
        check_given(self, url=url)
        options = {"params": params, "headers": headers, "auth": auth, "timeout": give_up_after}
        return _asked("GET", url, _checked(returns), options)


class HTTPPost(Task):
    """Send something to a URL, and return the answer.

    Args:
        url: where.
        json: a value to send as JSON.
        data: a form to send, by field; or bytes or a text to send as they are.
        params: the query, by name.
        headers: more headers, by name.
        auth: name and password.
        returns: as for `HTTPGet`.
        give_up_after: as for `HTTPGet`.
        **kwargs: as for `flowbook.Task`.

    Raises:
        ValueError: as for `HTTPGet`; or both `json` and `data` are given.
        ImportError: as for `HTTPGet`.
        httpx.HTTPError: as for `HTTPGet`.
        flowbook.signals.FAIL: as for `HTTPGet`.

    """

    def __init__(
        self,
        url: str = "",
        json: Any = None,
        data: Mapping[str, Any] | bytes | str | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        returns: str = "text",
        give_up_after: float = 30.0,
        **kwargs: Any,
    ) -> None:
        self.url = url
        self.json = json
        self.data = data
        self.params = params
        self.headers = headers
        self.auth = auth
        self.returns = _checked(returns)
        self.give_up_after = give_up_after
        super().__init__(**kwargs)

    @defaults_from_attrs("json", "data", *_OPTIONS)
    def run(
        self,
        url: str = "",
        json: Any = None,
        data: Mapping[str, Any] | bytes | str | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        returns: str = "text",
        give_up_after: float = 30.0,
    ) -> Any:
        """Send it; see the class."""
        check_given(self, url=url)
        if json is not None and data is not None:
            raise ValueError(f"task {shown(self.name)} was given both json and data to send; give one of them.")
        body = {"content" if isinstance(data, (bytes, str)) else "data": data}
        options = {"params": params, "headers": headers, "auth": auth, "timeout": give_up_after, "json": json, **body}
        return _asked("POST", url, _checked(returns), options)


def _checked(returns: str) -> str:
    if returns not in _RETURNS:
        raise ValueError(f"returns={shown(returns)} is not known.{nearest(returns, _RETURNS)} Known: {_RETURNS}.")
    return returns


def _asked(verb: str, url: str, returns: str, options: dict[str, Any]) -> Any:
    """Ask, and return the answer in the form that is wanted."""
    try:
        import httpx  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ImportError(import_hint(f"HTTP{verb.title()}", "httpx", "http")) from error

    given = {name: value for name, value in options.items() if value is not None}
    response = httpx.request(verb, url, follow_redirects=True, **given)
    if response.is_error:
        bare = response.url.copy_with(query=None, userinfo=b"")
        words = f": {shown(response.text, _SHOWN)}" if response.content else ""
        raise FAIL(f"{verb} {bare}: {response.status_code} {response.reason_phrase}{words}", result=response)
    if returns == "response":
        return response
    if returns == "json":
        return response.json()
    return response.content if returns == "bytes" else response.text
