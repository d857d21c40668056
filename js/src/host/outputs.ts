/** Puts what cells print and show during a run where it belongs: below the cells. */

import type { CellOutputs } from "../protocol";
import { soon } from "../turns";
import { idOf } from "./cells";

export class OutputsWriter {
  private readonly waiting = new Map<string, CellOutputs>();
  private readonly written = new Map<string, string>();
  private readonly turn = soon((room) => this.write(room));

  constructor(private readonly cells: () => Iterable<CellModel>) {}

  /** Only the newest list of a cell counts, and a cell that prints a lot is written once a frame. */
  take(message: CellOutputs): void {
    this.waiting.set(message.cell, message);
    this.turn.want();
  }

  dispose(): void {
    this.turn.forget();
  }

  /**
   * Write what there is room for in this frame. JupyterLab tells many of each change of a cell, so that a mere number may
   * take longer than all that we paint.
   */
  private write(room: number): void {
    const began = performance.now();
    const cells = new Map<string, CellModel>();
    for (const cell of this.cells()) cells.set(idOf(cell), cell);
    for (const [id, message] of this.waiting) {
      this.waiting.delete(id);
      const cell = cells.get(id);
      if (cell !== undefined) this.writeCell(id, cell, message);
      if (performance.now() - began >= room) break;
    }
    if (this.waiting.size > 0) this.turn.want();
  }

  private writeCell(id: string, cell: CellModel, { run, outputs, count }: CellOutputs): void {
    if (cell.outputs === undefined) return;
    if (count !== null && cell.executionCount !== count) cell.executionCount = count;
    // A person may have cleared or run the cell since, so what it holds now is looked at, too.
    const text = `${run} ${outputs}`;
    const list = listOf(outputs);
    const isSame = this.written.get(id) === text && cell.outputs.length === list.length;
    this.written.set(id, text);
    if (isSame || (list.length === 0 && cell.outputs.length === 0)) return; // each writing is a change of the notebook
    if (!cell.trusted) cell.trusted = true; // a person on this page had it run, as with Shift+Enter
    cell.outputs.fromJSON(list);
  }
}

function listOf(outputs: string): readonly unknown[] {
  const list: unknown = JSON.parse(outputs);
  return Array.isArray(list) ? list : [];
}
