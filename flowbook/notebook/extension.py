"""What ``%load_ext flowbook`` loads, and the flow of the cells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython import get_ipython

from flowbook.errors import FlowError
from flowbook.notebook.book import notebook
from flowbook.notebook.comms import register_targets
from flowbook.notebook.magics import FlowbookMagics

if TYPE_CHECKING:
    from flowbook.flows import Flow

__all__ = ["current", "load"]


def load(shell: Any) -> None:
    """Register the magics in a shell, and let its page ask about the flow of its cells."""
    shell.register_magics(FlowbookMagics(shell))
    if getattr(shell, "kernel", None) is not None:
        register_targets()
        shell.events.register("pre_run_cell", lambda _info: _delete(shell))


def _delete(shell: Any) -> None:
    """Forget the cells that JupyterLab says were deleted since something ran last."""
    said = shell.kernel.get_parent("shell").get("metadata", {}).get("deletedCells") or ()
    notebook(shell.user_ns).delete(str(one) for one in said)


def current(flow: str) -> Flow:
    """Return the flow that the task cells of the running notebook make.

    Raises:
        FlowError: there are no such cells, or no notebook.

    """
    shell = get_ipython()
    if shell is None:
        msg = (
            "flowbook.current() gives the flow of a notebook's %%task cells; here is no notebook. Use `with Flow(...)`."
        )
        raise FlowError(msg)
    return notebook(shell.user_ns).flow(flow)
