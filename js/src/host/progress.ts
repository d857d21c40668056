/** How far the run of a notebook is, in little: in the notebook's tool bar and in the status bar. */

import { FAMILIES, type Family } from "../look";
import { doneOf, familyCounts, glyphOf, type Model } from "../model";
import { clean } from "../measure";
import { standOf } from "../panel/controls";
import { RowBook } from "../panel/rows";
import { setAttribute, setText } from "../touch";
import { soon } from "../turns";
import { missedCount, summary } from "../words";
import { Bell } from "./bell";
import type { NotebookDesk } from "./desk";
import type { Desks } from "./desks";
import { isLive } from "./standing";

/** What the small bars say of a flow that has run, or runs. */
interface Said {
  readonly glyph: string;
  readonly share: string;
  readonly bad: number;
  readonly counts: Readonly<Record<Family, number>>;
  readonly title: string;
}

const books = new WeakMap<NotebookDesk, RowBook>();

/** While a flow runs its tasks are counted; else its cells, as in the panel: they may have been changed or run since. */
function saidOf(desk: NotebookDesk): Said | null {
  const { state } = desk;
  const { model } = state;
  const isRun = model.seq !== null && model.flow.state !== "";
  if (isLive(state) || (isRun && state.look?.basis === "nothing")) {
    const glyph = isLive(state) ? (model.flow.paused ? "‖" : "▶") : glyphOf(model.flow.state);
    const counts = familyCounts(model);
    return { glyph, share: share(model), bad: counts.bad - missedCount(model), counts, title: summary(model) };
  }
  const book = books.get(desk) ?? new RowBook();
  books.set(desk, book);
  const stand = standOf(book.read(state));
  if (stand === null) return null;
  const { glyph, counts, done, total, missed, word } = stand;
  const bad = counts.bad - missed;
  const rest = `${bad > 0 ? `, ${bad} failed` : ""}${missed > 0 ? `, ${missed} not run` : ""}`;
  return { glyph, share: `${done}/${total}`, bad, counts, title: `${word}, ${done} of ${total} done${rest}` };
}

/** "flow ▶ 7/12 ✗1": what goes on, how much of it has ended, and how much of that badly. "" where no flow is. */
export function statusText(desk: NotebookDesk | null): string {
  const state = desk?.state;
  if (desk === null || state === undefined || state.status !== "on" || state.look === null) return "";
  if (state.look.basis === "nothing" && !isLive(state)) return "";
  if (state.look.run === "" && state.look.cells.every((cell) => cell.role === "outside")) return ""; // no cell is a task
  const said = saidOf(desk);
  return said === null ? "flow ○" : `flow ${said.glyph} ${said.share}${said.bad > 0 ? ` ✗${said.bad}` : ""}`;
}

/** "7/12" */
export function share(model: Model): string {
  return doneOf(model).join("/");
}

type WidgetClass = new () => LuminoWidget;

/** The small progress of a notebook's tool bar; a button that leads to the panel. */
export function progressWidget(Widget: WidgetClass, desk: NotebookDesk, onClick: () => void): LuminoWidget {
  const widget = new Widget();
  const [track, text] = [document.createElement("span"), document.createElement("span")];
  track.className = "jp-FlowbookProgress-track";
  text.className = "jp-FlowbookProgress-text";
  const { node } = widget;
  node.classList.add("jp-FlowbookProgress");
  node.setAttribute("role", "button");
  node.tabIndex = 0;
  node.append(track, text);
  // Parts that stay, with lengths that change: JupyterLab's tool bar lays the page out anew whenever an element comes or goes.
  const parts = FAMILIES.filter((family) => family !== "waiting").map((family) => {
    const part = document.createElement("span");
    part.style.background = `var(--fb-${family})`;
    track.append(part);
    return [family, part] as const;
  });
  node.addEventListener("click", onClick);
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") onClick();
  });
  const paint = (): void => {
    const said = statusText(desk) === "" ? null : saidOf(desk);
    if (node.hidden !== (said === null)) node.hidden = said === null;
    if (said === null) return;
    setText(text, said.share);
    setAttribute(node, "title", said.title);
    setAttribute(node, "aria-label", `${clean(desk.state.look?.flow || desk.title)}: ${said.title}`);
    const { counts } = said;
    const total = FAMILIES.reduce((sum, family) => sum + counts[family], 0);
    for (const [family, part] of parts) part.style.width = `${(100 * counts[family]) / Math.max(1, total)}%`;
  };
  const stop = desk.listen(paint);
  widget.disposed.connect(stop);
  paint();
  return widget;
}

/** The one item of the status bar; not there where the notebook is no flow. */
export function addStatusItem(
  Widget: WidgetClass,
  bar: StatusBar,
  desks: Desks,
  isWanted: () => boolean,
  onClick: () => void,
): { look(): void } {
  const item = new Widget();
  const button = document.createElement("button");
  button.className = "jp-FlowbookStatus";
  button.type = "button";
  button.addEventListener("click", onClick);
  item.node.append(button);
  const activeStateChanged = new Bell();
  const isActive = (): boolean => isWanted() && button.textContent !== "";
  let wasActive = false;
  const turn = soon(() => {
    const text = statusText(desks.current);
    setText(button, text);
    setAttribute(button, "title", text === "" || desks.current === null ? "" : (saidOf(desks.current)?.title ?? "Not run yet"));
    if (isActive() === wasActive) return;
    wasActive = !wasActive;
    activeStateChanged.ring();
  });
  bar.registerStatusItem("flowbook:status", { item, align: "left", rank: 3, isActive, activeStateChanged });
  desks.changed.connect(() => turn.want());
  turn.want();
  return { look: () => turn.want() };
}
