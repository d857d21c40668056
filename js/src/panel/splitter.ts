/** The line between the picture and the rest, which mouse and arrow keys move. */

import type { Maker } from "./dom";

const LEAST = 12;
const MOST = 75;
const STEP = 4;

/** `move` is told the share of the room, in percent, that the part above gets, and whether a person wants it so. */
export function splitter(make: Maker, room: () => DOMRect, first: number, move: (share: number, isWanted: boolean) => void): HTMLElement {
  const element = make("div", "fp-splitter");
  let share = first;
  const set = (wanted: number): void => {
    share = Math.round(Math.min(MOST, Math.max(LEAST, wanted)));
    element.setAttribute("aria-valuenow", String(share));
    move(share, true);
  };
  element.tabIndex = 0;
  element.setAttribute("role", "separator");
  element.setAttribute("aria-orientation", "horizontal");
  element.setAttribute("aria-label", "Height of the picture");
  element.setAttribute("aria-valuemin", String(LEAST));
  element.setAttribute("aria-valuemax", String(MOST));
  element.addEventListener("keydown", (event) => {
    const keys: Readonly<Record<string, number>> = { ArrowUp: share - STEP, ArrowDown: share + STEP, Home: LEAST, End: MOST };
    const wanted = keys[event.key];
    if (wanted === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    set(wanted);
  });
  element.addEventListener("pointerdown", (start) => {
    if (start.button !== 0) return;
    start.preventDefault();
    element.setPointerCapture(start.pointerId);
    const drag = (event: PointerEvent): void => {
      const { top, height } = room();
      if (height > 0) set((100 * (event.clientY - top)) / height);
    };
    const end = (): void => {
      element.removeEventListener("pointermove", drag);
      element.removeEventListener("lostpointercapture", end);
    };
    element.addEventListener("pointermove", drag);
    element.addEventListener("lostpointercapture", end);
  });
  const reset = (): void => {
    set(first);
    move(first, false);
  };
  element.addEventListener("dblclick", reset);
  reset();
  return element;
}
