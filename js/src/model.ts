/**
 * The pure fold of messages: what a view knows after each of them. No DOM, no clock, no channel.
 *
 * A model never changes; `fold` answers with the next one and says when the kernel must be asked for a snapshot,
 * because a message was missed.
 */

import { FAMILY, type Family, GLYPH } from "./look";
import {
  type Acknowledged,
  type Bundle,
  type Changes,
  type Children,
  type NodeCard,
  type NodeLook,
  type Picture,
  PROTOCOL,
  type RunLook,
  type Snapshot,
  type ToView,
  type Verb,
} from "./protocol";

/** How a pressed button fares: asked, then taken or refused by the kernel, or (after a while) unanswered. */
export interface Request {
  readonly id: string;
  readonly verb: Verb;
  readonly phase: "asked" | "unanswered" | "taken" | "refused";
  readonly said: string;
}

export interface Model {
  readonly picture: Picture | null;
  readonly cards: ReadonlyMap<number, NodeCard>;
  readonly looks: ReadonlyMap<number, NodeLook>;
  readonly flow: RunLook;
  /** The event the looks stand at; null before the first snapshot. */
  readonly seq: number | null;
  /** The kernel's clock at that event. */
  readonly at: number;
  /** Kernel's clock minus browser's clock, in seconds. */
  readonly offset: number;
  /** A message was missed: the looks are old until the next snapshot. `lostAt` is the browser's time of the asking. */
  readonly lostAt: number | null;
  /** How many task runs are in each state; a mapped task counts as its children once they are known. */
  readonly counts: ReadonlyMap<string, number>;
  readonly request: Request | null;
  /** The children of mapped tasks that were last told of, by node. */
  readonly children: ReadonlyMap<number, Children>;
}

export interface Fold {
  readonly model: Model;
  readonly ask: boolean;
}

export const NO_RUN: RunLook = {
  state: "",
  message: "",
  started: null,
  ended: null,
  paused: false,
  sentence: "",
  due: null,
};

const NOT_RUN: Omit<NodeLook, "node"> = {
  state: "",
  message: "",
  attempt: 0,
  started: null,
  ended: null,
  due: null,
  result: "",
  width: null,
  counts: null,
};

export const EMPTY: Model = {
  picture: null,
  cards: new Map(),
  looks: new Map(),
  flow: NO_RUN,
  seq: null,
  at: 0,
  offset: 0,
  lostAt: null,
  counts: new Map(),
  request: null,
  children: new Map(),
};

/** Ask again when a snapshot that was asked for has not come after this many seconds. */
const PATIENCE = 2;

/** Messages travel for some milliseconds; a clock that seems this much older than thought is only a late message. */
const JITTER = 0.25;

/** Take one message that arrived when the browser's clock (seconds) said `now`. */
export function fold(model: Model, message: ToView, now: number): Fold {
  switch (message.type) {
    case "picture":
      return { model: foldPicture(model, message), ask: false };
    case "snapshot":
      return { model: foldSnapshot(model, message, now), ask: false };
    case "changes":
      return foldChanges(model, message, now);
    case "acknowledged":
      return { model: foldAcknowledged(model, message), ask: false };
    case "children":
      return { model: foldChildren(model, message), ask: false };
    case "notebook":
    case "task":
    case "outputs":
      return { model, ask: false }; // not for the picture
    default:
      return message satisfies never;
  }
}

/** Take a whole saved bundle: its picture, then its snapshot unless the model has seen later events. */
export function foldBundle(model: Model, bundle: Bundle, now: number): Model {
  const pictured = fold(model, bundle.picture, now).model;
  const standing = fold(pictured, bundle.snapshot, now).model;
  // An old bundle, drawn again after live changes, knows less of the children than the kernel told since.
  const isNews = standing.seq === bundle.snapshot.seq;
  return isNews ? bundle.children.reduce(foldChildren, standing) : standing;
}

/** Note that a button was pressed; the answer comes as an `acknowledged` message. */
export function pressed(model: Model, id: string, verb: Verb): Model {
  return { ...model, request: { id, verb, phase: "asked", said: "" } };
}

