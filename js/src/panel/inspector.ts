/** The chosen task in full: how it came to stand so, why, what it got and gave, what it said, and its code. */

import { clean } from "../measure";
import { familyOf, glyphOf } from "../model";
import type { Fix, Item, NotebookLook, TaskDetails } from "../protocol";
import { setAttribute, setText } from "../touch";
import { detailTexts } from "../words";
import { alike } from "./alike";
import { button, type Maker } from "./dom";
import { canRetry, moves, type Row } from "./rows";
import { historyOf, type Link, linksOf, plain } from "./story";
import { Tabs } from "./tabs";

export type TabName = "state" | "why" | "values" | "logs" | "code";

export interface InspectorMoves {
  choose(node: number | null): void;
  reveal(cell: string): void;
  retry(node: number): void;
  mend(fix: Fix): void;
  /** Another tab is looked at. */
  turn(name: TabName): void;
}

export interface Inspected {
  readonly row: Row;
  readonly rows: readonly Row[];
  readonly look: NotebookLook;
  readonly details: TaskDetails | null;
  /** The run lives: a task that failed can be run again in it. */
  readonly isLive: boolean;
  /** The kernel's clock. */
  readonly time: number;
}

export class Inspector {
  readonly element: HTMLElement;
  readonly tabs: Tabs<TabName>;
  private readonly glyph: HTMLElement;
  private readonly name: HTMLElement;
  private readonly facts: HTMLElement;
  private readonly message: HTMLElement;
  private readonly retry: HTMLButtonElement;
  private readonly reveal: HTMLButtonElement;
  private readonly convert: HTMLButtonElement;
  private seen: Inspected | null = null;
  /** What each tab was drawn from. */
  private readonly drawn = new Map<TabName, readonly unknown[]>();

  constructor(
    private readonly make: Maker,
    private readonly act: InspectorMoves,
  ) {
    this.glyph = make("span", "fp-mark");
    this.glyph.setAttribute("aria-hidden", "true");
    this.name = make("h3", "fp-name");
    this.facts = make("span", "fp-facts");
    this.message = make("p", "fp-message");
    this.retry = button(make, "fp-retry", "Retry", () => this.seen !== null && act.retry(this.seen.row.node));
    this.retry.title = "Run this task again now; the run goes on meanwhile";
    this.reveal = button(make, "fp-quiet", "Show cell", () => this.seen !== null && act.reveal(this.seen.row.cell));
    this.convert = button(make, "fp-quiet", "Make task", () => this.makeTask());
    this.convert.title = "Write %%task above the cell; undo in the cell takes it back";
    const close = button(make, "fp-close", "×", () => act.choose(null));
    close.setAttribute("aria-label", "Close");
    this.tabs = new Tabs<TabName>(make, TABS, "state", (name) => this.turn(name));
    const head = make("div", "fp-inspector-head", this.glyph, this.name, close, make("div", "fp-facts-line", this.facts, make("span", "fp-actions", this.retry, this.convert, this.reveal)));
    this.element = make("section", "fp-inspector", head, this.message, this.tabs.list, ...this.tabs.panels.values());
    this.element.setAttribute("aria-label", "The chosen task");
    this.element.hidden = true;
  }

  paint(inspected: Inspected | null): void {
    if (inspected === null || inspected.row.key !== this.seen?.row.key) this.drawn.clear();
    this.seen = inspected;
    this.element.hidden = inspected === null;
    if (inspected === null) return;
    const { row, isLive } = inspected;
    setAttribute(this.element, "data-family", familyOf(row.look.state));
    setText(this.glyph, glyphOf(row.look.state === "" ? "Pending" : row.look.state));
    setText(this.name, clean(row.card.name));
    this.retry.hidden = !isLive || !canRetry(row);
    this.reveal.hidden = row.cell === "";
    this.convert.hidden = isLive || row.converted === "";
    this.tick(inspected.time);
    this.fill(this.tabs.shown);
  }

  /** Move the clock of what runs. */
  tick(time: number): void {
    if (this.seen === null) return;
    const { row } = this.seen;
    const texts = row.look.state === "" ? { facts: "Not run yet", message: "" } : detailTexts(row.look, row.card, time);
    setText(this.facts, [texts.facts, row.dirty ? "changed since it ran" : "", row.stale ? "out of date" : ""].filter(Boolean).join(" · "));
    setText(this.message, texts.message);
    this.message.hidden = texts.message === "";
  }

  /** Whether what is looked at grows while the task runs. */
  get isGrowing(): boolean {
    return this.seen !== null && this.tabs.shown === "logs" && moves(this.seen.row);
  }

  private makeTask(): void {
    const row = this.seen?.row;
    if (row !== undefined) this.act.mend({ label: "", cell: row.cell, source: row.converted });
  }

  private turn(name: TabName): void {
    if (this.seen !== null) this.fill(name);
    this.act.turn(name);
  }

