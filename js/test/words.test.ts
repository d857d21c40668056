import assert from "node:assert/strict";
import { test } from "node:test";
import { clean, elide, type Face } from "../src/measure";
import { EMPTY, fold, type Model } from "../src/model";
import { shares } from "../src/mapped";
import type { ChildLook, NodeCard, NodeLook, RunLook } from "../src/protocol";
import { childTexts, countdown, countsText, duration, lineOf, nodeName, nodeTexts, nodeTitle, progress, requestText, runTexts, sentenceParts, summary } from "../src/words";
import { golden } from "./golden";
import { look, makeScene, runLook } from "./scene";

interface Vectors {
  readonly duration: readonly { seconds: number; says: string }[];
  readonly countdown: readonly { seconds: number; says: string }[];
  readonly nodes: readonly { case: string; look: NodeLook; card: NodeCard; now: number; says: object; title: string }[];
  readonly children: readonly { case: string; row: ChildLook; card: NodeCard; now: number; says: object }[];
  readonly shares: readonly { counts: Record<string, number>; room: number; says: readonly (readonly [string, number, number])[] }[];
  readonly elide: readonly { text: string; room: number; size: number; face: Face; at: "middle" | "end"; says: string }[];
  readonly clean: readonly { text: string; says: string }[];
  readonly counts: readonly { states: readonly string[]; says: string; progress: string }[];
  readonly mapped: readonly { looks: readonly NodeLook[]; says: string; progress: string }[];
  readonly runs: readonly { run: RunLook; looks: readonly NodeLook[]; now: number; says: readonly string[] }[];
}

const VECTORS = golden("texts") as Vectors;

function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

function modelOf(looks: readonly NodeLook[], flow = runLook("Running", { started: 0 })): Model {
  const scene = makeScene(looks.length);
  const pictured = fold(EMPTY, scene.picture, 0).model;
  return fold(pictured, { type: "snapshot", run: scene.picture.run, seq: 1, at: 0, flow, nodes: looks }, 0).model;
}

test("durations and countdowns are said as Python says them", () => {
  for (const { seconds, says } of VECTORS.duration) assert.equal(duration(seconds), says, `${seconds} seconds`);
  for (const { seconds, says } of VECTORS.countdown) assert.equal(countdown(seconds), says, `in ${seconds} seconds`);
});

test("nodes are described as Python describes them", () => {
  assert.ok(VECTORS.nodes.length > 20);
  for (const vector of VECTORS.nodes) {
    assert.deepEqual(nodeTexts(vector.look, vector.card, vector.now), vector.says, vector.case);
    assert.equal(nodeTitle(vector.look, vector.card, vector.now), vector.title, vector.case);
  }
});

test("children of a mapped task are described and counted as Python does it", () => {
  for (const { row, card, now, says, case: name } of VECTORS.children) assert.deepEqual(childTexts(row, card, now), says, name);
  for (const { counts, room, says } of VECTORS.shares) {
    const width = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const laid = shares(look(0, "Mapping", { counts, width }), room);
    assert.deepEqual(laid.map(({ family, x, length }) => [family, round(x), round(length)]), says);
  }
});

test("texts are shortened and cleaned as Python does it", () => {
  for (const { text, room, size, face, at, says } of VECTORS.elide) assert.equal(elide(text, room, size, face, at), says, text);
  for (const { text, says } of VECTORS.clean) assert.equal(clean(text), says, JSON.stringify(text));
});

test("counts, progress and header say what Python's header says", () => {
  for (const { states, says, progress: done } of VECTORS.counts) {
    const model = modelOf(states.map((state, node) => look(node, state)));
    assert.equal(countsText(model), says);
    assert.equal(progress(model), done);
  }
  for (const { run, looks, now, says } of VECTORS.runs) {
    const texts = runTexts(modelOf(looks, run), now);
    assert.deepEqual([texts.state, texts.progress, texts.elapsed], says);
  }
});

