/**
 * The tasks of a notebook as rows: its cells in the order of the document, then what else stands in the picture. Pure.
 *
 * A cell is joined with its node by its id (`NodeCard.cell`), never by a number: a run that goes on may number its nodes
 * by a document that was changed since. The desk speaks of nodes as the picture does that is shown.
 */

import { familyOf, isRunning, type Model } from "../model";
import type { CellLook, NodeCard, NodeLook, NotebookLook } from "../protocol";
import { isMoving } from "../words";
import { alike } from "./alike";

/** What is known, as far as rows are concerned. */
export interface Known {
  readonly look: NotebookLook | null;
  readonly model: Model;
}

export interface Row {
  /** The cell's id, or `node-3` where no cell stands behind it. */
  readonly key: string;
  readonly cell: string;
  /** The node in the picture that is shown, -1 for a cell that is not in it. */
  readonly node: number;
  readonly card: NodeCard;
  readonly look: NodeLook;
  /** The cell was changed since it ran. */
  readonly dirty: boolean;
  /** Something upstream was changed or ran again. */
  readonly stale: boolean;
  /** Something keeps it from running. */
  readonly grave: boolean;
  /** Why it would run if the flow went on now, "" when it need not or nobody knows. */
  readonly again: string;
  /** What the cell would be as a task cell, "" where it is one or cannot be. */
  readonly converted: string;
}

/** Which picture is shown: that of the latest run, the flow as it would run next, or none. */
export type Shown = "run" | "next" | "none";

export function shownOf({ look, model }: Known): Shown {
  if (look === null) return "none";
  if (isLive({ look, model })) return "run"; // what runs is looked at, whatever is edited meanwhile
  if (look.bundle !== null) return "next";
  return look.run === "" ? "none" : "run";
}

/** Whether the latest run goes on. */
export function isLive({ look, model }: Known): boolean {
  return look !== null && look.run !== "" && model.picture?.run === look.run && isRunning(model.flow);
}

/** The cards of the picture that is shown. */
export function cardsOf(known: Known): ReadonlyMap<number, NodeCard> {
  const shown = shownOf(known);
  if (shown === "run" && known.model.picture?.run === known.look?.run) return known.model.cards;
  const nodes = shown === "next" ? (known.look?.bundle?.picture.nodes ?? []) : [];
  return new Map(nodes.map((card) => [card.node, card]));
}

/** Makes the rows again and again; a row of which nothing changed stays the same object. */
export class RowBook {
  private kept = new Map<string, { readonly row: Row; readonly from: readonly unknown[] }>();
  private rows: readonly Row[] = [];
  private known: Known | null = null;

  read(known: Known): readonly Row[] {
    if (this.known !== null && isSame(this.known, known)) return this.rows;
    this.known = known;
    this.rows = this.write(known);
    return this.rows;
  }

  private write(known: Known): readonly Row[] {
    const { look, model } = known;
    if (look === null) return [];
    const cards = cardsOf(known);
    const byCell = new Map([...cards.values()].filter((card) => card.cell !== "").map((card) => [card.cell, card]));
    const lively = livelyOf(known);
    const ended = endsOf(known);
    const graves = new Set(look.problems.filter((problem) => problem.grave).map((problem) => problem.cell));
    const kept = new Map<string, { readonly row: Row; readonly from: readonly unknown[] }>();
    const rows: Row[] = [];
    const add = (key: string, from: readonly unknown[], build: () => Row): void => {
      const before = this.kept.get(key);
      const isKept = before !== undefined && before.from.every((part, place) => alike(part, from[place]));
      const entry = { row: isKept ? before.row : build(), from }; // the newest records, which are the same objects next time
      kept.set(key, entry);
      rows.push(entry.row);
    };
    const seen = new Set<number>();
    for (const cell of look.cells) {
      const card = byCell.get(cell.cell);
      if (card !== undefined) seen.add(card.node);
      if (cell.role !== "task") continue;
      const node = card === undefined ? undefined : (lively(card, model) ?? ended(cell));
      const isGrave = graves.has(cell.cell);
      const marks = marksOf(cell, node, isGrave, look.at);
      add(cell.cell, [cell, node, card, marks], () => cellRow(cell, node, card, marks));
    }
    for (const card of cards.values()) {
      if (seen.has(card.node)) continue;
      const node = lively(card, model) ?? idle(card.node);
      add(`node-${card.node}`, [node, card], () => nodeRow(node, card));
    }
    this.kept = kept;
    return rows;
  }
}

function isSame(a: Known, b: Known): boolean {
  return a.look === b.look && a.model.looks === b.model.looks && a.model.picture === b.model.picture && a.model.flow === b.model.flow;
}