  /** Draw a tab if there is news for it; a text that somebody has selected must not be drawn again for nothing. */
  private fill(name: TabName): void {
    const { seen } = this;
    const panel = this.tabs.panels.get(name);
    if (seen === null || panel === undefined) return;
    const links = name === "why" ? linksOf(seen.look, seen.row, seen.rows) : null;
    const from = [seen.details, seen.row.look.state, links, name === "why" ? [seen.row.again, seen.isLive] : null];
    if (alike(this.drawn.get(name), from)) return;
    this.drawn.set(name, from);
    if (links !== null) return panel.replaceChildren(...this.why(seen, links));
    if (seen.details === null) return panel.replaceChildren(this.waiting(seen));
    switch (name) {
      case "state":
        return panel.replaceChildren(this.history(seen.details));
      case "why":
        return; // drawn above: it has something to say without details
      case "values":
        return panel.replaceChildren(...this.values(seen.details));
      case "logs":
        return this.text(panel, seen.details.logs, "It has printed nothing.");
      case "code":
        return this.text(panel, seen.details.code, "Its code is not known.");
      default:
        return name satisfies never;
    }
  }

  private waiting(seen: Inspected): HTMLElement {
    return this.make("p", "fp-hint", seen.row.look.state === "" ? "It has not run yet." : "Asking the kernel …");
  }

  private history(details: TaskDetails): HTMLElement {
    const { make } = this;
    const lines = historyOf(details);
    if (lines.length === 0) return make("p", "fp-hint", "It has not run yet.");
    const items = lines.map((line) => {
      const mark = make("span", "fp-mark", line.glyph);
      mark.setAttribute("aria-hidden", "true");
      const time = make("time", "fp-clock", line.time);
      const item = make("li", "fp-moment", mark, make("span", "fp-words", line.state), time, make("span", "fp-stayed", line.stayed));
      if (line.said !== "") item.append(make("span", "fp-what", line.said));
      item.setAttribute("data-family", line.family);
      return item;
    });
    return make("ol", "fp-history", ...items);
  }

  private why(seen: Inspected, links: { before: readonly Link[]; after: readonly Link[] }): HTMLElement[] {
    const { make, act } = this;
    const parts: HTMLElement[] = [];
    const { details } = seen;
    if (details !== null && details.why !== "") parts.push(make("p", "fp-why", clean(details.why)));
    const cause = details === null || details.cause < 0 || details.cause === seen.row.node ? undefined : seen.rows.find((row) => row.node === details.cause);
    if (seen.row.again !== "" && !seen.isLive) parts.push(make("p", "fp-again", `If the flow goes on, it runs: ${clean(seen.row.again)}.`));
    if (cause !== undefined) {
      const link = button(make, "fp-link", clean(cause.card.name), () => act.choose(cause.node));
      parts.push(make("p", "fp-cause", "It began with ", link));
    }
    parts.push(...this.links("Runs after", links.before, "It needs no other cell."), ...this.links("Runs before", links.after, ""));
    return parts;
  }

  private links(title: string, links: readonly Link[], none: string): HTMLElement[] {
    const { make, act } = this;
    if (links.length === 0) return none === "" ? [] : [make("p", "fp-hint", none)];
    const items = links.map((link) => {
      const item = make("li", "", button(make, "fp-link", link.name, () => act.choose(link.node)));
      if (link.why !== "") item.append(make("span", "fp-because", `: ${link.why}`));
      return item;
    });
    return [make("h4", "fp-heading", title), make("ul", "fp-links", ...items)];
  }

  private values(details: TaskDetails): HTMLElement[] {
    const { make } = this;
    const rows = details.inputs.map((item) => this.item(item));
    const inputs = rows.length === 0 ? make("p", "fp-hint", "It takes nothing from other cells.") : make("dl", "fp-items", ...rows.flat());
    const result = details.result === "" ? make("p", "fp-hint", "None yet.") : make("pre", "fp-pre", plain(details.result));
    return [make("h4", "fp-heading", "Inputs"), inputs, make("h4", "fp-heading", "Result"), result];
  }

  private item(item: Item): HTMLElement[] {
    const { make } = this;
    const value = make("dd", "", make("span", "fp-value", clean(item.text)));
    if (item.origin !== "") value.append(make("span", "fp-origin", ` from ${clean(item.origin)}`));
    return [make("dt", "fp-key", clean(item.name)), value];
  }

  /** A long text; somebody who reads its end is kept there. */
  private text(panel: HTMLElement, text: string, none: string): void {
    const wasAtEnd = panel.scrollTop + panel.clientHeight >= panel.scrollHeight - 4 && panel.scrollTop > 0;
    panel.replaceChildren(text === "" ? this.make("p", "fp-hint", none) : this.make("pre", "fp-pre", plain(text)));
    if (wasAtEnd) panel.scrollTop = panel.scrollHeight;
  }
}

const TABS = [
  { name: "state", label: "State" },
  { name: "why", label: "Why" },
  { name: "values", label: "Inputs & result", short: "Values" },
  { name: "logs", label: "Logs" },
  { name: "code", label: "Code" },
] as const;
