/**
 * The tasks as a table: the picture's twin for those who read or listen, and the quickest way through many.
 *
 * One tab stop; arrows move, Enter goes to the cell. Only rows that changed are touched.
 */

import { clean } from "../measure";
import { familyOf, glyphOf } from "../model";
import { setAttribute, setText } from "../touch";
import { soon } from "../turns";
import { nodeTexts } from "../words";
import { button, type Maker } from "./dom";
import { moves, needsAttention, type Row } from "./rows";

export interface TableMoves {
  choose(node: number | null): void;
  reveal(cell: string): void;
}

interface Line {
  readonly element: HTMLElement;
  readonly mark: HTMLElement;
  readonly name: HTMLElement;
  readonly state: HTMLElement;
  readonly marks: HTMLElement;
  readonly time: HTMLElement;
  row: Row;
}

/** Keys that move, by how many rows; a page is what is commonly seen at once. */
const STEPS: Readonly<Record<string, number>> = { ArrowUp: -1, ArrowDown: 1, PageUp: -8, PageDown: 8, Home: -Infinity, End: Infinity };
/** Milliseconds a row must be stood on to be looked into: a held arrow key passes many. */
const REST = 120;
/** So many rows are painted in one turn: when a run begins, all are different at once. */
const MOST = 60;
const TITLES = ["Task", "State", "Time"];

