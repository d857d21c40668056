/** How cells and nodes stand to each other, and how each cell stands: read out of a desk's state. No DOM. */

import { isRunning } from "../model";
import type { DeskState } from "../panel/desk";
import type { CellLook, NodeCard, TaskDetails } from "../protocol";

/** Whether a run of this notebook goes on. */
export function isLive(state: DeskState): boolean {
  const { model } = state;
  return model.picture !== null && model.seq !== null && isRunning(model.flow);
}

/** The flow as it would run next, where that is what is shown and not the latest run. */
function waiting(state: DeskState): readonly NodeCard[] | null {
  const bundle = state.look?.bundle ?? null;
  return bundle === null || isLive(state) ? null : bundle.picture.nodes;
}

/** The cards of the picture that is shown: of the run that goes on, else of the flow as it stands. */
export function cards(state: DeskState): Iterable<NodeCard> {
  return waiting(state) ?? state.model.cards.values();
}

/** The number that a node of the shown picture has in the latest run; null when that run had no such task. */
export function inRun(state: DeskState, node: number): number | null {
  if (waiting(state) === null) return state.model.cards.has(node) ? node : null;
  return sameTask(cardOf(state, node), state.model.cards.values());
}

/** The other way round: the number that a node of the latest run has in the shown picture. */
export function shownAs(state: DeskState, node: number): number | null {
  const shown = waiting(state);
  return shown === null ? node : sameTask(state.model.cards.get(node) ?? null, shown);
}

/** A task is the same when its cell is; one without a cell, when its name is. */
function sameTask(card: NodeCard | null, others: Iterable<NodeCard>): number | null {
  if (card === null) return null;
  for (const other of others) {
    if (card.cell === "" ? other.cell === "" && other.slug === card.slug : other.cell === card.cell) return other.node;
  }
  return null;
}

/** What there is to tell of a task that has not been part of a run: its code, as it stands in the notebook. */
export function notRun(state: DeskState, node: number, source: (cell: string) => string | undefined): TaskDetails {
  const code = source(cardOf(state, node)?.cell ?? "") ?? "";
  const run = state.look?.run ?? "";
  return { type: "task", run, node, why: "It has not run yet.", moments: [], inputs: [], result: "", logs: "", code, cause: -1 };
}

/** How the message of a cell begins that a person ran, as in `flowbook/notebook/desk.py`. */
const BY_HAND = "Run by hand";

/**
 * The story of a cell that a person ran after the flow had run it, or that no flow has run: null for any other. What a run
 * before it has to say of its node would be told as if it were about this.
 */
export function ranByHand(state: DeskState, node: number, source: (cell: string) => string | undefined): TaskDetails | null {
  const cell = cardOf(state, node)?.cell ?? "";
  const look = cell === "" ? null : cellLook(state, cell);
  if (look === null || isLive(state) || look.ended === null || !look.message.startsWith(BY_HAND)) return null;
  const moments = look.started === null ? [] : [{ at: look.started, state: "Running", message: "" }];
  return {
    ...notRun(state, node, source),
    why: look.message.replace(BY_HAND, look.state === "Failed" ? "It was run by hand and failed" : "It was run by hand"),
    moments: [...moments, { at: look.ended, state: look.state, message: look.message }],
    result: "It was run by hand: what it made is in the kernel.",
    logs: "It was run by hand: what it printed stands below the cell.",
  };
}

export function cardOf(state: DeskState, node: number): NodeCard | null {
  for (const card of cards(state)) if (card.node === node) return card;
  return null;
}

/** The node that a cell is, where it is one. */
export function nodeOf(state: DeskState, cell: string): number | null {
  for (const card of cards(state)) if (card.cell === cell) return card.node;
  return null;
}

export function cellLook(state: DeskState, cell: string): CellLook | null {
  return state.look?.cells.find((look) => look.cell === cell) ?? null;
}
