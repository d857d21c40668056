/** Runs that go on, in JupyterLab's list of what is running; to shut one down is to cancel it. */

import { runTexts } from "../words";
import { share } from "./progress";
import { Bell } from "./bell";
import type { NotebookDesk } from "./desk";
import type { Desks } from "./desks";
import { isLive } from "./standing";

/** JupyterLab draws its whole list anew when it is told of a change, seen or not: the numbers in it move once a second. */
const PAUSE = 1000;

export function addRunning(
  managers: RunningManagers,
  desks: Desks,
  trans: { __(text: string): string },
  icon: unknown,
  show: (desk: NotebookDesk) => void,
): void {
  const runningChanged = new Bell();
  const live = (): NotebookDesk[] => desks.all().filter((desk) => isLive(desk.state));
  let listed: readonly NotebookDesk[] = [];
  let timer: ReturnType<typeof setTimeout> | null = null;
  const tell = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    listed = live();
    runningChanged.ring();
  };
  desks.changed.connect(() => {
    const now = live();
    const isOther = now.length !== listed.length || now.some((desk, place) => desk !== listed[place]);
    if (isOther) tell();
    else if (now.length > 0) timer ??= setTimeout(tell, PAUSE);
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