export class TaskTable {
  readonly element: HTMLElement;
  private readonly title: HTMLElement;
  private readonly filter: HTMLButtonElement;
  private readonly grid: HTMLElement;
  private readonly body: HTMLElement;
  private readonly nothing: HTMLElement;
  private readonly lines = new Map<string, Line>();
  private readonly moving = new Set<Line>();
  private rows: readonly Row[] = [];
  private shown: readonly Row[] = [];
  private readonly turn = soon(() => this.catchUp());
  private height = 0;
  private readonly resize = new ResizeObserver(() => this.keepSeen());
  /** The kernel's clock, as it was told last. */
  private time = 0;
  private isFiltered = false;
  private chosen: number | null = null;
  /** What was chosen from here last, and not elsewhere since. */
  private asked: number | null = null;
  /** The line that is marked as chosen. */
  private marked: Line | undefined;
  /** The row that Tab leads to. */
  private stood = "";
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly make: Maker,
    private readonly act: TableMoves,
  ) {
    this.title = make("h3", "fp-heading");
    this.filter = button(make, "fp-filter", "", () => this.toggle());
    const head = make("div", "fp-row fp-head", ...TITLES.map((text) => role(make("span", "", text), "columnheader")));
    this.body = role(make("div", "fp-body"), "rowgroup");
    this.nothing = make("p", "fp-nothing", "Nothing needs attention.");
    this.grid = role(make("div", "fp-grid", role(make("div", "fp-head-group", role(head, "row")), "rowgroup"), this.body), "grid");
    this.grid.setAttribute("aria-label", "Tasks");
    this.grid.setAttribute("aria-colcount", String(TITLES.length));
    this.element = make("section", "fp-tasks", make("div", "fp-section", this.title, this.filter), this.grid, this.nothing);
    this.resize.observe(this.grid);
    this.grid.addEventListener("keydown", (event) => this.onKey(event));
    this.grid.addEventListener("click", (event) => this.onClick(event));
    this.grid.addEventListener("dblclick", () => this.go());
  }

  /** Bring the table up to the rows; `time` is the kernel's clock. */
  paint(rows: readonly Row[], chosen: number | null, time: number): void {
    this.time = time;
    if (rows.length !== this.rows.length || rows.some((row, place) => row !== this.rows[place])) {
      this.rows = rows;
      this.list();
    }
    this.mark(chosen);
  }

  /** Move the clocks of what runs and waits. */
  tick(time: number): void {
    this.time = time;
    for (const line of this.moving) setText(line.time, nodeTexts(line.row.look, line.row.card, time).time);
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.turn.forget();
    this.resize.disconnect();
  }

  private list(): void {
    const wanting = this.rows.filter(needsAttention).length;
    this.filter.hidden = wanting === 0 && !this.isFiltered;
    setText(this.title, this.rows.length === 1 ? "1 task" : `${this.rows.length} tasks`);
    setText(this.filter, `Needs attention (${wanting})`);
    setAttribute(this.filter, "aria-pressed", String(this.isFiltered));
    const shown = this.isFiltered ? this.rows.filter(needsAttention) : this.rows;
    const isSameList = shown.length === this.shown.length && shown.every((row, place) => row.key === this.shown[place]?.key);
    this.shown = shown;
    if (isSameList) this.catchUp();
    else for (const row of shown) this.line(row);
    if (!isSameList) this.arrange();
    this.nothing.hidden = shown.length > 0;
  }

  /** Paint rows that are different, from the top; what is left has a turn of its own. */
  private catchUp(): void {
    let room = MOST;
    for (const row of this.shown) {
      if (this.lines.get(row.key)?.row === row) continue;
      if (room === 0) return this.turn.want();
      this.line(row);
      room -= 1;
    }
  }

  /** The rows in their order; those that are gone are forgotten. */
  private arrange(): void {
    const keys = new Set(this.shown.map((row) => row.key));
    for (const [key, line] of this.lines) {
      if (keys.has(key)) continue;
      this.lines.delete(key);
      this.moving.delete(line);
    }
    const lines = this.shown.flatMap((row) => this.lines.get(row.key) ?? []);
    lines.forEach((line, place) => setAttribute(line.element, "aria-rowindex", String(place + 2)));
    this.body.replaceChildren(...lines.map((line) => line.element));
    this.grid.setAttribute("aria-rowcount", String(lines.length + 1));
    if (!keys.has(this.stood)) this.stand(this.shown[0]?.key ?? "");
  }

  private line(row: Row): void {
    const before = this.lines.get(row.key);
    if (before?.row === row) return;
    const line = before ?? this.build(row);
    line.row = row;
    this.lines.set(row.key, line);
    if (moves(row)) this.moving.add(line);
    else this.moving.delete(line);
    const { look, card } = row;
    const texts = nodeTexts(look, card, this.time);
    const state = look.state === "" ? (card.kind === "task" ? "Not run yet" : texts.state) : texts.state;
    setAttribute(line.element, "data-family", familyOf(look.state));
    setAttribute(line.element, "data-state", look.state);
    setText(line.mark, glyphOf(look.state === "" ? "Pending" : look.state));
    setText(line.name, clean(card.name));
    setAttribute(line.name, "title", clean(card.name));
    setText(line.state, state);
    setAttribute(line.state, "title", clean(look.message));
    setText(line.time, texts.time);
    this.paintMarks(line, row);
  }

  private paintMarks(line: Line, row: Row): void {
    const words = [row.grave ? "can’t run" : "", row.dirty ? "changed" : "", row.stale && !row.dirty ? "out of date" : ""].filter(Boolean);
    if (line.marks.getAttribute("data-words") === words.join()) return;
    line.marks.setAttribute("data-words", words.join());
    line.marks.replaceChildren(...words.map((word) => markOf(this.make, word)));
  }

  private build(row: Row): Line {
    const { make } = this;
    const mark = make("span", "fp-mark");
    mark.setAttribute("aria-hidden", "true");
    const name = make("span", "fp-name");
    const [state, marks, time] = [make("span", "fp-words"), make("span", "fp-marks"), role(make("span", "fp-time"), "gridcell")];
    const about = role(make("span", "fp-about-task", state, marks), "gridcell");
    const element = role(make("div", "fp-row", role(make("span", "fp-task", mark, name), "gridcell"), about, time), "row");
    element.tabIndex = -1;
    element.setAttribute("data-key", row.key);
    element.setAttribute("aria-selected", "false");
    return { element, mark, name, state, marks, time, row };
  }

  /** Mark the chosen row; one chosen elsewhere is brought into sight. */
  private mark(chosen: number | null): void {
    const row = chosen === null ? undefined : this.shown.find((one) => one.node === chosen);
    const line = row === undefined ? undefined : this.lines.get(row.key);
    if (this.marked !== line) this.marked?.element.setAttribute("aria-selected", "false");
    this.marked = line;
    if (line !== undefined) setAttribute(line.element, "aria-selected", "true");
    if (chosen === this.chosen) return;
    this.chosen = chosen;
    if (chosen !== this.asked) this.asked = null;
    // What was chosen here comes back a frame later, when the keyboard may stand elsewhere already.
    if (line === undefined) return;
    const isStood = line.row.key === this.stood;
    if (!isStood && chosen === this.asked) return;
    if (!isStood) this.stand(line.row.key);
    // The inspector that opens now leaves the list less room; and rows never seen may turn out taller than thought.
    requestAnimationFrame(() => {
      this.show(line.element);
      requestAnimationFrame(() => this.show(line.element));
    });
  }

  /** A chosen row that was seen stays so when what stands around the list takes some of its room. */
  private keepSeen(): void {
    const before = this.height;
    this.height = this.grid.clientHeight;
    if (this.marked === undefined || this.height >= before) return;
    const below = this.marked.element.getBoundingClientRect().bottom - this.grid.getBoundingClientRect().top;
    if (below <= before + 1) this.show(this.marked.element);
  }

  /** Scroll the list alone: `scrollIntoView` would scroll whatever stands around the panel, too. */
  private show(element: HTMLElement): void {
    const list = this.grid.getBoundingClientRect();
    const row = element.getBoundingClientRect();
    const head = this.body.previousElementSibling?.getBoundingClientRect().height ?? 0;
    if (row.top < list.top + head) this.grid.scrollTop -= list.top + head - row.top;
    else if (row.bottom > list.bottom) this.grid.scrollTop += row.bottom - list.bottom;
  }

  private stand(key: string): void {
    const before = this.lines.get(this.stood);
    if (before !== undefined) before.element.tabIndex = -1;
    this.stood = key;
    const line = this.lines.get(key);
    if (line !== undefined) line.element.tabIndex = 0;
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step !== undefined) this.walk(step);
    else if (event.key === "Enter") this.go();
    else if (event.key === " ") this.choose(0);
    else if (event.key === "Escape" && this.chosen !== null) this.act.choose(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private walk(step: number): void {
    const place = this.shown.findIndex((row) => row.key === this.stood);
    const next = this.shown[Math.min(this.shown.length - 1, Math.max(0, place + step))];
    if (next === undefined) return;
    this.stand(next.key);
    const element = this.lines.get(next.key)?.element;
    if (element !== undefined) this.show(element);
    element?.focus({ preventScroll: true });
    this.choose(REST);
  }

  private onClick(event: Event): void {
    const element = event.target instanceof Element ? event.target.closest<HTMLElement>(".fp-body .fp-row") : null;
    if (element === null) return;
    this.stand(element.getAttribute("data-key") ?? "");
    element.focus({ preventScroll: true });
    this.choose(0);
  }

  private choose(after: number): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const row = this.lines.get(this.stood)?.row;
      if (row === undefined || row.node < 0) return;
      this.asked = row.node;
      this.act.choose(row.node);
    }, after);
  }

  private go(): void {
    const row = this.lines.get(this.stood)?.row;
    if (row !== undefined && row.cell !== "") this.act.reveal(row.cell);
  }

  private toggle(): void {
    this.isFiltered = !this.isFiltered;
    this.grid.scrollTop = 0;
    this.list();
  }
}

function markOf(make: Maker, word: string): HTMLElement {
  const element = make("span", "fp-badge", word);
  element.setAttribute("data-family", word === "can’t run" ? "bad" : "warn");
  return element;
}

function role(element: HTMLElement, name: string): HTMLElement {
  element.setAttribute("role", name);
  return element;
}
