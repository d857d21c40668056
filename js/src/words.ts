/**
 * What a view says. The first half is the twin of `flowbook/view/words.py`, held together with it by the vectors in
 * `tests/protocol/texts.json`; the second half is said only by live views.
 */

import { CARD, FAMILIES, FAMILY_WORD, type Family, ROUTINE } from "./look";
import { childrenText, failedChildren, thousands } from "./mapped";
import { clean, elide, textWidth } from "./measure";
import { doneOf, familyCounts, familyOf, hasEnded, isOver, type Model, type Request, startOf } from "./model";
import type { ChildLook, NodeCard, NodeLook, RunLook, Verb } from "./protocol";

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

export interface NodeTexts {
  /** The full state line; shorten it to the card, at its end. */
  readonly state: string;
  readonly time: string;
  /** The share of a wait that is over, 0 to 1; null where nothing is waited for. */
  readonly bar: number | null;
  /** The state line without the word of the state, for a mapped task whose numbers take all the room. */
  readonly short: string;
}

/** A span of time as people say it, never more than two units. */
export function duration(span: number): string {
  const seconds = Math.max(0, span);
  const thousandths = round(seconds * 1000);
  if (thousandths < 100) return thousandths === 0 ? "< 1 ms" : `${thousandths} ms`;
  const tenths = round(seconds * 10);
  if (tenths < 100) return `${Math.floor(tenths / 10)}.${tenths % 10} s`;
  const whole = round(seconds);
  if (whole < MINUTE) return `${whole} s`;
  if (whole < HOUR) return `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;
  const minutes = round(seconds / MINUTE);
  if (minutes < DAY / MINUTE) return `${Math.floor(minutes / 60)} h ${twoDigits(minutes % 60)} min`;
  const hours = round(seconds / HOUR);
  return `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h`;
}

/** How long until something starts; never "in 0 s". */
export function countdown(seconds: number): string {
  const left = Math.ceil(seconds - 1e-6);
  if (left <= 0) return "now";
  return left < MINUTE ? `in ${left} s` : `in ${duration(left)}`;
}

/** The words of a node when the kernel's clock says `now`. An empty state means that its flow has not run. */
export function nodeTexts(look: NodeLook, card: NodeCard, now: number): NodeTexts {
  if (look.state === "") return { state: idleText(card), time: "", bar: null, short: "" };
  if (look.counts !== null) {
    const short = childrenText(look);
    const time = isDue(look) && look.due !== null ? countdown(look.due - now) : elapsed(look, card, now);
    return { state: `${clean(look.state)} · ${short}`, time, bar: null, short };
  }
  const state = [clean(look.state), attemptText(look, card), detail(look)].filter(Boolean).join(" · ");
  if (isDue(look) && look.due !== null) return { state, time: countdown(look.due - now), bar: waited(look, now), short: "" };
  return { state, time: elapsed(look, card, now), bar: null, short: "" };
}

/** The state line that fits into `room`: whole, else short, else with its end left out. */
export function lineOf(texts: NodeTexts, room: number): string {
  const isWhole = texts.short === "" || textWidth(texts.state, CARD.size) <= room;
  return elide(isWhole ? texts.state : texts.short, room, CARD.size);
}

/** All there is to say about a node in one line, for tooltips and screen readers. */
export function nodeTitle(look: NodeLook, card: NodeCard, now: number): string {
  const texts = nodeTexts(look, card, now);
  return `${clean(card.name)}: ${texts.state}${texts.time === "" ? "" : `, ${texts.time}`}`;
}

/** What stands in the state line of a node whose flow has not run. */
export function idleText(card: NodeCard): string {
  const kind = card.mapped ? `mapped ${card.kind}` : card.kind;
  return card.attempts > 1 ? `${kind} · up to ${card.attempts} attempts` : kind;
}

/** Whether the node waits for a moment that is known. */
export function isDue(look: NodeLook): boolean {
  const family = familyOf(look.state);
  return look.due !== null && (family === "waiting" || family === "warn") && !hasEnded(look.state);
}

/** How many task runs are done; those that were not run are not. */
export function progress(model: Model): string {
  const [done, total] = doneOf(model);
  return `${thousands(done)} of ${thousands(total)}`;
}

/** The counts in words; what was not run because of a failure has not failed itself. */
export function countsText(model: Model): string {
  const counts = familyCounts(model);
  const missed = missedCount(model);
  const said = FAMILIES.flatMap((family) => {
    const own = family === "bad" ? counts.bad - missed : counts[family];
    const words = own > 0 ? [`${thousands(own)} ${FAMILY_WORD[family]}`] : [];
    return family === "bad" && missed > 0 ? [...words, `${thousands(missed)} not run`] : words;
  });
  return said.join(", ");
}

/** How many task runs were left out because of a failure before them. */
export function missedCount(model: Model): number {
  return model.counts.get("TriggerFailed") ?? 0;
}

/** The words of the header, empty where there is nothing to say. */
export function runTexts(model: Model, now: number): { state: string; progress: string; elapsed: string } {
  const { flow: run, looks } = model;
  const count = looks.size;
  const start = startOf(run);
  if (run.state === "") {
    return { state: "not run yet", progress: count === 0 ? "" : count === 1 ? "1 task" : `${count} tasks`, elapsed: "" };
  }
  return {
    state: run.paused && !hasEnded(run.state) ? "Paused" : clean(run.state),
    progress: count === 0 ? "" : progress(model),
    elapsed: start !== null ? countdown(start - now) : run.started === null ? "" : duration((run.ended ?? now) - run.started),
  };
}

/** Half goes up, as in Python's twin. */
function round(value: number): number {
  return Math.floor(value + 0.5);
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** Which attempt, where it matters: a first attempt that goes well needs no number. */
function attemptText(look: NodeLook, card: NodeCard): string {
  const tells = look.attempt > 1 || look.state === "Retrying" || familyOf(look.state) === "bad";
  const isOnly = Math.max(card.attempts, look.attempt) === 1;
  if (look.attempt < 1 || !tells || isOnly || look.state === "TriggerFailed") return "";
  // A retry that was asked for may go beyond what the task allows; "5 of 4" would look like a mistake of ours.
  return look.attempt <= card.attempts ? `attempt ${look.attempt} of ${card.attempts}` : `attempt ${look.attempt}`;
}

/** Kinds of nodes whose time says nothing, and whose cards have no room for it. */
const TIMELESS: readonly NodeCard["kind"][] = ["parameter", "constant", "condition", "merge"];
const TRIGGER = /^Trigger was "([^"]+)"/;
const UNEXPECTED = /^Unexpected error: /;
const REPR = /^(\w+)\((['"])(.*)\2\)$/;

function detail(look: NodeLook): string {
  if (look.state === "Retrying") return "";
  if (look.result !== "" && familyOf(look.state) === "good") return clean(look.result);
  return detailText(look.state, look.message);
}

/** What a message adds to the word of its state, without the words that all messages of its kind have. */
export function detailText(state: string, message: string): string {
  if (ROUTINE.includes(message)) return "";
  const trigger = TRIGGER.exec(message);
  if (trigger !== null) return clean(trigger[1] ?? "");
  const line = clean(message.replace(UNEXPECTED, "")).trim().replace(REPR, "$1: $3");
  const text = line.endsWith(".") && !line.endsWith("..") ? line.slice(0, -1) : line;
  if (text.replaceAll(" ", "").toLowerCase() === state.toLowerCase()) return "";
  return text.startsWith(`${state} `) ? text.slice(state.length + 1) : text;
}

function elapsed(look: NodeLook, card: NodeCard, now: number): string {
  const isRunning = familyOf(look.state) === "active";
  const isTimed = !TIMELESS.includes(card.kind) && (isRunning || look.ended !== null);
  return look.started === null || !isTimed ? "" : duration((look.ended ?? now) - look.started);
}

/** The share of a wait that is over, when its beginning is known: the end of the attempt before it. */
function waited(look: NodeLook, now: number): number | null {
  if (look.due === null || look.ended === null || look.due <= look.ended) return null;
  return Math.min(1, Math.max(0, (now - look.ended) / (look.due - look.ended)));
}

/** The words of one child of a mapped task, in a list. */
export interface ChildTexts {
  readonly state: string;
  readonly time: string;
  readonly said: string;
}

export function childTexts(row: ChildLook, card: NodeCard, now: number): ChildTexts {
  const look: NodeLook = { ...row, node: card.node, width: null, counts: null };
  const state = [clean(row.state), attemptText(look, card)].filter(Boolean).join(" · ");
  const time = isDue(look) && row.due !== null ? countdown(row.due - now) : elapsed(look, card, now);
  const isGood = row.result !== "" && familyOf(row.state) === "good";
  return { state, time, said: isGood ? clean(row.result) : detailText(row.state, row.message) };
}

// From here on: what only live views say.

/** Whether the clock moves the words of this node. */
export function isMoving(look: NodeLook): boolean {
  return isDue(look) || (look.started !== null && look.ended === null && familyOf(look.state) === "active");
}

/** A node's accessible name. A running time is left out: a screen reader would read it again and again. */
export function nodeName(look: NodeLook, card: NodeCard, now: number): string {
  const texts = nodeTexts(look, card, now);
  return [clean(card.name), ...texts.state.split(" · "), isMoving(look) ? "" : texts.time].filter(Boolean).join(", ");
}

/** The chosen node in full: all that its card had no room for. */
export function detailTexts(look: NodeLook, card: NodeCard, now: number): { facts: string; message: string } {
  const texts = nodeTexts(look, card, now);
  if (look.state === "") return { facts: texts.state, message: "" };
  const kind = card.kind === "task" ? "" : card.kind;
  if (look.counts !== null) {
    return { facts: [texts.state, kind, texts.time].filter(Boolean).join(" · "), message: detailText(look.state, look.message) };
  }
  const facts = [look.state, kind, attemptText(look, card), texts.time].filter(Boolean).join(" · ");
  const said = ROUTINE.includes(look.message) ? "" : look.message.replace(UNEXPECTED, "").replace(REPR, "$1: $3");
  return { facts, message: [look.result, said].filter(Boolean).map((text) => clean(text)).join(" · ") };
}

/** The sentence below the picture, with the task that it is about in front, if it begins with one. */
export function sentenceParts(model: Model): { subject: string; family: Family; rest: string } {
  const { sentence } = model.flow;
  let subject = "";
  let family: Family = "waiting";
  for (const card of model.cards.values()) {
    if (card.name.length <= subject.length || !sentence.startsWith(`${card.name} `)) continue;
    subject = card.name;
    const look = model.looks.get(card.node);
    family = look !== undefined && failedChildren(look) > 0 ? "bad" : familyOf(look?.state ?? "");
  }
  return { subject, family, rest: sentence.slice(subject.length) };
}

/** How the run stands, in one breath: "7 of 12 done, 1 failed: clean, 2 not run". */
export function summary(model: Model): string {
  const failed: string[] = [];
  let missed = 0;
  for (const look of model.looks.values()) {
    if (look.state === "TriggerFailed") missed += 1;
    else if (familyOf(look.state) === "bad" || failedChildren(look) > 0) failed.push(clean(model.cards.get(look.node)?.name ?? ""));
  }
  const named = failed.slice(0, 3).join(", ") + (failed.length > 3 ? " and more" : "");
  const bad = failed.length === 0 ? "" : `, ${failed.length} failed: ${named}`;
  const rest = missed === 0 ? "" : `, ${missed} not run`;
  const end = isOver(model.flow) ? `${clean(model.picture?.flow ?? "Flow")} ended, ${model.flow.state}. ` : "";
  return `${end}${progress(model)} done${bad}${rest}`;
}

const REQUESTED: Readonly<Record<Verb, string>> = {
  cancel: "cancel requested",
  pause: "pause requested",
  resume: "resume requested",
  step: "step requested",
  retry: "retry requested",
};

/** How a pressed button fares, for the person who pressed it. */
export function requestText(request: Request | null, flow: RunLook, canInterrupt: boolean): string {
  if (request === null || isOver(flow)) return "";
  const requested = REQUESTED[request.verb];
  switch (request.phase) {
    case "asked":
      return `${requested} …`;
    case "taken":
      return request.said === "" ? requested : request.said;
    case "refused":
      return request.said === "" ? `the kernel refused to ${request.verb}` : request.said;
    case "unanswered":
      return `${requested}, but the kernel is busy and has not answered. ${unansweredAdvice(request.verb, canInterrupt)}`;
    default:
      return request.phase satisfies never;
  }
}

function unansweredAdvice(verb: Verb, canInterrupt: boolean): string {
  if (verb !== "cancel") return "It will when its cell lets it.";
  return canInterrupt
    ? "Interrupt stops the running cell, and the run with it."
    : "The notebook's stop button interrupts the running cell, and the run with it.";
}
