/**
 * What is said and drawn of a mapped task, which stands for all its children: the twin of a part of
 * `flowbook/view/words.py`, held together with it by the vectors in `tests/protocol/texts.json`.
 */

import { FAMILIES, type Family } from "./look";
import { familyOf, hasEnded } from "./model";
import type { NodeLook } from "./protocol";

/** What is said of children beside done and failed: what is left out or waits for a time or a person. */
const TOLD = ["Skipped", "Cancelled", "Retrying", "Paused"];
/** Between two parts of a bar of children, and the length of its smallest part. */
const SHARE_GAP = 1;
const SHARE_LEAST = 3;

/** One part of the bar of a mapped task. */
export interface Share {
  readonly family: Family;
  readonly x: number;
  readonly length: number;
}

/** The children by state. Only what the kernel counted: a name like `constructor` is no count of ours. */
function countsOf(look: NodeLook): readonly (readonly [string, number])[] {
  return Object.entries(look.counts ?? {});
}

function countIn(look: NodeLook, isWanted: (state: string) => boolean): number {
  return countsOf(look).reduce((sum, [state, count]) => sum + (isWanted(state) ? count : 0), 0);
}

/** How many children have failed. */
export function failedChildren(look: NodeLook): number {
  return countIn(look, (state) => familyOf(state) === "bad");
}

/** Whether a child runs. */
export function isBusy(look: NodeLook): boolean {
  return countIn(look, (state) => familyOf(state) === "active") > 0;
}

/** How the children are, in numbers: what failed is never left out. */
export function childrenText(look: NodeLook): string {
  const width = look.width ?? 0;
  if (width === 0) return "no elements";
  const over = countIn(look, hasEnded);
  const bad = failedChildren(look);
  const others = TOLD.flatMap((told) => {
    const count = countIn(look, (state) => state === told);
    return count > 0 && told !== look.state ? [`${thousands(count)} ${told.toLowerCase()}`] : [];
  });
  if (over < width) {
    const failed = bad > 0 ? [`${thousands(bad)} failed`] : [];
    return [`${thousands(over)} of ${thousands(width)}`, ...failed, ...others].join(" · ");
  }
  const done = over - bad - countIn(look, (state) => state === "Skipped" || state === "Cancelled");
  const plain = done > 0 || others.length === 0 ? `${thousands(done)} done` : "";
  const first = bad > 0 ? `${thousands(bad)} of ${thousands(width)} failed` : plain;
  return [first, ...others].filter(Boolean).join(" · ");
}

/** The bar of a mapped task; each family that any child is in can be seen, be it one of a hundred thousand. */
export function shares(look: NodeLook, room: number): Share[] {
  const counted = FAMILIES.map((family) => ({ family, count: countIn(look, (state) => familyOf(state) === family) }));
  const present = counted.filter(({ count }) => count > 0);
  const free = room - SHARE_GAP * (present.length - 1);
  const total = present.reduce((sum, { count }) => sum + count, 0);
  const isSmall = (count: number): boolean => (free * count) / total < SHARE_LEAST;
  const large = present.filter(({ count }) => !isSmall(count));
  const left = free - SHARE_LEAST * (present.length - large.length);
  const rest = large.reduce((sum, { count }) => sum + count, 0);
  let x = 0;
  return present.map(({ family, count }) => {
    const share = { family, x, length: isSmall(count) ? SHARE_LEAST : (left * count) / rest };
    x += share.length + SHARE_GAP;
    return share;
  });
}

export function thousands(count: number): string {
  return count.toLocaleString("en-US");
}