/** Note that the kernel has not answered request `id` in reasonable time. */
export function unanswered(model: Model, id: string): Model {
  const request = model.request;
  if (request === null || request.id !== id || request.phase !== "asked") return model;
  return { ...model, request: { ...request, phase: "unanswered" } };
}

/** Forget the request, for it has been read long enough. */
export function dismissed(model: Model, id: string): Model {
  return model.request?.id === id ? { ...model, request: null } : model;
}

/** The kernel's clock when the browser's says `now`. */
export function kernelTime(model: Model, now: number): number {
  return now + model.offset;
}

export function isOver(flow: RunLook): boolean {
  return flow.ended !== null;
}

/** When a run that waits for its schedule begins; notebooks that were saved by an earlier version do not say it. */
export function startOf(flow: RunLook): number | null {
  return flow.ended === null ? (flow.due ?? null) : null;
}

/** Whether something goes on, or will when its scheduled time has come: there is something to stop. */
export function isRunning(flow: RunLook): boolean {
  return (flow.started !== null || startOf(flow) !== null) && flow.ended === null;
}

/** Whether the picture speaks the protocol that this code was written for. */
export function speaksOurProtocol(picture: Picture): boolean {
  return picture.protocol === PROTOCOL;
}

export function familyOf(state: string): Family {
  return (Object.hasOwn(FAMILY, state) ? FAMILY[state] : undefined) ?? "waiting";
}

/** Whether a task run in this state has ended. */
export function hasEnded(state: string): boolean {
  const family = familyOf(state);
  return family === "good" || family === "bad" || state === "Skipped" || state === "Cancelled";
}

/** Whether it counts as done: it has ended, and was not kept from running by a failure or a cancel. */
export function isDone(state: string): boolean {
  return hasEnded(state) && state !== "TriggerFailed" && state !== "Cancelled";
}

/** How many of a flow's task runs are done, and how many there are. */
export function doneOf(model: Model): readonly [number, number] {
  let [done, total] = [0, 0];
  for (const [state, count] of model.counts) {
    total += count;
    if (isDone(state)) done += count;
  }
  return [done, total];
}

/** Own properties only: the word may come from a saved file and be `constructor`. */
export function glyphOf(state: string): string {
  return (Object.hasOwn(GLYPH, state) ? GLYPH[state] : undefined) ?? "·";
}

/** How many task runs each family has. */
export function familyCounts(model: Model): Record<Family, number> {
  const counts: Record<Family, number> = { good: 0, bad: 0, active: 0, warn: 0, waiting: 0 };
  for (const [state, count] of model.counts) counts[familyOf(state)] += count;
  return counts;
}

function foldPicture(model: Model, picture: Picture): Model {
  const sameRun = model.picture !== null && model.picture.run === picture.run;
  const before = sameRun ? model : EMPTY;
  const cards = new Map(picture.nodes.map((card) => [card.node, card]));
  return { ...before, offset: model.offset, picture, cards };
}

function foldSnapshot(model: Model, snapshot: Snapshot, now: number): Model {
  if (!isOurs(model, snapshot.run)) return model;
  // An old bundle, drawn again after live changes, must not turn the picture back.
  if (model.seq !== null && snapshot.seq < model.seq) return model;
  // Nodes that are not told of have not run.
  const idle = [...model.cards.keys()].map((node): NodeLook => ({ ...NOT_RUN, node }));
  const looks = new Map([...idle, ...snapshot.nodes.map(whole)].map((look) => [look.node, look]));
  return {
    ...model,
    looks: keepEqual(model.looks, looks),
    counts: countStates(looks),
    flow: snapshot.flow,
    seq: snapshot.seq,
    at: snapshot.at,
    offset: nextOffset(model, snapshot.at, now),
    lostAt: null,
    request: settle(model.request, snapshot.flow),
  };
}

