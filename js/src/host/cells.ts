/** Reads a notebook's cells, as JupyterLab holds them, for what the kernel is told about them. */

import { type Basis, type CellText, type Document, MIME } from "../protocol";

const TASK = /^\s*%%(task|flow)\b/;
const MENTION = /^\s*(%%(task|flow)\b|%(load_ext|reload_ext)\s+flowbook\b|%flowbook\b|(import|from)\s+flowbook\b)/m;

/** What the kernel is told; without a choice of a person, a notebook with task cells is a flow of those. */
export function documentOf(name: string, cells: Iterable<CellModel>, chosen: Basis | null): Document {
  const texts: CellText[] = [];
  for (const cell of cells) {
    if (cell.type !== "code") continue;
    texts.push({ cell: idOf(cell), source: cell.sharedModel.getSource(), tags: tagsOf(cell) });
  }
  const basis = chosen ?? (texts.some((text) => TASK.test(text.source)) ? "tasks" : "nothing");
  return { type: "document", name, basis, cells: texts };
}

/** Whether the notebook itself says that it has to do with flowbook, in its code or by what it shows. */
export function mentionsFlowbook(cells: Iterable<CellModel>): boolean {
  for (const cell of cells) {
    if (cell.type !== "code") continue;
    if (MENTION.test(cell.sharedModel.getSource())) return true;
    const outputs = cell.outputs;
    for (let place = 0; outputs !== undefined && place < outputs.length; place += 1) {
      if (MIME in (outputs.get(place).data ?? {})) return true;
    }
  }
  return false;
}

const ids = new WeakMap<CellModel, string>();

/** The id of a cell: the same for as long as its model lives, and read out of the shared document only once. */
export function idOf(cell: CellModel): string {
  const known = ids.get(cell);
  if (known !== undefined) return known;
  ids.set(cell, cell.id);
  return cell.id;
}

/** Whether a cell is a task cell already. */
export function isTaskCell(source: string): boolean {
  return TASK.test(source);
}

/** The source of a cell that became a task cell. Magics that must stand on top, such as `%%time`, cannot both be. */
export function asTask(source: string): string | null {
  if (TASK.test(source) || source.trimStart().startsWith("%%")) return null;
  return `%%task\n${source}`;
}

function tagsOf(cell: CellModel): string[] {
  const tags = cell.getMetadata("tags");
  return Array.isArray(tags) ? tags.filter((tag): tag is string => typeof tag === "string") : [];
}