/** How a node of the run is, where that is newer than what the look of the notebook says of its cell. */
function livelyOf(known: Known): (card: NodeCard, model: Model) => NodeLook | undefined {
  const { look, model } = known;
  const isShown = shownOf(known) === "run" && look !== null;
  if (!isShown) {
    const saved = new Map((look?.bundle?.snapshot.nodes ?? []).map((node) => [node.node, node]));
    return (card) => (card.cell === "" ? saved.get(card.node) : undefined);
  }
  const isNewer = isLive(known) || model.at > look.at;
  return (card) => {
    const told = model.looks.get(card.node);
    const isUsed = isNewer || card.cell === "";
    return isUsed && told !== undefined && told.state !== "" ? told : undefined;
  };
}

type Marks = Pick<Row, "dirty" | "stale" | "grave">;

/** What the run does now, or did after the marks were told (at `at`), has undone them. */
function marksOf(cell: CellLook, told: NodeLook | undefined, grave: boolean, at: number): Marks {
  const isUndone = told !== undefined && (familyOf(told.state) === "active" || (told.ended ?? 0) > at);
  return { dirty: cell.dirty && !isUndone, stale: cell.stale && !isUndone, grave };
}

/** The look of a cell's node, when it tells of the same end as the cell's: it has more to say, as what came out. */
function endsOf({ look, model }: Known): (cell: CellLook) => NodeLook | undefined {
  if (look === null || look.run === "" || model.picture?.run !== look.run) return () => undefined;
  const nodes = new Map(model.picture.nodes.filter((card) => card.cell !== "").map((card) => [card.cell, card.node]));
  return (cell) => {
    const told = model.looks.get(nodes.get(cell.cell) ?? -1);
    const isSame = told !== undefined && told.ended !== null && told.state === cell.state && told.ended === cell.ended;
    return isSame ? told : undefined;
  };
}

function cellRow(cell: CellLook, told: NodeLook | undefined, card: NodeCard | undefined, marks: Marks): Row {
  const look: NodeLook = told ?? {
    node: cell.node,
    state: cell.state,
    message: cell.message,
    attempt: cell.attempt,
    started: cell.started,
    ended: cell.ended,
    due: null,
    result: "",
    width: null,
    counts: null,
  };
  const node = card === undefined ? -1 : card.node;
  const { again, converted } = cell;
  return { key: cell.cell, cell: cell.cell, node, card: card ?? bareCard(cell), look, again, converted, ...marks };
}

function nodeRow(look: NodeLook, card: NodeCard): Row {
  const marks = { dirty: false, stale: false, grave: false, again: "", converted: "" };
  return { key: `node-${card.node}`, cell: card.cell, node: card.node, card, look, ...marks };
}

function bareCard(cell: CellLook): NodeCard {
  const links = { upstream: [], downstream: [] };
  return { node: cell.node, slug: cell.name, name: cell.name, kind: "task", ...links, attempts: 1, mapped: false, cell: cell.cell };
}

function idle(node: number): NodeLook {
  const never = { started: null, ended: null, due: null, width: null, counts: null };
  return { node, state: "", message: "", attempt: 0, result: "", ...never };
}

/** A parameter, or another node without a cell, of the flow as it would run next. */
export function isIdleValue(row: Row): boolean {
  return row.cell === "" && row.look.state === "";
}

/** Whether a person should look at it. */
export function needsAttention(row: Row): boolean {
  const family = familyOf(row.look.state);
  return row.grave || row.dirty || row.stale || family === "bad" || row.look.state === "Retrying" || row.look.state === "Paused";
}

/** Whether its words move with the clock. */
export function moves(row: Row): boolean {
  return isMoving(row.look);
}

/** Whether the task may be run again at once while the run lives. */
export function canRetry(row: Row): boolean {
  const { state } = row.look;
  return row.node >= 0 && (state === "Retrying" || familyOf(state) === "bad");
}

/**
 * The rows that a resumed run would run: those of which the kernel says so, or (task cells, of which it says nothing) what
 * has not ended well or is out of date, and what follows from that. Empty when there is nothing to resume: nothing has
 * run, or all is well.
 */
export function toResume(rows: readonly Row[]): readonly Row[] {
  const isTold = rows.some((row) => row.again !== "");
  const isWanting = (row: Row): boolean => row.dirty || row.stale || (familyOf(row.look.state) !== "good" && !isIdleValue(row));
  const begin = rows.filter(isTold ? (row) => row.again !== "" : isWanting);
  const isTrouble = begin.some((row) => row.dirty || row.stale || row.look.state !== "");
  if (!isTrouble) return [];
  return isTold ? begin : withFollowers(begin, rows);
}

/** These rows and all that stand downstream of them, in the order of the list. */
function withFollowers(begin: readonly Row[], rows: readonly Row[]): readonly Row[] {
  const byNode = new Map(rows.filter((row) => row.node >= 0).map((row) => [row.node, row]));
  const found = new Set<Row>(begin);
  const queue = [...begin];
  for (let row = queue.pop(); row !== undefined; row = queue.pop()) {
    for (const next of row.card.downstream) {
      const after = byNode.get(next);
      if (after === undefined || found.has(after)) continue;
      found.add(after);
      queue.push(after);
    }
  }
  return rows.filter((row) => found.has(row) && row.cell !== "");
}