function foldChanges(model: Model, changes: Changes, now: number): Fold {
  if (!isOurs(model, changes.run)) return { model, ask: false };
  if (model.seq !== null && changes.seq <= model.seq) return { model, ask: false }; // seen in a snapshot already
  // They tell all of each node that changed, so that it does no harm to be told of some changes again.
  if (model.seq === null || changes.since > model.seq) return missed(model, now);
  const looks = new Map(model.looks);
  const counts = new Map(model.counts);
  for (const look of changes.nodes) {
    const old = looks.get(look.node);
    if (old !== undefined) tally(counts, old, -1);
    tally(counts, look, 1);
    looks.set(look.node, look);
  }
  const next: Model = {
    ...model,
    looks,
    counts,
    flow: changes.flow,
    seq: changes.seq,
    at: changes.at,
    offset: nextOffset(model, changes.at, now),
    lostAt: null,
    request: settle(model.request, changes.flow),
  };
  return { model: next, ask: false };
}

function foldAcknowledged(model: Model, answer: Acknowledged): Model {
  const request = model.request;
  if (request === null || request.id !== answer.id) return model;
  return { ...model, request: { ...request, phase: answer.ok ? "taken" : "refused", said: answer.said } };
}

function foldChildren(model: Model, told: Children): Model {
  if (!isOurs(model, told.run)) return model;
  return { ...model, children: new Map(model.children).set(told.node, told) };
}

/** A number was skipped: ask for a snapshot, and again when it does not come. */
function missed(model: Model, now: number): Fold {
  if (model.lostAt !== null && now - model.lostAt < PATIENCE) return { model, ask: false };
  return { model: { ...model, lostAt: now }, ask: true };
}

function isOurs(model: Model, run: string): boolean {
  return model.picture !== null && model.picture.run === run;
}

/** A request is done with when the run is over or when what it asked for has come true. */
function settle(request: Request | null, flow: RunLook): Request | null {
  if (request === null || isOver(flow)) return null;
  if (request.phase !== "taken") return request;
  const cameTrue =
    (request.verb === "pause" && flow.paused) ||
    (request.verb === "resume" && !flow.paused) ||
    request.verb === "step";
  return cameTrue ? null : request;
}

/** The quickest message tells the offset best; later ones only move it when the clocks really moved. */
function nextOffset(model: Model, at: number, now: number): number {
  const sample = at - now;
  if (model.seq === null || sample > model.offset || sample < model.offset - JITTER) return sample;
  return model.offset;
}

/** A file of an older version says nothing of children. */
function whole(look: NodeLook): NodeLook {
  return (look.counts as NodeLook["counts"] | undefined) === undefined ? { ...look, width: null, counts: null } : look;
}

/** Keep the old object where nothing changed, so that a painter can tell by identity. */
function keepEqual(
  old: ReadonlyMap<number, NodeLook>,
  fresh: ReadonlyMap<number, NodeLook>,
): ReadonlyMap<number, NodeLook> {
  const kept = new Map<number, NodeLook>();
  for (const [node, look] of fresh) {
    const before = old.get(node);
    kept.set(node, before !== undefined && sameLook(before, look) ? before : look);
  }
  return kept;
}

function sameLook(a: NodeLook, b: NodeLook): boolean {
  return (
    a.state === b.state &&
    a.message === b.message &&
    a.attempt === b.attempt &&
    a.started === b.started &&
    a.ended === b.ended &&
    a.due === b.due &&
    a.result === b.result &&
    a.width === b.width &&
    sameCounts(a.counts, b.counts)
  );
}

function sameCounts(a: NodeLook["counts"], b: NodeLook["counts"]): boolean {
  if (a === null || b === null) return a === b;
  const states = Object.keys(a);
  return states.length === Object.keys(b).length && states.every((state) => Object.hasOwn(b, state) && a[state] === b[state]);
}

function countStates(looks: ReadonlyMap<number, NodeLook>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const look of looks.values()) tally(counts, look, 1);
  return counts;
}

/** A mapped task over nothing has no children; it counts as itself. */
function tally(counts: Map<string, number>, look: NodeLook, by: number): void {
  const children = Object.entries(look.counts ?? {});
  if (children.length === 0) add(counts, look.state, by);
  for (const [state, count] of children) add(counts, state, by * count);
}

function add(counts: Map<string, number>, state: string, by: number): void {
  const count = (counts.get(state) ?? 0) + by;
  if (count === 0) counts.delete(state);
  else counts.set(state, count);
}
