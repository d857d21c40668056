/** Where an arrow key leads: a pure walk over the graph and the places of its nodes. */

import type { Box } from "./geometry";
import type { NodeCard } from "./protocol";

export type Step = "left" | "right" | "up" | "down" | "first" | "last";

export interface Ground {
  readonly cards: ReadonlyMap<number, NodeCard>;
  readonly boxes: ReadonlyMap<number, Box>;
}

/**
 * The node one step from `node`, or `node` itself where the picture ends.
 *
 * Along the flow (right in a picture that runs to the right) steps follow edges; across it they go to the neighbour in
 * the same rank. `came` is the node of the step before: going back leads there if an edge does.
 */
export function walk(ground: Ground, node: number, step: Step, came: number | null = null): number {
  const order = [...ground.cards.keys()].filter((id) => ground.boxes.has(id));
  if (step === "first") return order[0] ?? node;
  if (step === "last") return order.at(-1) ?? node;
  const isDown = runsDown(ground);
  const along = isDown ? step === "up" || step === "down" : step === "left" || step === "right";
  const isForward = step === "right" || step === "down";
  return along ? alongEdge(ground, node, isForward, came, isDown) : acrossRank(ground, node, isForward, isDown);
}

/** Nodes whose names hold the words typed, those that start with them first; in the order of the flow. */
export function search(cards: Iterable<NodeCard>, typed: string): number[] {
  const wanted = typed.trim().toLowerCase();
  if (wanted === "") return [];
  const found = [...cards].filter((card) => card.name.toLowerCase().includes(wanted));
  const starts = (card: NodeCard): number => (card.name.toLowerCase().startsWith(wanted) ? 0 : 1);
  return found.sort((a, b) => starts(a) - starts(b)).map((card) => card.node);
}

/** Whether the flow runs from top to bottom: most edges lead further down than right. */
export function runsDown(ground: Ground): boolean {
  let across = 0;
  let down = 0;
  for (const card of ground.cards.values()) {
    const from = ground.boxes.get(card.node);
    for (const next of card.downstream) {
      const to = ground.boxes.get(next);
      if (from === undefined || to === undefined) continue;
      across += to.x - from.x - from.width; // an edge to the right leaves the box first
      down += to.y - from.y - from.height;
    }
  }
  return down > across;
}

/** Nodes that only hold a value; many of them stand before the first task, and would be all that a small window shows. */
const VALUES: readonly NodeCard["kind"][] = ["parameter", "constant"];

/** Where the flow begins: its leftmost task, or in a picture that runs down its topmost. */
export function beginning(ground: Ground): Box | undefined {
  const isDown = runsDown(ground);
  const rank = (box: Box): number => (isDown ? box.y : box.x);
  const boxesOf = (cards: readonly NodeCard[]): readonly Box[] => cards.flatMap((card) => ground.boxes.get(card.node) ?? []);
  const all = [...ground.cards.values()];
  const tasks = boxesOf(all.filter((card) => !VALUES.includes(card.kind)));
  const boxes = tasks.length > 0 ? tasks : boxesOf(all);
  return boxes.reduce<Box | undefined>((best, box) => (best === undefined || rank(box) < rank(best) ? box : best), undefined);
}

function alongEdge(ground: Ground, node: number, isForward: boolean, came: number | null, isDown: boolean): number {
  const card = ground.cards.get(node);
  const next = (isForward ? card?.downstream : card?.upstream) ?? [];
  if (came !== null && next.includes(came)) return came;
  return closest(ground, node, next, (here, there) => Math.abs(isDown ? there.x - here.x : there.y - here.y));
}

/** The nearest node of the same rank above or below; boxes of one rank overlap along the flow, those of two do not. */
function acrossRank(ground: Ground, node: number, isForward: boolean, isDown: boolean): number {
  const home = ground.boxes.get(node);
  const rank = [...ground.boxes].filter(([, box]) => home !== undefined && sharesRank(home, box, isDown));
  const sign = isForward ? 1 : -1;
  return closest(
    ground,
    node,
    rank.map(([other]) => other),
    (here, there) => {
      const ahead = sign * (isDown ? there.x - here.x : there.y - here.y);
      return ahead > 0 ? ahead : Infinity;
    },
  );
}

function sharesRank(a: Box, b: Box, isDown: boolean): boolean {
  return isDown ? a.y < b.y + b.height && b.y < a.y + a.height : a.x < b.x + b.width && b.x < a.x + a.width;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

/** The candidate at the least finite distance, else `node`. */
function closest(
  ground: Ground,
  node: number,
  candidates: readonly number[],
  distance: (here: Point, there: Point) => number,
): number {
  const here = centre(ground, node);
  let best = node;
  let least = Infinity;
  for (const candidate of candidates) {
    const there = centre(ground, candidate);
    if (here === null || there === null) continue;
    const far = distance(here, there);
    if (far < least) {
      least = far;
      best = candidate;
    }
  }
  return best;
}

function centre(ground: Ground, node: number): Point | null {
  const box = ground.boxes.get(node);
  return box === undefined ? null : { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}
