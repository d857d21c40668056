/**
 * The children of the chosen mapped task as a list: those that failed first, at most two hundred of them.
 *
 * The kernel is asked for them when the list is opened and again when their counts have changed, not more often than
 * one can read. A saved picture has no kernel to ask; it shows the few that were saved with it.
 */

import { clean } from "./measure";
import { failedChildren, thousands } from "./mapped";
import { familyOf, glyphOf, kernelTime, type Model } from "./model";
import type { ChildLook, NodeCard, NodeLook, Which } from "./protocol";
import { setAttribute, setText } from "./touch";
import { childTexts } from "./words";

/** Rows that are asked for; the kernel answers with no more. */
export const MOST_ROWS = 200;
/** Milliseconds between two questions. */
const PAUSE = 500;

interface Row {
  readonly element: HTMLElement;
  readonly mark: HTMLElement;
  readonly name: HTMLElement;
  readonly state: HTMLElement;
  readonly time: HTMLElement;
  readonly said: HTMLElement;
}

export interface ListMoves {
  /** Ask the kernel for children; false when there is none to ask. */
  ask(node: number, which: Which): boolean;
  /** Close the list and go back to its node. */
  leave(): void;
}

export class ChildrenList {
  readonly element: HTMLElement;
  private readonly filter: HTMLButtonElement;
  private readonly total: HTMLElement;
  private readonly list: HTMLElement;
  private readonly body: HTMLElement;
  private readonly more: HTMLElement;
  private readonly rows: Row[] = [];
  private node: number | null = null;
  private which: Which = "all";
  private model: Model | null = null;
  /** The look that was last asked for, and when. */
  private asked: { readonly look: NodeLook; readonly at: number } | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly page: Document,
    private readonly moves: ListMoves,
  ) {
    this.total = this.make("span", "fb-children-total");
    this.filter = this.make("button", "fb-button fb-failed-only") as HTMLButtonElement;
    this.filter.type = "button";
    this.filter.textContent = "Failed only";
    this.filter.addEventListener("click", () => this.show(this.which === "all" ? "failed" : "all"));
    this.body = this.make("tbody", "");
    const table = this.make("table", "", this.head(), this.body);
    this.list = this.make("div", "fb-children-list", table);
    this.list.tabIndex = 0;
    this.list.setAttribute("role", "region");
    this.more = this.make("div", "fb-children-more");
    const bar = this.make("div", "fb-children-bar", this.total, this.filter);
    this.element = this.make("div", "fb-children", bar, this.list, this.more);
    this.element.hidden = true;
    this.element.addEventListener("keydown", this.onKey);
  }

  /** Show the children of `node`, if it is a mapped task, or of none. */
  choose(node: number | null): void {
    if (node === this.node) return;
    this.node = node;
    this.which = "all";
    this.asked = null;
    this.list.scrollTop = 0;
    if (this.model !== null) this.paint(this.model, Date.now() / 1000);
  }

  /** Let the keyboard into the list; it stays where it is when nothing is listed. */
  enter(): void {
    if (!this.element.hidden) this.list.focus();
  }

  paint(model: Model, now: number): void {
    this.model = model;
    const card = this.node === null ? undefined : model.cards.get(this.node);
    const look = this.node === null ? undefined : model.looks.get(this.node);
    const isShown = card !== undefined && look !== undefined && look.counts !== null;
    this.element.hidden = !isShown;
    if (!isShown) return;
    this.askAgain(card.node, look);
    const rows = this.listed(card.node);
    const bad = failedChildren(look);
    const total = this.which === "failed" ? bad : (look.width ?? 0);
    setText(this.total, `${thousands(look.width ?? 0)} ${look.width === 1 ? "child" : "children"} of ${clean(card.name)}`);
    this.filter.hidden = bad === 0 && this.which === "all";
    setAttribute(this.filter, "aria-pressed", String(this.which === "failed"));
    setAttribute(this.list, "aria-label", `Children of ${clean(card.name)}${this.which === "failed" ? " that failed" : ""}`);
    this.paintRows(rows, card, kernelTime(model, now));
    const left = total - rows.length;
    setText(this.more, left > 0 && rows.length > 0 ? `and ${thousands(left)} more` : "");
  }

  /** Move the clocks of what runs and waits. */
  tick(model: Model, now: number): void {
    const card = this.node === null ? undefined : model.cards.get(this.node);
    if (!this.element.hidden && card !== undefined) this.paintRows(this.listed(card.node), card, kernelTime(model, now));
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private show(which: Which): void {
    this.which = which;
    this.asked = null;
    this.list.scrollTop = 0;
    if (this.model !== null) this.paint(this.model, Date.now() / 1000);
  }

  /** What was told of the children; until the answer to another question is there, what the last one holds of it. */
  private listed(node: number): readonly ChildLook[] {
    const told = this.model?.children.get(node);
    if (told === undefined) return [];
    const isAll = this.which === "all";
    return (isAll ? told.rows : told.rows.filter((row) => familyOf(row.state) === "bad")).slice(0, MOST_ROWS);
  }

  private askAgain(node: number, look: NodeLook): void {
    if (this.asked?.look === look || this.timer !== null) return;
    const wait = this.asked === null ? 0 : this.asked.at + PAUSE - Date.now();
    if (wait > 0) {
      this.timer = setTimeout(() => {
        this.timer = null;
        const now = this.model?.looks.get(node);
        if (this.node === node && now !== undefined) this.askAgain(node, now);
      }, wait);
      return;
    }
    if (this.moves.ask(node, this.which)) this.asked = { look, at: Date.now() };
  }

  private paintRows(rows: readonly ChildLook[], card: NodeCard, time: number): void {
    rows.forEach((child, place) => this.paintRow(this.row(place), child, card, time));
    for (const row of this.rows.splice(rows.length)) row.element.remove();
  }

  private paintRow(row: Row, child: ChildLook, card: NodeCard, time: number): void {
    const texts = childTexts(child, card, time);
    setAttribute(row.element, "data-family", familyOf(child.state));
    setAttribute(row.element, "data-index", String(child.index));
    setText(row.mark, glyphOf(child.state));
    setText(row.name, `[${child.index}]`);
    setText(row.state, texts.state);
    setText(row.time, texts.time);
    setText(row.said, texts.said);
    setAttribute(row.said, "title", texts.said);
  }

  private row(place: number): Row {
    const found = this.rows[place];
    if (found !== undefined) return found;
    const mark = this.make("span", "fb-mark");
    const name = this.make("span", "fb-index");
    const [state, time, said] = [this.make("td", "fb-child-state"), this.make("td", "fb-child-time"), this.make("td", "fb-child-said")];
    const element = this.make("tr", "fb-child", this.make("td", "fb-child-name", mark, name), state, time, said);
    this.body.append(element);
    const made = { element, mark, name, state, time, said };
    this.rows.push(made);
    return made;
  }

  private head(): HTMLElement {
    const cells = ["Child", "State", "Time", "Result or reason"].map((text) => {
      const cell = this.make("th", "");
      cell.textContent = text;
      cell.setAttribute("scope", "col");
      return cell;
    });
    return this.make("thead", "", this.make("tr", "", ...cells));
  }

  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    this.moves.leave();
  };

  private make(tag: string, name: string, ...children: HTMLElement[]): HTMLElement {
    const element = this.page.createElement(tag);
    if (name !== "") element.className = name;
    element.append(...children);
    return element;
  }
}
