/** What outlives a reload. Kernels in which a person asked to see the notebook as a flow: remembered over a reload, and by a second tab. */

import type { Basis } from "../protocol";

const KEY = "jupyter-flowbook:kernels";
const MOST = 50;

export function remember(kernel: string, basis: Basis): void {
  const kept = read().filter(([id]) => id !== kernel);
  try {
    localStorage.setItem(KEY, JSON.stringify([...kept, [kernel, basis]].slice(-MOST)));
  } catch {
    // A browser that keeps nothing is asked again after a reload.
  }
}

export function recall(kernel: string): Basis | null {
  return read().find(([id]) => id === kernel)?.[1] ?? null;
}

function read(): [string, Basis][] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(entry: unknown): entry is [string, Basis] {
  return Array.isArray(entry) && typeof entry[0] === "string" && ["nothing", "tasks", "document"].includes(entry[1]);
}

const PANEL = "jupyter-flowbook:panel";

/** Whether the panel stood open in this tab of the browser, for applications that do not restore their side bars. */
export function recallPanel(): boolean {
  try {
    return sessionStorage.getItem(PANEL) === "open";
  } catch {
    return false;
  }
}

export function rememberPanel(isOpen: boolean): void {
  try {
    sessionStorage.setItem(PANEL, isOpen ? "open" : "closed");
  } catch {
    // Then it is closed after a reload.
  }
}
