/**
 * The picture by keyboard and by ear: one tab stop, arrows along the edges, `/` to search, Enter for the details of a
 * node, and one polite live region that sums up what happens, not more often than one can listen.
 */

import type { Box } from "./geometry";
import type { NodeCard } from "./protocol";
import { setText } from "./touch";
import { search, type Step, walk } from "./walk";

/** What the navigator moves about in. */
export interface Sight {
  readonly svg: SVGElement;
  readonly cards: ReadonlyMap<number, NodeCard>;
  readonly boxes: ReadonlyMap<number, Box>;
  groupOf(node: number): SVGElement | undefined;
}

export interface Moves {
  /** Bring a node into sight. */
  reveal(box: Box): void;
  /** Show the details of a node, or none. */
  choose(node: number | null): void;
  /** A node was chosen with Enter, or a double click where that means something: go into it. */
  enter(node: number): void;
  zoom(factor: number): void;
  fit(): void;
}

const STEPS: Readonly<Record<string, Step>> = {
  ArrowLeft: "left",
  ArrowRight: "right",
  ArrowUp: "up",
  ArrowDown: "down",
  Home: "first",
  End: "last",
};

function isOurKey(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  return event.key in STEPS || ["Enter", " ", "/", "Escape", "+", "-", "0"].includes(event.key);
}

/** Whether a key pressed somewhere in a view belongs to the view: typing, pressing a button, walking about. */
export function claims(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  // In a list keys scroll, and Escape leads back; only what leaves it (Tab) or is a command of the page is not ours.
  if (target instanceof HTMLElement && target.closest(".fb-children") !== null) {
    return !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== "Tab";
  }
  if (target instanceof HTMLInputElement) return !event.ctrlKey && !event.metaKey;
  if (target instanceof HTMLButtonElement) return event.key === "Enter" || event.key === " ";
  // A plain letter pressed on the graph is meant for it, also when it is none of ours: "dd" must not delete the cell.
  const isPlain = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  return target instanceof SVGElement && (isPlain || isOurKey(event));
}

export class Navigator {
  readonly searchBox: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly tally: HTMLElement;
  private sight: Sight | null = null;
  private current: number | null = null;
  private came: number | null = null;
  private chosen: number | null = null;
  private found: readonly number[] = [];
  private place = 0;

  constructor(
    page: Document,
    private readonly moves: Moves,
    /** The host shows what is chosen: a click chooses and only Escape takes it back, Enter goes on from there. */
    private readonly isGuided = false,
  ) {
    this.input = page.createElement("input");
    this.input.type = "search";
    this.input.placeholder = "Find a task";
    this.input.setAttribute("aria-label", "Find a task by name");
    this.tally = page.createElement("span");
    this.tally.setAttribute("role", "status");
    this.searchBox = page.createElement("div");
    this.searchBox.className = "fb-search";
    this.searchBox.hidden = true;
    this.searchBox.append(this.input, this.tally);
    this.input.addEventListener("input", () => this.find());
    this.input.addEventListener("keydown", this.onSearchKey);
  }

  /** Walk in this picture from now on; stay on the node one stands on. */
  enter(sight: Sight, flow: string): void {
    this.sight = sight;
    sight.svg.setAttribute("role", "application");
    sight.svg.setAttribute("aria-roledescription", "task graph");
    sight.svg.setAttribute("aria-label", `${flow}, ${sight.cards.size} tasks. Arrow keys follow the edges, slash searches.`);
    for (const node of sight.cards.keys()) {
      const group = sight.groupOf(node);
      group?.setAttribute("role", "button");
      group?.setAttribute("tabindex", "-1");
    }
    const start = this.current !== null && sight.groupOf(this.current) ? this.current : walk(sight, -1, "first");
    this.stand(start);
    this.choose(this.chosen !== null && sight.groupOf(this.chosen) ? this.chosen : null);
    sight.svg.addEventListener("keydown", this.onKey);
    sight.svg.addEventListener("click", this.onClick);
    sight.svg.addEventListener("focusin", this.onFocus);
    if (this.isGuided) sight.svg.addEventListener("dblclick", this.onDoubleClick);
  }

  /** Show the details of `node`, or none. */
  choose(node: number | null): void {
    const mark = this.isGuided ? "aria-pressed" : "aria-expanded";
    if (this.chosen !== null) this.sight?.groupOf(this.chosen)?.removeAttribute(mark);
    this.chosen = node;
    if (node !== null) this.sight?.groupOf(node)?.setAttribute(mark, "true");
    this.moves.choose(node);
  }

  /** Where the chosen node stands, if it is in the picture `boxes` are of. */
  chosenIn(boxes: ReadonlyMap<number, Box>): Box | undefined {
    return this.isGuided && this.chosen !== null ? boxes.get(this.chosen) : undefined;
  }

  /** Choose a node from elsewhere: bring it into sight, and leave the keyboard where it is. */
  select(node: number | null): void {
    if (node === this.chosen) return;
    this.choose(node);
    const box = node === null ? undefined : this.sight?.boxes.get(node);
    if (node === null || box === undefined) return;
    this.stand(node);
    this.moves.reveal(box);
  }

