/** Which node a picture that is larger than its window should show now: what runs, and at the end what failed. Pure. */

import type { Box } from "./geometry";
import { familyOf, isOver, isRunning, type Model } from "./model";

/** So many seconds a person who has moved the picture, or chosen a node, is left alone. */
export const LEFT_ALONE = 4;
/** And so many lie between two moves of the picture: a flow of quick tasks would make it jump about. */
export const CALM = 1;

/** The box to bring into sight, or null where what matters is seen already (in the window `seen`), or nothing does. */
export function followed(model: Model, boxes: ReadonlyMap<number, Box>, seen: Box): Box | null {
  const wanted = isOver(model.flow) ? failed(model) : isRunning(model.flow) ? running(model) : [];
  const found = wanted.flatMap((node) => boxes.get(node) ?? []);
  return found.some((box) => isWithin(box, seen)) ? null : (found[0] ?? null);
}

/** The one that failed first: what failed after it mostly did because of it. */
function failed(model: Model): readonly number[] {
  const looks = [...model.looks.values()].filter((look) => familyOf(look.state) === "bad" && look.state !== "TriggerFailed");
  return looks.sort((a, b) => (a.ended ?? 0) - (b.ended ?? 0)).slice(0, 1).map((look) => look.node);
}

function running(model: Model): readonly number[] {
  return [...model.looks.values()].filter((look) => familyOf(look.state) === "active").map((look) => look.node);
}

/** Whether the middle of a box is seen. */
function isWithin(box: Box, seen: Box): boolean {
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  return x >= seen.x && x <= seen.x + seen.width && y >= seen.y && y <= seen.y + seen.height;
}
