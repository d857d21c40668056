/** Somebody to be told when something changes: at once, or at most once a frame. Shaped as JupyterLab's signals are. */

type Slot<Value> = (sender: unknown, value: Value) => void;

export class Bell<Value = void> implements Signal<unknown, Value> {
  private readonly slots = new Map<Slot<Value>, unknown[]>();

  connect(slot: Slot<Value>, self?: unknown): boolean {
    const known = this.slots.get(slot) ?? [];
    if (known.includes(self)) return false;
    this.slots.set(slot, [...known, self]);
    return true;
  }

  disconnect(slot: Slot<Value>, self?: unknown): boolean {
    const known = this.slots.get(slot);
    if (known === undefined || !known.includes(self)) return false;
    const left = known.filter((one) => one !== self);
    if (left.length === 0) this.slots.delete(slot);
    else this.slots.set(slot, left);
    return true;
  }

  ring(value: Value): void {
    for (const [slot, selves] of [...this.slots]) for (const self of selves) slot.call(self, this, value);
  }
}

/** A hidden page has no frames; there this many milliseconds have to do. */
const UNSEEN = 250;

/** Do something soon, once however often it was wanted: before the next frame, where the page has frames. */
export function soon(act: () => void): { want(): void; forget(): void } {
  let frame: number | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  const forget = (): void => {
    if (frame !== null) cancelAnimationFrame(frame);
    if (timer !== null) clearTimeout(timer);
    frame = timer = null;
  };
  const go = (): void => {
    forget();
    act();
  };
  const want = (): void => {
    if (timer !== null) return;
    // Both, for the page may be hidden between now and its next frame.
    timer = setTimeout(go, UNSEEN);
    if (typeof requestAnimationFrame === "function" && !document.hidden) frame = requestAnimationFrame(go);
  };
  return { want, forget };
}
