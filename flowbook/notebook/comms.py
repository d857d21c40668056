"""The two comms of our labextension, both opened by the browser over a subshell.

On the command comm only the browser writes, on the feed comm only the kernel. ipykernel 7.4 sends a browser's messages
on a comm to the shell from which the kernel last *wrote* on that comm; since we never write on the command comm, a
click on Cancel is heard while the main shell is busy with a cell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comm import get_comm_manager

from flowbook.notebook.hub import hub
from flowbook.view.protocol import COMMAND_TARGET, FEED_TARGET

if TYPE_CHECKING:
    from comm.base_comm import BaseComm

__all__ = ["register_targets"]

_registered: list[bool] = []


class _Feed:
    """The channel over a feed comm."""

    def __init__(self, comm: BaseComm) -> None:
        self._comm = comm

    def send(self, message: dict[str, Any]) -> None:
        """Send one encoded message."""
        self._comm.send(message)


def _on_feed(comm: BaseComm, message: dict[str, Any]) -> None:  # noqa: ARG001 - a comm target's signature
    name = str(comm.comm_id)
    comm.on_close(lambda _: hub.unlink(name))
    hub.link(name, _Feed(comm))


def _on_command(comm: BaseComm, message: dict[str, Any]) -> None:
    comm.on_msg(lambda received: hub.hear(received["content"]["data"]))
    hub.hear(message["content"]["data"])  # the browser's hello


def register_targets() -> None:
    """Let browsers open our comms; once per kernel."""
    if _registered:
        return
    manager = get_comm_manager()
    manager.register_target(COMMAND_TARGET, _on_command)
    manager.register_target(FEED_TARGET, _on_feed)
    _registered.append(True)
