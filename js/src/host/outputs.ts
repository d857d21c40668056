/** Puts what cells print and show during a run where it belongs: below the cells. */

import type { CellOutputs } from "../protocol";
import { soon } from "./bell";

export class OutputsWriter {
  private readonly waiting = new Map<string, CellOutputs>();
  private readonly written = new Map<string, string>();
  private readonly turn = soon(() => this.write());

  constructor(private readonly cellOf: (cell: string) => CellModel | null) {}

  /** Only the newest list of a cell counts, and a cell that prints a lot is written once a frame. */
  take(message: CellOutputs): void {
    this.waiting.set(message.cell, message);
    this.turn.want();
  }

  dispose(): void {
    this.turn.forget();
  }

  private write(): void {
    for (const [id, { run, outputs, count }] of this.waiting) {
      const cell = this.cellOf(id);
      if (cell === null || cell.type !== "code") continue;
      if (cell.executionCount !== count) cell.executionCount = count;
      // A person may have cleared or run the cell since, so what it holds now is looked at, too.
      const text = `${run} ${outputs}`;
      if (this.written.get(id) === text && cell.outputs?.length === listOf(outputs).length) continue;
      this.written.set(id, text);
      cell.trusted = true; // a person on this page had it run, as with Shift+Enter
      cell.outputs?.fromJSON(listOf(outputs));
    }
    this.waiting.clear();
  }
}

function listOf(outputs: string): readonly unknown[] {
  const list: unknown = JSON.parse(outputs);
  return Array.isArray(list) ? list : [];
}
