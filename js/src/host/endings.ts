/** Tells a person who looks elsewhere that a run has ended: a sign at the notebook's tab, and one notification. */

import type { Family } from "../look";
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
    sign(panel, flow.state);
    notifications?.emit(`${glyphOf(flow.state)} ${summary(ending.model)}`, isGood ? "success" : "error", {
      autoClose: isGood ? READING_TIME : false,
      actions: [{ label: trans.__("Show"), callback: () => show(ending) }],
    });
  });
}

const SIGNS: Readonly<Record<Family, string>> = {
  good: "jp-mod-flowbookGood",
  bad: "jp-mod-flowbookBad",
  warn: "jp-mod-flowbookWarn",
  active: "",
  waiting: "",
};

/**
 * Put a sign before the titles of the tab and of the page, until the notebook is looked at. At the tab by its class, for
 * JupyterLab takes another label as another name for the file.
 */
function sign(panel: NotebookPanel, state: string): void {
  const { title } = panel;
  const name = SIGNS[familyOf(state)];
  const mark = `${glyphOf(state)} `;
  const classes = (): string[] => title.className.split(" ").filter((one) => one !== "" && !Object.values(SIGNS).includes(one));
  title.className = [...classes(), name].join(" ");
  if (document.hidden && !document.title.startsWith(mark)) document.title = mark + document.title;
  const timer = setInterval(() => {
    if (!panel.isDisposed && (!panel.isVisible || document.hidden)) return;
    clearInterval(timer);
    title.className = classes().join(" ");
    if (document.title.startsWith(mark)) document.title = document.title.slice(mark.length);
  }, 500);
}
