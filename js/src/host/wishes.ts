/** A wish for a notebook that opens in a page of its own: to be shown as a flow there. */

const KEY = "jupyter-flowbook:wishes";
/** A page that has not opened by then, in milliseconds, never will. */
const PATIENCE = 60_000;

export function leaveWish(path: string): void {
  try {
    localStorage.setItem(KEY, JSON.stringify({ ...read(), [path]: Date.now() }));
  } catch {
    // The page opens all the same; a person can ask there again.
  }
}

/** Whether there was a wish for this notebook; it is gone then. */
export function takeWish(path: string): boolean {
  const { [path]: when, ...others } = read();
  if (when === undefined) return false;
  try {
    localStorage.setItem(KEY, JSON.stringify(others));
  } catch {
    return false;
  }
  return Date.now() - when < PATIENCE;
}

function read(): Record<string, number> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const entries = typeof kept === "object" && kept !== null ? Object.entries(kept) : [];
    return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === "number"));
  } catch {
    return {};
  }
}
