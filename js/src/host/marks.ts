/**
 * The marks at the cells of one notebook: a bar in the margin and a badge that leads to the panel.
 *
 * Each cell has a node of ours, made once and kept by the cell's id. JupyterLab takes cells out of the page while they
 * are out of sight, and makes a new widget of a cell that was moved; so at each turn every mark is put where its cell is.
 */

import { setAttribute, setText } from "../touch";
import { soon } from "../turns";
import { idOf } from "./cells";
import type { NotebookDesk } from "./desk";
import { type Mark, Marking } from "./marking";

/** Clocks of running cells move this often, in milliseconds. */
const TICK = 200;
/** So many marks are painted in one turn; each is a few elements for the browser to lay out and paint. */
const MOST = 40;

export class CellMarks {
  private readonly nodes = new Map<string, MarkNode>();
  private readonly marking = new Marking();
  private readonly turn = soon(() => this.paint());
  private ticker: ReturnType<typeof setInterval> | null = null;
  private readonly stop: () => void;
  private isShown = true;

  constructor(
    private readonly desk: NotebookDesk,
    private readonly onClick: (cell: string) => void,
  ) {
    this.stop = desk.listen(() => this.paint());
    desk.panel.content.activeCellChanged.connect(this.onCells);
    desk.panel.content.modelChanged.connect(this.onModel);
    this.onModel();
    this.paint();
  }

  show(isShown: boolean): void {
    this.isShown = isShown;
    this.paint();
  }

  dispose(): void {
    this.stop();
    this.turn.forget();
    this.desk.panel.content.activeCellChanged.disconnect(this.onCells);
    this.desk.panel.content.modelChanged.disconnect(this.onModel);
    this.keepTicking(false);
    for (const node of this.nodes.values()) node.remove();
  }

  private readonly onModel = (): void => {
    this.desk.panel.content.model?.cells.changed.connect(this.onCells);
  };

  /** Widgets follow their models a moment later. */
  private readonly onCells = (): void => this.turn.want();

  private paint(): void {
    const { content } = this.desk.panel;
    const marks = this.isShown ? this.marking.marks(this.desk.state, Date.now() / 1000) : new Map<string, Mark>();
    let moves = false;
    let painted = 0;
    for (const widget of content.widgets) {
      const id = idOf(widget.model);
      const mark = marks.get(id);
      if (mark === undefined) continue;
      moves ||= mark.isMoving;
      if (painted >= MOST) continue;
      const node = this.nodes.get(id) ?? new MarkNode(() => this.onClick(id));
      this.nodes.set(id, node);
      node.standIn(widget.node);
      if (node.paint(mark, widget === content.activeCell)) painted += 1;
    }
    if (painted >= MOST) this.turn.want(); // those after them, in the next frame
    for (const [id, node] of this.nodes) {
      if (marks.has(id)) continue;
      node.remove();
      this.nodes.delete(id);
    }
    this.keepTicking(moves);
  }

  private keepTicking(isWanted: boolean): void {
    if (isWanted && this.ticker === null) {
      this.ticker = setInterval(() => document.hidden || this.paint(), TICK);
    } else if (!isWanted && this.ticker !== null) {
      clearInterval(this.ticker);
      this.ticker = null;
    }
  }
}

class MarkNode {
  private readonly root = document.createElement("div");
  private readonly badge = document.createElement("button");
  private readonly parts: Readonly<Record<"glyph" | "words" | "attempt" | "time" | "sign", HTMLElement>>;
  private painted: Mark | null = null;
  private isStop: boolean | null = null;

  constructor(onClick: () => void) {
    const part = (name: string): HTMLElement => {
      const made = document.createElement("span");
      made.className = `jp-FlowbookMark-${name}`;
      return made;
    };
    this.root.className = "jp-FlowbookMark";
    this.badge.className = "jp-FlowbookMark-badge";
    this.badge.type = "button";
    this.parts = { glyph: part("glyph"), words: part("words"), attempt: part("attempt"), time: part("time"), sign: part("sign") };
    this.badge.append(...Object.values(this.parts));
    this.root.append(part("bar"), this.badge);
    this.badge.addEventListener("click", onClick);
    // Enter and Space are for the button, not for the notebook around it; all other keys are left to the notebook.
    this.badge.addEventListener("focus", () => window.addEventListener("keydown", this.onAnyKey, true));
    this.badge.addEventListener("blur", () => window.removeEventListener("keydown", this.onAnyKey, true));
    // A press on the badge must not move the notebook's own focus and selection about.
    this.badge.addEventListener("mousedown", (event) => event.stopPropagation());
  }

  standIn(cell: HTMLElement): void {
    if (this.root.parentElement === cell) return;
    this.remove();
    cell.classList.add("jp-mod-flowbook");
    cell.append(this.root);
  }

  /** Whether anything was to be painted. */
  paint(mark: Mark, isActive: boolean): boolean {
    // One stop of the Tab key in the notebook: the badge of the cell that is selected.
    if (this.isStop !== isActive) this.badge.tabIndex = isActive ? 0 : -1;
    this.isStop = isActive;
    const before = this.painted;
    if (before === mark || (before !== null && sameMark(before, mark))) return false;
    this.painted = mark;
    const { root, badge, parts } = this;
    setAttribute(root, "data-family", mark.family);
    setAttribute(root, "data-state", mark.state);
    root.toggleAttribute("data-stale", mark.isStale);
    root.toggleAttribute("data-dirty", mark.isDirty);
    root.toggleAttribute("data-quiet", mark.state === "" && mark.glyph !== "○");
    setText(parts.glyph, mark.problem === "" ? mark.glyph : "⚠");
    setText(parts.words, mark.words);
    setText(parts.attempt, mark.attempt);
    setText(parts.time, mark.time);
    setText(parts.sign, mark.isDirty ? "✎" : mark.isStale ? "▨" : "");
    setAttribute(badge, "aria-label", `${mark.name}. Show in the flow panel.`);
    // What is long is cut, and a tooltip has all of it; a running time would make it flicker.
    setAttribute(badge, "title", mark.isMoving ? "" : mark.name);
    return true;
  }

  remove(): void {
    this.root.parentElement?.classList.remove("jp-mod-flowbook");
    this.root.remove();
  }

  private readonly onAnyKey = (event: KeyboardEvent): void => {
    this.badge.toggleAttribute("data-lm-suppress-shortcuts", event.key === "Enter" || event.key === " ");
  };
}

function sameMark(a: Mark, b: Mark): boolean {
  return (Object.keys(a) as (keyof Mark)[]).every((key) => a[key] === b[key]);
}
