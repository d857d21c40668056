/** Somebody to be told at once when something changes. Shaped as JupyterLab's signals are. */

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
