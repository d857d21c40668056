/**
 * The pure fold of a run's events: how the flow and each of its tasks stand after them. The twin of `fold` in
 * `flowbook/events.py`, held together with it by the runs in `tests/protocol/folds.json`.
 */

import { ATTEMPTS, FINISHED } from "./look";

/** One thing that happened, as `Event.to_dict` writes it: fields with nothing in them are left out. */
export interface RunEvent {
  readonly seq: number;
  readonly at: number;
  readonly kind: string;
  /** The slug of the task; empty for the flow as a whole. A mapped child's has its index: `double-1[3]`. */
  readonly task?: string;
  readonly state?: string;
  readonly message?: string;
  readonly due?: number;
  readonly level?: string;
  readonly width?: number;
}

/** What the events say of the flow, or of one task. */
export interface Standing {
  readonly state: string;
  readonly message: string;
  /** Which attempt this is; 0 before the first. */
  readonly attempt: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly due: number | null;
  /** How many children a mapped task got, or null. */
  readonly width: number | null;
  /** How many of them are in each state. */
  readonly counts: ReadonlyMap<string, number>;
}

export interface RunStanding {
  readonly flow: Standing;
  readonly tasks: ReadonlyMap<string, Standing>;
}

export const NOTHING_HAPPENED: Standing = {
  state: "Pending",
  message: "",
  attempt: 0,
  started: null,
  ended: null,
  due: null,
  width: null,
  counts: new Map(),
};

/** How a run stands after these events, which follow those that led to `from`. */
export function foldEvents(events: Iterable<RunEvent>, from?: RunStanding): RunStanding {
  let flow = from?.flow ?? NOTHING_HAPPENED;
  const tasks = new Map(from?.tasks);
  for (const event of events) {
    const slug = event.task ?? "";
    const before = slug === "" ? flow : (tasks.get(slug) ?? NOTHING_HAPPENED);
    const after = step(before, event);
    if (after === before) continue;
    if (slug === "") flow = after;
    else tasks.set(slug, after);
    const parent = familyOf(slug);
    const family = event.kind === "state" ? tasks.get(parent) : undefined;
    if (family !== undefined && family.width !== null) tasks.set(parent, recount(family, before.state, after.state));
  }
  return { flow, tasks };
}

function step(before: Standing, event: RunEvent): Standing {
  if (event.kind === "mapped") {
    const width = event.width ?? 0;
    return { ...before, width, counts: new Map(width > 0 ? [[before.state, width]] : []) };
  }
  if (event.kind !== "state") return before;
  const state = event.state ?? "";
  // An attempt that is asked to stop goes from Running to Cancelling: still the same attempt.
  const isBeginning = ATTEMPTS.includes(state) && !ATTEMPTS.includes(before.state);
  const attempt = state === "Looped" ? 0 : before.attempt + (isBeginning ? 1 : 0);
  return {
    ...before,
    state,
    message: event.message ?? "",
    attempt,
    started: isBeginning ? event.at : before.started,
    ended: FINISHED.includes(state) ? event.at : null,
    due: event.due ?? null,
  };
}

/** The slug of the mapped task that a child's slug belongs to. */
function familyOf(slug: string): string {
  const bracket = slug.lastIndexOf("[");
  return bracket < 0 ? "" : slug.slice(0, bracket);
}

function recount(family: Standing, before: string, after: string): Standing {
  const counts = new Map(family.counts);
  counts.set(after, (counts.get(after) ?? 0) + 1);
  const left = (counts.get(before) ?? 0) - 1;
  if (left > 0) counts.set(before, left);
  else counts.delete(before);
  return { ...family, counts };
}
