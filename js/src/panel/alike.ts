/** Records that say the same: each message brings new objects, most of them with nothing new in them. */

/** Whether two records say the same; lists in them are compared by what they hold. */
export function alike(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const [left, right] = [Object.entries(a), b as Readonly<Record<string, unknown>>];
  return left.length === Object.keys(b).length && left.every(([name, value]) => alike(value, right[name]));
}