test("a mapped task counts as its children, in a snapshot and in changes", () => {
  for (const { looks, says, progress: done } of VECTORS.mapped) {
    const model = modelOf(looks);
    assert.deepEqual([countsText(model), progress(model)], [says, done]);
    const idle = modelOf(looks.map(({ node }) => look(node, "Pending")));
    const changes = { type: "changes", run: model.picture?.run ?? "", seq: 2, since: 1, at: 1, flow: model.flow, nodes: looks } as const;
    assert.equal(progress(fold(idle, changes, 0).model), done);
  }
});

test("a running node's accessible name leaves its time out, an ended one's has it", () => {
  const card: NodeCard = { node: 0, slug: "clean-1", name: "clean", kind: "task", upstream: [], downstream: [], attempts: 3, mapped: false, cell: "" };
  assert.equal(nodeName(look(0, "Running", { attempt: 2, started: 0 }), card, 9), "clean, Running, attempt 2 of 3");
  const ended = look(0, "Failed", { attempt: 2, started: 0, ended: 1.2, message: "no rows" });
  assert.equal(nodeName(ended, card, 9), "clean, Failed, attempt 2 of 3, no rows, 1.2 s");
});

test("a mapped task is read out with its numbers, and counts as trouble when children of it failed", () => {
  const card: NodeCard = { node: 0, slug: "read-1", name: "read", kind: "task", upstream: [], downstream: [], attempts: 1, mapped: true, cell: "" };
  const going = look(0, "Mapping", { width: 12, counts: { Success: 6, Failed: 1, Running: 5 }, started: 0 });
  assert.equal(nodeName(going, card, 9), "read, Mapping, 7 of 12, 1 failed");
  const over = look(0, "Mapped", { width: 12, counts: { Success: 11, Failed: 1 }, started: 0, ended: 2 });
  assert.equal(nodeName(over, card, 9), "read, Mapped, 1 of 12 failed, 2.0 s");
  const model = modelOf([over], runLook("Failed", { sentence: "read_flights failed for 1 of its 12 elements", started: 0, ended: 2 }));
  assert.equal(sentenceParts(model).family, "bad");
  assert.match(summary(model), /1 failed: read_flights$/);
});

test("the state line gives up its word before its numbers", () => {
  const texts = { state: "Mapping · 7,415 of 9,996 · 3 failed", time: "", bar: null, short: "7,415 of 9,996 · 3 failed" };
  assert.equal(lineOf(texts, 400), texts.state);
  assert.equal(lineOf(texts, 170), texts.short);
  assert.match(lineOf(texts, 60), /…$/);
});

test("the summary names what failed, but not all of many", () => {
  const one = modelOf([look(0, "Success"), look(1, "Failed"), look(2, "Running")]);
  assert.equal(summary(one), `2 of 3 done, 1 failed: ${one.cards.get(1)?.name}`);
  const below = modelOf([look(0, "Failed"), look(1, "TriggerFailed"), look(2, "Success")]);
  assert.equal(summary(below), `2 of 3 done, 1 failed: ${below.cards.get(0)?.name}, 1 not run`);
  const many = modelOf([0, 1, 2, 3, 4].map((node) => look(node, "Failed")), runLook("Failed", { started: 0, ended: 2 }));
  assert.match(summary(many), /^flights ended, Failed\. 5 of 5 done, 5 failed: .* and more$/);
});

test("the sentence's first task is set apart, with the longest name that fits", () => {
  const model = modelOf([look(0, "TriggerFailed"), look(1, "Success")], runLook("Failed", { sentence: "read_flights did not run: why" }));
  assert.deepEqual(sentenceParts(model), { subject: "read_flights", family: "bad", rest: " did not run: why" });
  assert.equal(sentenceParts({ ...model, flow: runLook("Failed", { sentence: "Nothing ran." }) }).rest, "Nothing ran.");
});

test("a busy kernel is named, with what helps in this host", () => {
  const request = { id: "1", verb: "cancel", phase: "unanswered", said: "" } as const;
  assert.match(requestText(request, runLook("Running"), true), /busy.*Interrupt stops/);
  assert.match(requestText(request, runLook("Running"), false), /stop button/);
  assert.equal(requestText(request, runLook("Cancelled", { ended: 3 }), true), "");
});
