/**
 * The door for data from outside: a saved file or a kernel of another version may hold anything.
 *
 * What passes has the shape that the fold relies on; texts are only ever shown as text, so they are not looked into.
 */

import type { Bundle, ChildLook, NodeCard, NodeLook, RunLook, ToView } from "./protocol";

type Loose = Readonly<Record<string, unknown>>;

/** The message, or null when it is none that we know. */
export function acceptMessage(data: unknown): ToView | null {
  if (!isRecord(data) || typeof data["run"] !== "string") return null;
  switch (data["type"]) {
    case "picture":
      return isPicture(data) ? (data as unknown as ToView) : null;
    case "snapshot":
      return isNews(data) ? (data as unknown as ToView) : null;
    case "changes":
      return isNews(data) && isNumber(data["since"]) ? (data as unknown as ToView) : null;
    case "acknowledged":
      return isText(data["id"]) && typeof data["ok"] === "boolean" ? (data as unknown as ToView) : null;
    case "children":
      return isChildren(data) ? (data as unknown as ToView) : null;
    case "notebook":
      return isNotebook(data) ? (data as unknown as ToView) : null;
    case "task":
      return isDetails(data) ? (data as unknown as ToView) : null;
    case "outputs":
      return isText(data["cell"]) && isText(data["outputs"]) && isTime(data["count"]) ? (data as unknown as ToView) : null;
    default:
      return null;
  }
}

/** The bundle, or null when it is none. */
export function acceptBundle(data: unknown): Bundle | null {
  if (!isRecord(data) || !isText(data["run"]) || typeof data["live"] !== "boolean") return null;
  const picture = acceptMessage(data["picture"]);
  const snapshot = acceptMessage(data["snapshot"]);
  // A file of an older version says nothing of children; it is drawn all the same.
  const children = data["children"] ?? [];
  if (!isListOf(children, (item) => acceptMessage(item)?.type === "children")) return null;
  return picture?.type === "picture" && snapshot?.type === "snapshot" ? ({ ...data, children } as unknown as Bundle) : null;
}

function isPicture(data: Loose): boolean {
  const isDrawn = isText(data["svg"]) && isText(data["flow"]) && isText(data["notice"]) && isNumber(data["protocol"]);
  return isDrawn && isListOf(data["controls"], isText) && isListOf(data["nodes"], isCard);
}

function isNews(data: Loose): boolean {
  return isNumber(data["seq"]) && isNumber(data["at"]) && isRunLook(data["flow"]) && isListOf(data["nodes"], isLook);
}

function isCard(data: unknown): data is NodeCard {
  if (!isRecord(data) || !isNumber(data["node"]) || !isNumber(data["attempts"])) return false;
  const isNamed = isText(data["name"]) && isText(data["slug"]) && isText(data["kind"]);
  const isLinked = isListOf(data["upstream"], isNumber) && isListOf(data["downstream"], isNumber);
  return isNamed && isLinked && (data["mapped"] === undefined || typeof data["mapped"] === "boolean");
}

function isLook(data: unknown): data is NodeLook {
  if (!isRecord(data) || !isNumber(data["node"]) || !isNumber(data["attempt"])) return false;
  return isTold(data) && isTime(data["width"] ?? null) && isCounts(data["counts"] ?? null);
}

function isChild(data: unknown): data is ChildLook {
  return isRecord(data) && isNumber(data["index"]) && isNumber(data["attempt"]) && isTold(data);
}

function isTold(data: Loose): boolean {
  const hasTimes = isTime(data["started"]) && isTime(data["ended"]) && isTime(data["due"]);
  return hasTimes && isText(data["state"]) && isText(data["message"]) && isText(data["result"]);
}

function isChildren(data: Loose): boolean {
  const isPlaced = isNumber(data["node"]) && isNumber(data["total"]) && isNumber(data["offset"]);
  return isPlaced && (data["which"] === "all" || data["which"] === "failed") && isListOf(data["rows"], isChild);
}

function isNotebook(data: Loose): boolean {
  const isPlaced = isNumber(data["seq"]) && isNumber(data["at"]) && isText(data["notebook"]) && isText(data["basis"]) && isText(data["flow"]);
  if (!isPlaced || !(data["bundle"] === null || acceptBundle(data["bundle"]) !== null)) return false;
  const areListed = isListOf(data["cells"], isCellLook) && isListOf(data["problems"], isProblem);
  return areListed && isListOf(data["fields"], isField) && isListOf(data["reasons"], isReason);
}

function isCellLook(data: unknown): boolean {
  if (!isRecord(data) || !isText(data["cell"]) || !isText(data["role"]) || !isText(data["name"])) return false;
  const isTimed = isTime(data["started"]) && isTime(data["ended"]) && isNumber(data["node"]) && isNumber(data["attempt"]);
  const isMarked = typeof data["dirty"] === "boolean" && typeof data["stale"] === "boolean";
  return isTimed && isMarked && isText(data["converted"]) && isText(data["again"]) && isText(data["state"]) && isText(data["message"]);
}

function isProblem(data: unknown): boolean {
  if (!isRecord(data) || !isText(data["cell"]) || !isText(data["text"]) || !isTime(data["line"])) return false;
  const isFix = (fix: unknown): boolean =>
    isRecord(fix) && isText(fix["label"]) && isText(fix["cell"]) && isText(fix["source"]);
  return typeof data["grave"] === "boolean" && isListOf(data["fixes"], isFix);
}

function isField(data: unknown): boolean {
  if (!isRecord(data) || !isText(data["name"]) || !isText(data["kind"]) || !isText(data["value"])) return false;
  const isMarked = typeof data["required"] === "boolean" && typeof data["hidden"] === "boolean";
  return isMarked && isText(data["about"]) && isListOf(data["choices"], isText);
}

function isReason(data: unknown): boolean {
  return isRecord(data) && isText(data["upstream"]) && isText(data["downstream"]) && isText(data["text"]);
}

function isDetails(data: Loose): boolean {
  const isMoment = (one: unknown): boolean =>
    isRecord(one) && isNumber(one["at"]) && isText(one["state"]) && isText(one["message"]);
  const isItem = (one: unknown): boolean =>
    isRecord(one) && isText(one["name"]) && isText(one["text"]) && isText(one["origin"]);
  const isPlaced = isNumber(data["node"]) && isNumber(data["cause"]) && isText(data["why"]) && isText(data["result"]);
  const areTexts = isText(data["logs"]) && isText(data["code"]);
  return isPlaced && areTexts && isListOf(data["moments"], isMoment) && isListOf(data["inputs"], isItem);
}

function isCounts(data: unknown): boolean {
  return data === null || (isRecord(data) && Object.values(data).every(isNumber));
}

function isRunLook(data: unknown): data is RunLook {
  if (!isRecord(data) || !isText(data["state"]) || !isText(data["message"]) || !isText(data["sentence"])) return false;
  const isTimed = isTime(data["started"]) && isTime(data["ended"]) && isTime(data["due"] ?? null); // not in old notebooks
  return isTimed && typeof data["paused"] === "boolean";
}

function isRecord(data: unknown): data is Loose {
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

function isListOf(data: unknown, isOne: (item: unknown) => boolean): boolean {
  return Array.isArray(data) && data.every(isOne);
}

function isText(data: unknown): data is string {
  return typeof data === "string";
}

function isNumber(data: unknown): data is number {
  return typeof data === "number" && Number.isFinite(data);
}

function isTime(data: unknown): boolean {
  return data === null || isNumber(data);
}