  openSearch(): void {
    this.searchBox.hidden = false;
    this.input.focus();
    this.input.select();
    this.find();
  }

  private readonly onKey = (event: Event): void => {
    if (!(event instanceof KeyboardEvent) || !isOurKey(event) || this.sight === null || this.current === null) return;
    const step = STEPS[event.key];
    if (step !== undefined) this.go(walk(this.sight, this.current, step, this.came));
    else if (event.key === " " && this.isGuided) this.choose(this.current);
    else if (event.key === "Enter" || event.key === " ") this.open(this.current);
    else if (event.key === "/") this.openSearch();
    else if (event.key === "+") this.moves.zoom(1.25);
    else if (event.key === "-") this.moves.zoom(1 / 1.25);
    else if (event.key === "0") this.moves.fit();
    else if (this.chosen !== null) this.choose(null);
    else return; // Escape with nothing to close belongs to the page
    event.preventDefault();
    event.stopPropagation();
  };

  private readonly onClick = (event: Event): void => {
    const node = event.target instanceof Element ? event.target.closest(".fb-node") : null;
    const id = node === null ? null : Number(node.getAttribute("data-node"));
    if (id === null || !this.sight?.cards.has(id)) return;
    this.go(id);
    if (this.isGuided) this.choose(id);
    else this.toggle(id);
  };

  private readonly onDoubleClick = (): void => {
    if (this.chosen !== null) this.moves.enter(this.chosen);
  };

  private readonly onFocus = (event: Event): void => {
    const node = event.target instanceof Element ? event.target.closest(".fb-node") : null;
    if (node !== null) this.stand(Number(node.getAttribute("data-node")));
  };

  private readonly onSearchKey = (event: KeyboardEvent): void => {
    event.stopPropagation();
    const moves: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, Enter: 0 };
    const move = moves[event.key];
    if (event.key === "Escape") this.closeSearch();
    else if (move !== undefined && this.found.length > 0) this.visit(this.place + move, event.key === "Enter");
    else return;
    event.preventDefault();
  };

  /** Close the details and stand on the node that they were of. */
  leave(): void {
    this.choose(null);
    if (this.current !== null) this.go(this.current);
  }

  private open(node: number): void {
    if (this.isGuided) this.choose(node);
    else this.toggle(node);
    if (this.chosen !== null) this.moves.enter(node);
  }

  private toggle(node: number): void {
    this.choose(this.chosen === node ? null : node);
  }

  private go(node: number): void {
    if (node !== this.current) this.came = this.current;
    this.stand(node);
    const box = this.sight?.boxes.get(node);
    if (box !== undefined) this.moves.reveal(box);
    // The browser would scroll the whole page to the middle of a large picture; our own window has moved already.
    this.sight?.groupOf(node)?.focus({ preventScroll: true });
  }

  /** Make `node` the one that Tab leads to. */
  private stand(node: number): void {
    if (this.current !== null) this.sight?.groupOf(this.current)?.setAttribute("tabindex", "-1");
    this.current = node;
    this.sight?.groupOf(node)?.setAttribute("tabindex", "0");
  }

  private find(): void {
    if (this.sight === null) return;
    this.found = search(this.sight.cards.values(), this.input.value);
    const found = new Set(this.found);
    const isSearching = this.input.value.trim() !== "";
    this.sight.svg.toggleAttribute("data-searching", isSearching);
    for (const node of this.sight.cards.keys()) {
      this.sight.groupOf(node)?.toggleAttribute("data-found", found.has(node));
    }
    this.place = 0;
    if (this.found.length > 0) this.visit(0, false);
    else setText(this.tally, isSearching ? "no task" : "");
  }

  private visit(place: number, isChosen: boolean): void {
    this.place = (place + this.found.length) % this.found.length;
    const node = this.found[this.place];
    if (node === undefined) return;
    setText(this.tally, `${this.place + 1} of ${this.found.length}`);
    this.stand(node);
    const box = this.sight?.boxes.get(node);
    if (box !== undefined) this.moves.reveal(box);
    if (isChosen) this.closeSearch();
  }

  private closeSearch(): void {
    this.searchBox.hidden = true;
    this.sight?.svg.removeAttribute("data-searching");
    for (const node of this.found) this.sight?.groupOf(node)?.removeAttribute("data-found");
    if (this.current !== null) this.go(this.current);
  }
}

/** One thing is said at most every four seconds, the last word at once. */
export class Announcer {
  readonly element: HTMLElement;
  private said = "";
  private next: () => string = () => "";
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    page: Document,
    private readonly pause = 4000,
  ) {
    this.element = page.createElement("div");
    this.element.className = "fb-live";
    this.element.setAttribute("role", "status");
    this.element.setAttribute("aria-live", "polite");
  }

  /** `text` is asked for when it is said: most of what happens in between never is. */
  say(text: () => string, isLast: boolean): void {
    this.next = text;
    if (isLast) this.speak();
    else this.timer ??= setTimeout(() => this.speak(), this.pause);
  }

  dispose(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private speak(): void {
    this.dispose();
    const text = this.next();
    if (text !== this.said) setText(this.element, (this.said = text));
  }
}
