/** What the mark of each cell says: a fold of what the kernel told, in words. No DOM. */

import type { Family } from "../look";
import { familyOf, glyphOf, isOver, kernelTime } from "../model";
import { alike } from "../panel/alike";
import type { DeskState } from "../panel/desk";
import type { CellLook, NodeCard, NodeLook } from "../protocol";
import { isMoving, nodeName, nodeTexts } from "../words";

export interface Mark {
  readonly family: Family;
  readonly state: string;
  readonly glyph: string;
  /** The word of the state, and what else there is to say of it, for those who look closer. */
  readonly words: string;
  readonly time: string;
  /** "2/3" where a first attempt was not enough. */
  readonly attempt: string;
  readonly isStale: boolean;
  readonly isDirty: boolean;
  /** What keeps the cell from running; "" when nothing does. */
  readonly problem: string;
  /** Whether the clock moves what it says. */
  readonly isMoving: boolean;
  /** All of it in one line, for tooltips and screen readers. */
  readonly name: string;
}

const QUIET = {
  family: "waiting",
  state: "",
  glyph: "",
  time: "",
  attempt: "",
  isStale: false,
  isDirty: false,
  problem: "",
  isMoving: false,
} as const;

/** The marks of all cells that have to do with the flow. What is told again unchanged is not worked out again. */
export class Marking {
  private readonly known = new Map<string, { readonly from: readonly unknown[]; readonly mark: Mark }>();

  /** The marks by the cells' ids. `now` is the browser's clock in seconds. */
  marks(state: DeskState, now: number): Map<string, Mark> {
    const marks = new Map<string, Mark>();
    const { look } = state;
    if (look === null || state.status !== "on") return marks;
    const live = liveLooks(state);
    const problems = new Map(look.problems.filter((one) => one.grave).map((one) => [one.cell, one.text]));
    const cards = new Map<string, NodeCard>();
    for (const card of look.bundle?.picture.nodes ?? state.model.cards.values()) if (card.cell !== "") cards.set(card.cell, card);
    for (const cell of look.cells) {
      if (cell.role === "outside") continue;
      const told = live.get(cell.cell) ?? null;
      const problem = problems.get(cell.cell) ?? "";
      const card = told?.card ?? cards.get(cell.cell) ?? bareCard(cell);
      const from = [cell, told?.look, card, problem];
      const known = this.known.get(cell.cell);
      const isSame = known !== undefined && !known.mark.isMoving && known.from.every((one, place) => alike(one, from[place]));
      const mark = isSame ? known.mark : markOf(cell, told?.look ?? null, card, state, problem, now);
      this.known.set(cell.cell, { from, mark }); // the newest records, which are the same objects next time
      marks.set(cell.cell, mark);
    }
    for (const cell of this.known.keys()) if (!marks.has(cell)) this.known.delete(cell);
    return marks;
  }
}

function markOf(cell: CellLook, told: NodeLook | null, card: NodeCard, state: DeskState, problem: string, now: number): Mark {
  if (cell.role !== "task") return sharedMark(cell, problem);
  const clock = told === null ? (state.look?.at ?? now) : kernelTime(state.model, now);
  return taskMark(cell, { look: told ?? standing(cell, card.node), card }, clock, problem);
}

interface Told {
  readonly look: NodeLook;
  readonly card: NodeCard;
}

function taskMark(cell: CellLook, { look, card }: Told, now: number, problem: string): Mark {
  const isIdle = look.state === "";
  const texts = nodeTexts(look, card, now);
  const words = [isIdle ? "not run yet" : texts.state];
  if (cell.stale) words.push("out of date: something before it changed");
  if (cell.dirty) words.push("changed since it ran");
  if (problem !== "") words.push(problem);
  const said = isIdle ? `${card.name}, not run yet` : nodeName(look, card, now);
  return {
    family: problem === "" ? familyOf(look.state) : "bad",
    state: look.state,
    glyph: isIdle ? "○" : glyphOf(look.state),
    words: words.join(" · "),
    time: texts.time,
    attempt: attemptOf(look, card),
    isStale: cell.stale,
    isDirty: cell.dirty,
    problem,
    isMoving: isMoving(look),
    name: [said, ...words.slice(1)].join(", "),
  };
}

/** Cells that all others use, such as imports, are no tasks, and have no state of their own. */
function sharedMark(cell: CellLook, problem: string): Mark {
  const words = cell.role === "shared" ? "shared: every task that uses it runs it first" : "settings of the flow";
  const glyph = cell.role === "shared" ? "∴" : "⚙";
  return { ...QUIET, glyph, words, problem, isDirty: cell.dirty, name: `${cell.name}, ${words}` };
}

/** How a cell stands while no run goes on. */
function standing({ state, message, attempt, started, ended }: CellLook, node: number): NodeLook {
  return { node, state, message, attempt, started, ended, due: null, result: "", width: null, counts: null };
}

/** Of a cell that is in no picture. */
function bareCard({ cell: id, name, node }: CellLook): NodeCard {
  return { node, slug: name, name, kind: "task", upstream: [], downstream: [], attempts: 1, mapped: false, cell: id };
}

/** The nodes of a run that goes on, by their cells: newer than what is told of the cells. */
function liveLooks({ model }: DeskState): Map<string, Told> {
  const live = new Map<string, Told>();
  if (model.seq === null || isOver(model.flow)) return live;
  for (const card of model.cards.values()) {
    const look = model.looks.get(card.node);
    if (card.cell !== "" && look !== undefined) live.set(card.cell, { look, card });
  }
  return live;
}

function attemptOf(look: NodeLook, card: NodeCard): string {
  if (look.attempt < 2 && look.state !== "Retrying") return "";
  return card.attempts >= look.attempt && card.attempts > 1 ? `${look.attempt}/${card.attempts}` : `×${look.attempt}`;
}
