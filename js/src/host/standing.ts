/** How cells and nodes stand to each other, and how each cell stands: read out of a desk's state. No DOM. */

import { isRunning } from "../model";
import type { DeskState } from "../panel/desk";
import type { CellLook, NodeCard } from "../protocol";

/** Whether a run of this notebook goes on. */
export function isLive(state: DeskState): boolean {
  const { model } = state;
  return model.picture !== null && model.seq !== null && isRunning(model.flow);
}

/** The cards of the picture that is shown: of the run that goes on, else of the flow as it stands. */
export function cards(state: DeskState): Iterable<NodeCard> {
  const bundle = state.look?.bundle ?? null;
  return bundle === null || isLive(state) ? state.model.cards.values() : bundle.picture.nodes;
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
