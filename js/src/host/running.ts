/** Runs that go on, in JupyterLab's list of what is running; to shut one down is to cancel it. */

import { runTexts } from "../words";
import { share } from "./progress";
import { Bell } from "./bell";
import type { NotebookDesk } from "./desk";
import type { Desks } from "./desks";
import { isLive } from "./standing";

export function addRunning(
  managers: RunningManagers,
  desks: Desks,
  trans: { __(text: string): string },
  icon: unknown,
  show: (desk: NotebookDesk) => void,
): void {
  const runningChanged = new Bell();
  const live = (): NotebookDesk[] => desks.all().filter((desk) => isLive(desk.state));
  let listed = "";
  desks.changed.connect(() => {
    // The list is drawn anew whenever it is told to.
    const now = live().map((desk) => `${desk.title} ${share(desk.state.model)}`).join("\n");
    if (now === listed) return;
    listed = now;
    runningChanged.ring();
  });
  managers.add({
    name: trans.__("Flow Runs"),
    supportsMultipleViews: false,
    running: () =>
      live().map((desk) => ({
        open: () => show(desk),
        shutdown: () => desk.command("cancel"),
        icon: () => icon,
        label: () => `${share(desk.state.model)} · ${desk.state.model.picture?.flow ?? ""}`,
        labelTitle: () => `${desk.title}: ${runTexts(desk.state.model, Date.now() / 1000).state}`,
      })),
    shutdownAll: () => live().forEach((desk) => desk.command("cancel")),
    refreshRunning: () => undefined,
    runningChanged,
    shutdownLabel: trans.__("Cancel"),
    shutdownAllLabel: trans.__("Cancel All"),
    shutdownAllConfirmationText: () => trans.__("Cancel all flow runs?"),
  });
}
