/**
 * Turns at painting: once a frame at most for each who wants one, and no more of them in one frame than it has room for.
 *
 * A message may be news for the panel, for the picture, and for the marks at hundreds of cells. Each of these is quick;
 * all of them in one frame, with what the browser has to lay out and paint after them, are not. Who wants a turn has
 * it in the order of asking, and a frame that is used up leaves the others for the next one.
 */

/** So many milliseconds of a frame's sixteen are ours; after a turn that went beyond, no other begins. */
const BUDGET = 5;
/** A hidden page has no frames; there this many milliseconds have to do. */
const UNSEEN = 250;

export interface Turn {
  /** Have it soon, once however often it is wanted until then. Wanted during the turn itself, it is for a later frame. */
  want(): void;
  forget(): void;
}

/** `room`: so many milliseconds of this frame are left; without end where nobody sees the page. */
type Act = (room: number) => void;

const queue = new Set<Act>();
let frame: number | null = null;
let timer: ReturnType<typeof setTimeout> | null = null;

export function soon(act: Act): Turn {
  // Two who want the same function each have a turn of their own.
  const own: Act = (room) => act(room);
  return {
    want: () => {
      queue.add(own);
      plan();
    },
    forget: () => {
      queue.delete(own);
      if (queue.size === 0) unplan();
    },
  };
}

function plan(): void {
  // Both, for the page may be hidden between now and its next frame.
  timer ??= setTimeout(() => take(Number.POSITIVE_INFINITY), UNSEEN);
  const hasFrames = typeof requestAnimationFrame === "function" && !document.hidden;
  if (hasFrames) frame ??= requestAnimationFrame(() => take(BUDGET));
}

function unplan(): void {
  if (frame !== null) cancelAnimationFrame(frame);
  if (timer !== null) clearTimeout(timer);
  frame = timer = null;
}

function take(budget: number): void {
  unplan();
  const began = performance.now();
  try {
    for (const act of [...queue]) {
      // A turn may have another one forgotten.
      if (!queue.delete(act)) continue;
      act(budget - (performance.now() - began));
      if (performance.now() - began >= budget) break;
    }
  } finally {
    if (queue.size > 0) plan(); // whatever one of them threw, the others have their turns
  }
}
