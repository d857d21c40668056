/** Tells a person who looks elsewhere that a run has ended: a sign at the notebook's tab, and one notification. */

import { familyOf, glyphOf } from "../model";
import { summary } from "../words";
import type { Ending } from "./desk";
import type { Desks } from "./desks";
import type { SettingsKeeper } from "./settings";

/** Good news goes by itself, bad news waits to be read. Milliseconds. */
const READING_TIME = 6000;

export function watchEndings(
  desks: Desks,
  settings: SettingsKeeper,
  notifications: NotificationApi | null,
  show: (ending: Ending) => void,
  trans: { __(text: string): string },
): void {
  desks.ended.connect((_, ending) => {
    const { panel } = ending.desk;
    if (!settings.now.notifyHidden || (panel.isVisible && !document.hidden)) return;
    const { flow } = ending.model;
    const isGood = familyOf(flow.state) === "good";
    sign(panel, glyphOf(flow.state));
    notifications?.emit(`${glyphOf(flow.state)} ${summary(ending.model)}`, isGood ? "success" : "error", {
      autoClose: isGood ? READING_TIME : false,
      actions: [{ label: trans.__("Show"), callback: () => show(ending) }],
    });
  });
}

/** Put a sign before the titles of the tab and of the page, until the notebook is looked at. */
function sign(panel: NotebookPanel, glyph: string): void {
  const mark = `${glyph} `;
  const { title } = panel;
  if (!title.label.startsWith(mark)) title.label = mark + title.label;
  if (document.hidden && !document.title.startsWith(mark)) document.title = mark + document.title;
  const timer = setInterval(() => {
    if (!panel.isDisposed && (!panel.isVisible || document.hidden)) return;
    clearInterval(timer);
    if (!panel.isDisposed && title.label.startsWith(mark)) title.label = title.label.slice(mark.length);
    if (document.title.startsWith(mark)) document.title = document.title.slice(mark.length);
  }, 500);
}
