"""Show a run in its cell: one output, live while it goes on, lasting when it has ended.

The output is one MIME bundle under one display id. Our labextension draws our own MIME type and links itself to the
kernel; other hosts show the HTML. Where no labextension answers, the bundle gets a widget for as long as the run goes
on; at the end it is taken out again, so that a saved notebook never says "model not found". A kernel that hears nothing
while a cell runs (ipykernel 6) writes the whole output anew a few times a second instead.
"""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
import uuid
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from IPython import get_ipython
from IPython.display import publish_display_data

from flowbook.configuration import config
from flowbook.notebook.comms import register_targets
from flowbook.notebook.hub import Viewing, hub
from flowbook.tasks.core.function import FunctionTask
from flowbook.view.protocol import MIME
from flowbook.view.show import message_of, mime_bundle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flowbook.engine.flow_run import FlowRun

__all__ = ["show_run"]

# How long a labextension may take to answer before a widget is offered: it takes 10 to 160 ms.
_PATIENCE = 1.0
_SUBSHELLS = 7  # the first ipykernel that hears comms while a cell runs

# Between two writings of an output that nothing can feed.
_REFRESH = 0.4
_KEEP = 4.0
_KEPT_OFTEN = 50

NO_SUBSHELL_NOTICE = "This kernel hears buttons only after the cell; its own stop button acts at once."
WIDGET_NOTICE = "Buttons of this picture may only act after the cell; the notebook's own stop button acts at once."


class _Output:
    """The one output of a run in its cell."""

    def __init__(self, viewing: Viewing) -> None:
        self.viewing = viewing
        self.display_id = uuid.uuid4().hex
        # the cell this belongs to, for updates from other threads
        self.cell = contextvars.copy_context()
        self.widget: Any = None
        self.written = 0.0
        self.is_late = False
        self.is_refreshed_often = False
        self.writing = threading.RLock()  # what is written last must be the newest

    def bundle(self) -> dict[str, Any]:
        """Return what the output holds now."""
        viewing = self.viewing
        with viewing.lock:
            hub.tell(viewing)  # so that what follows is told as changes to this snapshot
            snapshot = viewing.feed.snapshot(viewing.clock.now())
            live = viewing.is_live
            message = message_of(viewing.flow, viewing.id, live=live, notice=viewing.notice if live else "")
            return mime_bundle(viewing.flow, snapshot, message, live=live, children=viewing.feed.samples())

    def show(self) -> None:
        """Put the output into the cell."""
        self._publish(self.bundle(), update=False)

    def turn_to(self, viewing: Viewing) -> None:
        """Show the next run of a schedule in the place of the one before."""
        self.viewing.refresh = _not_any_more
        self.viewing = viewing
        self.refresh(viewing)

    def flush(self) -> None:
        """Write what was put off: the schedule has ended."""
        with self.writing:
            if self.is_late:
                self._write()

    def refresh(self, viewing: Viewing) -> None:  # noqa: ARG002 - called with the run that changed, which is ours
        """Bring the output up to date: the run has ended, waits, or needs a widget.

        A schedule in virtual time has hundreds of runs in a moment: nobody could see them all, so some are left out.
        """
        if self.viewing.is_hurried and time.monotonic() < self.written + _REFRESH:
            if not self.is_late:
                self.is_late = True
                hub.later(_REFRESH, self.flush)
        else:
            self._write()

    def _write(self) -> None:
        with self.writing:
            self.is_late, self.written = False, time.monotonic()
            viewing = self.viewing
            bundle = self.bundle()
            is_fed = viewing.is_live and self.widget is not None and self.widget.viewing_id == viewing.id
            if is_fed:
                bundle = {**bundle, **_widget_view(self.widget)}
            self.cell.copy().run(self._publish, bundle, update=True)
            if self.widget is not None and not is_fed:
                self.widget.close()
                self.widget = None

    def offer_widget(self) -> None:
        """Show the run through a widget, because no labextension answered."""
        viewing = self.viewing
        if not viewing.is_live or viewing.was_asked.is_set() or self.widget is not None:
            return
        from flowbook.notebook.widget import RunWidget  # noqa: PLC0415 - loads ipywidgets: only where it is needed

        viewing.notice = WIDGET_NOTICE
        self.widget = RunWidget(viewing, self.bundle()[MIME])
        self.refresh(viewing)

    def refresh_often(self, seconds: float) -> None:
        """Bring the output up to date every few seconds, or a few times a second where no view can be fed.

        Args:
            seconds: between two writings, at the least.

        """
        self.is_refreshed_often = self.viewing.is_live
        if not self.viewing.is_live:
            return
        began = time.monotonic()
        self.refresh(self.viewing)
        # a large picture takes a while to write: never more than a tenth of the time
        hub.later(max(seconds, 10 * (time.monotonic() - began)), lambda: self.refresh_often(seconds))

    def _publish(self, bundle: dict[str, Any], *, update: bool) -> None:
        publish_display_data(bundle, transient={"display_id": self.display_id}, update=update)


