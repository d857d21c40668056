"""The widget: the same view through anywidget, for hosts without our labextension."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from flowbook.errors import FlowbookError
from flowbook.notebook.hub import hub

if TYPE_CHECKING:
    from flowbook.notebook.hub import Viewing

__all__ = ["RunWidget"]


def _script() -> str:
    place = files("flowbook.notebook").joinpath("static", "widget.js")
    if not place.is_file():
        msg = (
            "the browser part of flowbook is not built here (flowbook/notebook/static/widget.js is missing). "
            "Install the package with pip, or run .ci/install in a checkout."
        )
        raise FlowbookError(msg)
    return place.read_text("utf-8")


class RunWidget(anywidget.AnyWidget):
    """A live view of one run.

    Args:
        viewing: the run.
        bundle: what it shows at first.

    """

    _esm = traitlets.Unicode().tag(sync=True)
    bundle = traitlets.Dict().tag(sync=True)

    def __init__(self, viewing: Viewing, bundle: dict[str, Any]) -> None:
        super().__init__(bundle=bundle, _esm=_script())
        self.viewing_id = viewing.id
        self.on_msg(self._hear)
        _answer_on_the_asking_shell(self.comm)
        self.channel = str(self.model_id)
        hub.link(self.channel, self)

    def _hear(self, _widget: object, content: object, _buffers: object) -> None:
        hub.hear(content)

    def close(self) -> None:
        """Forget the browser's side."""
        hub.unlink(self.channel)  # also called at the end of the kernel, when the comm is gone
        super().close()


def _answer_on_the_asking_shell(comm: Any) -> None:
    """Let ipykernel 7.4 hear this comm on the shell that the browser chose, while the main shell is busy.

    That version sends a browser's messages to the shell from which the kernel last wrote on the comm, which for a
    widget is the blocked main shell. The name is private: where it is missing, nothing is changed.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default  # noqa: ARG005, SLF001 - replaced for this comm alone
