"""The shelf: what task cells printed and showed, and the results that are kept while code and inputs are unchanged."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

from flowbook.notebook.outputs import Outputs, collecting, current_outputs, uncollected
from flowbook.notebook.prompts import next_prompt

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

__all__ = ["Passing", "Shelf", "show_value"]


class Passing(Outputs):
    """Outputs that are kept, and shown as well where they would have been shown without us.

    Args:
        publisher: the display publisher of the IPython of this process, when it has one.

    """

    def __init__(self, publisher: Any = None) -> None:
        super().__init__()
        self.publisher = publisher

    def write(self, stream: str, text: str) -> None:
        """Take what was written to "stdout" or "stderr"."""
        super().write(stream, text)
        with uncollected():
            getattr(sys, stream).write(text)

    def show(self, data: dict[str, Any], metadata: dict[str, Any] | None, transient: dict[str, Any] | None) -> None:
        """Take what ``display`` showed."""
        super().show(data, metadata, transient)
        if self.publisher is not None:
            with uncollected():
                self.publisher.publish(data, metadata, transient=transient)

    def update(self, data: dict[str, Any], metadata: dict[str, Any] | None, display_id: str) -> bool:
        """Replace what was shown under a display id; return whether this cell had any."""
        is_ours = super().update(data, metadata, display_id)
        if self.publisher is not None and is_ours:
            with uncollected():
                self.publisher.publish(data, metadata, transient={"display_id": display_id}, update=True)
        return is_ours

    def clear(self, *, wait: bool = False) -> None:
        """Forget all outputs so far, or when the next one comes."""
        super().clear(wait=wait)
        if self.publisher is not None:
            with uncollected():
                self.publisher.clear_output(wait)


def show_value(value: Any) -> None:
    """Show the value of a cell's last expression, as a notebook does."""
    outputs = current_outputs()
    if isinstance(outputs, Passing) or outputs is None:
        with uncollected():
            sys.displayhook(value)
    if outputs is None or value is None:
        return
    shell = _shell()
    data, metadata = shell.display_formatter.format(value) if shell is not None else ({}, {})
    count = getattr(shell, "execution_count", None) or 0 if outputs.count is None else outputs.count
    item = (data or {"text/plain": repr(value)}, metadata, count)
    Outputs.result(outputs, *item)


def _shell() -> Any:
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None


class Shelf:
    """What cells left behind, by cell id.

    Args:
        publisher: returns the display publisher of the IPython of this process, or None.

    Attributes:
        outputs: what each printed and showed when it ran last.
        shown: the cell below which we are now, whose outputs are shown at once.
        changed: called with the id of another cell whenever its outputs have changed; on whatever thread.

    """

    def __init__(self, publisher: Callable[[], Any] = lambda: None) -> None:
        self.publisher = publisher
        self.outputs: dict[str, Outputs] = {}
        self.shown = ""
        self.changed: Callable[[str], object] = str  # nobody is told
        self._kept: dict[str, tuple[str, float, bytes]] = {}

    @contextlib.contextmanager
    def recording(self, cell_id: str, source: str = "") -> Iterator[None]:
        """Keep what a cell prints and shows while it runs; an earlier attempt's is let go."""
        publisher = self.publisher()
        is_shown = cell_id == self.shown
        outputs = Passing(publisher) if is_shown else Outputs(changed=lambda: self.changed(cell_id))
        self.outputs[cell_id] = outputs
        if not is_shown:
            shell = _shell()
            outputs.count = next_prompt(shell, source) if shell is not None and source else None
            self.changed(cell_id)
        with collecting(outputs, publisher):
            try:
                yield
            finally:
                # as after each cell of a kernel: figures belong to the cell that drew them
                backend = sys.modules.get("matplotlib_inline.backend_inline")
                if backend is not None and publisher is not None:
                    backend.flush_figures()

    def text(self, cell_id: str) -> str:
        """Return what a cell printed and showed when it ran last, as text."""
        made = self.outputs.get(cell_id)
        found = []
        for item in made.saved() if made is not None else ():
            words = item.get("text") or item.get("data", {}).get("text/plain", "")
            found.append(words if words.endswith("\n") or not words else words + "\n")
        return "".join(found)

    def show_again(self, cell_id: str) -> None:
        """Show what a cell printed and showed when it ran last."""
        made, publisher = self.outputs.get(cell_id), self.publisher()
        for item in made.saved() if made is not None else ():
            if item["output_type"] == "stream":
                getattr(sys, item["name"]).write(item["text"])
            elif publisher is not None:
                publisher.publish(item["data"], item["metadata"])

    def keep(self, cell_id: str, fingerprint: str, made: dict[str, Any]) -> bool:
        """Keep what a cell made, as it is now: later changes of the objects do not reach it.

        Returns:
            Whether it could be kept.

        """
        import cloudpickle  # noqa: PLC0415 - only for cells with --cache

        try:
            data = cloudpickle.dumps(dict(made))
        except Exception:  # noqa: BLE001 - whatever an object raises when it is pickled: it is not kept
            self._kept.pop(cell_id, None)
            return False
        self._kept[cell_id] = (fingerprint, time.monotonic(), data)
        return True

    def taken(self, cell_id: str, fingerprint: str, lasts: dt.timedelta) -> dict[str, Any] | None:
        """Return what a cell made of the same code and inputs, not longer ago than said, or None."""
        import cloudpickle  # noqa: PLC0415 - only for cells with --cache

        known, at, data = self._kept.get(cell_id, ("", 0.0, b""))
        if known != fingerprint or time.monotonic() - at > lasts.total_seconds():
            return None
        made: dict[str, Any] = cloudpickle.loads(data)
        return made