def _widget_view(widget: Any) -> dict[str, Any]:
    return {
        "application/vnd.jupyter.widget-view+json": {
            "version_major": 2,
            "version_minor": 0,
            "model_id": widget.model_id,
        },
    }


def _has_subshells() -> bool:
    return int(version("ipykernel").split(".")[0]) >= _SUBSHELLS


def _needs_widget_at_once() -> bool:
    """Tell whether this host is known to have no labextensions."""
    return "google.colab" in sys.modules or "VSCODE_PID" in os.environ or "VSCODE_CWD" in os.environ


def _not_any_more(viewing: Viewing) -> None:
    """Refresh nothing: another run is shown in its place."""


def show_run(run: FlowRun, *, asked: bool = False, instead_of: FlowRun | None = None) -> None:
    """Show a run in the current cell, and keep it up to date until it ends.

    Args:
        run: a run that has not begun.
        asked: show it although the setting ``notebook.autoshow`` is off.
        instead_of: the run before it, of the same schedule, whose output it takes over.

    """
    if not (asked or config.notebook.autoshow):
        return
    viewing = Viewing(run)
    if instead_of is not None and isinstance(output := instead_of.shown_by, _Output):
        run.shown_in = instead_of.shown_in
        _follow(run, viewing, output)
        output.turn_to(viewing)
    else:
        register_targets()
        shell: Any = get_ipython()
        run.shown_in = getattr(shell, "execution_count", None)
        warn_of_newer_tasks(run, getattr(shell, "user_ns", {}))
        output = _Output(viewing)
        output.show()
        _follow(run, viewing, output)
    _keep_fresh(output)


def _follow(run: FlowRun, viewing: Viewing, output: _Output) -> None:
    run.shown_by = output
    viewing.refresh = output.refresh
    hub.follow(viewing)

    def changed(run: FlowRun) -> None:
        hub.settle(viewing, ended=run.state.is_finished())

    run.on_change(changed)


def _keep_fresh(output: _Output) -> None:
    """See that an output which no view can feed is written anew now and then."""
    viewing = output.viewing
    if viewing.is_hurried:
        return  # it is over before anything could be fed
    if _needs_widget_at_once():
        output.offer_widget()
    elif not _has_subshells():
        viewing.notice = NO_SUBSHELL_NOTICE
        if not output.is_refreshed_often:
            output.is_refreshed_often = True
            hub.later(_REFRESH, lambda: output.refresh_often(_REFRESH))
    elif not hub.has_linked:
        hub.later(_PATIENCE, output.offer_widget)
    if _has_subshells() and not output.is_refreshed_often:
        # A notebook that is saved in the middle of a run keeps a picture that is not long out of date. A page takes in
        # a whole output far slower than changes, so large pictures are written seldom: 1,000 nodes every 80 seconds.
        pause = _KEEP * max(1.0, viewing.feed.size / _KEPT_OFTEN)
        output.is_refreshed_often = True
        hub.later(pause, lambda: output.refresh_often(pause))


def warn_of_newer_tasks(run: FlowRun, namespace: Mapping[str, Any]) -> None:
    """Say when a task of the flow was defined again in the notebook after the flow was built: it runs as it was then.

    Args:
        run: the run.
        namespace: the notebook's names.

    """
    newer = []
    for task in run.runner.plan.tasks:
        function = task.run
        name = getattr(function, "__name__", "")
        now = namespace.get(name)
        if (
            not isinstance(now, FunctionTask)
            or getattr(function, "__module__", "") != "__main__"
            or now.run is function
        ):
            continue
        if getattr(now.run, "__code__", None) != getattr(function, "__code__", None) and name not in newer:
            newer.append(name)
    if newer:
        warnings.warn(
            f"{', '.join(newer[:5])} was defined again after this flow was built, and runs as it was then. "
            "Run the cell with `with Flow(...)` again to build the flow anew.",
            UserWarning,
            stacklevel=6,
        )
