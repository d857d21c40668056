import assert from "node:assert/strict";
import { test } from "node:test";
import { foldEvents, NOTHING_HAPPENED, type RunEvent, type Standing } from "../src/fold";
import { golden } from "./golden";

type Plain = Omit<Standing, "counts"> & { readonly counts: Readonly<Record<string, number>> };

interface Vector {
  readonly case: string;
  readonly events: readonly RunEvent[];
  readonly flow: Plain;
  readonly tasks: Readonly<Record<string, Plain>>;
}

const VECTORS = golden("folds") as readonly Vector[];

function plain(standing: Standing): Plain {
  return { ...standing, counts: Object.fromEntries(standing.counts) };
}

test("runs are folded as Python folds them", () => {
  assert.ok(VECTORS.length >= 5);
  for (const vector of VECTORS) {
    const { flow, tasks } = foldEvents(vector.events);
    assert.deepEqual(plain(flow), vector.flow, vector.case);
    assert.deepEqual(Object.fromEntries([...tasks].map(([slug, one]) => [slug, plain(one)])), vector.tasks, vector.case);
  }
});

test("a run folded in two goes stands as one folded at once, and what was folded first is left as it was", () => {
  for (const { events } of VECTORS) {
    const half = Math.floor(events.length / 2);
    const first = foldEvents(events.slice(0, half));
    const kept = structuredClone(first);
    const both = foldEvents(events.slice(half), first);
    assert.deepEqual(both, foldEvents(events));
    assert.deepEqual(first, kept);
  }
});

test("notes change nothing", () => {
  const { flow, tasks } = foldEvents([{ seq: 0, at: 1, kind: "log", task: "a-1", message: "hello", level: "INFO" }]);
  assert.deepEqual([flow, tasks.size], [NOTHING_HAPPENED, 0]);
});
