import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptBundle, acceptMessage } from "../src/accept";
import { EMPTY, familyCounts, familyOf, fold, foldBundle, glyphOf, kernelTime, type Model, pressed, unanswered } from "../src/model";
import type { Changes, NodeLook, Snapshot, ToView } from "../src/protocol";
import { golden, goldenMessages } from "./golden";
import { bundleOf, look, makeScene, Play, runLook } from "./scene";

const SCENE = makeScene(6);
const RUN = SCENE.picture.run;
const RUNNING = runLook("Running", { started: 100 });

function snapshot(seq: number, nodes: readonly NodeLook[], more: Partial<Snapshot> = {}): Snapshot {
  return { type: "snapshot", run: RUN, seq, at: 100 + seq, flow: RUNNING, nodes, ...more };
}

function changes(since: number, seq: number, nodes: readonly NodeLook[], more: Partial<Changes> = {}): Changes {
  return { type: "changes", run: RUN, since, seq, at: 100 + seq, flow: RUNNING, nodes, ...more };
}

function after(...messages: ToView[]): Model {
  return messages.reduce((model, message) => fold(model, message, 0).model, EMPTY);
}

const PENDING = SCENE.cards.map((card) => look(card.node, "Pending"));

test("changes replace the looks of their nodes and keep the others as they are", () => {
  const before = after(SCENE.picture, snapshot(1, PENDING));
  const { model, ask } = fold(before, changes(1, 3, [look(2, "Running")]), 0);
  assert.equal(ask, false);
  assert.equal(model.looks.get(2)?.state, "Running");
  assert.equal(model.looks.get(3), before.looks.get(3));
  assert.deepEqual([...model.counts], [["Pending", 5], ["Running", 1]]);
  assert.equal(before.looks.get(2)?.state, "Pending", "a model never changes");
});

test("a missed number asks for a snapshot once, and again when none comes", () => {
  const before = after(SCENE.picture, snapshot(1, PENDING));
  const first = fold(before, changes(2, 3, [look(2, "Running")]), 10);
  assert.equal(first.ask, true);
  assert.equal(first.model.looks.get(2)?.state, "Pending", "what can't be placed is not shown");
  const second = fold(first.model, changes(3, 4, []), 10.5);
  assert.equal(second.ask, false);
  assert.equal(fold(second.model, changes(4, 5, []), 13).ask, true);
  const healed = fold(second.model, snapshot(5, PENDING), 11).model;
  assert.deepEqual([healed.seq, healed.lostAt], [5, null]);
});

test("changes before any snapshot ask for one", () => {
  assert.equal(fold(after(SCENE.picture), changes(0, 1, []), 0).ask, true);
});

test("what a snapshot already holds is not folded again, and does not count as a gap", () => {
  const model = after(SCENE.picture, snapshot(5, PENDING));
  const late = fold(model, changes(3, 4, [look(0, "Running")]), 0);
  assert.deepEqual([late.ask, late.model], [false, model]);
});

test("changes that began before a snapshot and go beyond it are no gap", () => {
  const model = after(SCENE.picture, snapshot(5, PENDING));
  const next = fold(model, changes(3, 7, [look(0, "Running")]), 0);
  assert.deepEqual([next.ask, next.model.seq, next.model.looks.get(0)?.state], [false, 7, "Running"]);
});

test("an older bundle never turns a running picture back", () => {
  const old = bundleOf(SCENE, snapshot(1, PENDING), true);
  const model = after(SCENE.picture, snapshot(1, PENDING), changes(1, 9, [look(0, "Success")]));
  assert.equal(foldBundle(model, old, 0).looks.get(0)?.state, "Success");
});

test("the picture of another run starts afresh, and messages of other runs are not ours", () => {
  const model = after(SCENE.picture, snapshot(4, PENDING));
  assert.equal(fold(model, changes(4, 5, [look(0, "Failed")], { run: "other" }), 0).model, model);
  const other = fold(model, { ...SCENE.picture, run: "other" }, 0).model;
  assert.deepEqual([other.looks.size, other.seq], [0, null]);
});

test("a snapshot that changes nothing keeps every look, so nothing is painted again", () => {
  const model = after(SCENE.picture, snapshot(1, PENDING));
  const again = fold(model, snapshot(2, PENDING.map((old) => ({ ...old }))), 0).model;
  for (const node of model.looks.keys()) assert.equal(again.looks.get(node), model.looks.get(node));
});

test("deltas and a snapshot of the same moment lead to the same model", () => {
  const scene = makeScene(40);
  const play = new Play(scene, 0);
  let model = fold(fold(EMPTY, scene.picture, 0).model, play.snapshot(), 0).model;
  for (let at = 1; at < 200 && !play.isOver; at += 1) model = fold(model, play.step(at), at).model;
  assert.ok(play.isOver);
  const whole = fold(fold(EMPTY, scene.picture, 0).model, play.snapshot(), 0).model;
  assert.deepEqual([...model.looks.values()], [...whole.looks.values()]);
  assert.deepEqual(new Map([...model.counts].sort()), new Map([...whole.counts].sort()));
  assert.equal(model.flow, whole.flow);
});

test("the kernel's time follows the quickest message, and a clock that jumps", () => {
  const quick = fold(after(SCENE.picture), snapshot(1, PENDING, { at: 1000 }), 10).model;
  assert.equal(kernelTime(quick, 20), 1010);
  const late = fold(quick, changes(1, 2, [], { at: 1001 }), 11.2).model; // 0.2 s under way
  assert.equal(kernelTime(late, 20), 1010);
  const jumped = fold(late, changes(2, 3, [], { at: 4602 }), 12).model; // a virtual clock runs ahead
  assert.equal(kernelTime(jumped, 12), 4602);
});

test("a request is taken, refused, or stays unanswered, and ends with what it asked for", () => {
  const model = pressed(after(SCENE.picture, snapshot(1, PENDING)), "c1", "pause");
  assert.equal(unanswered(model, "c1").request?.phase, "unanswered");
  const answer = { type: "acknowledged", run: RUN, id: "c1", verb: "pause", at: 1, said: "" } as const;
  assert.equal(fold(model, { ...answer, ok: false }, 0).model.request?.phase, "refused");
  const taken = fold(unanswered(model, "c1"), { ...answer, ok: true }, 0).model;
  assert.equal(taken.request?.phase, "taken");
  assert.equal(fold(taken, changes(1, 2, []), 0).model.request?.phase, "taken");
  const paused = fold(taken, changes(1, 2, [], { flow: { ...RUNNING, paused: true } }), 0).model;
  assert.equal(paused.request, null);
  assert.equal(fold(model, { ...answer, id: "other", ok: true }, 0).model, model);
});

test("the end of the run ends every request", () => {
  const model = pressed(after(SCENE.picture, snapshot(1, PENDING)), "c1", "cancel");
  const ended = fold(model, changes(1, 2, [], { flow: runLook("Cancelled", { started: 100, ended: 102 }) }), 0).model;
  assert.equal(ended.request, null);
});

test("states unknown to us wait, whatever they are called", () => {
  assert.deepEqual([familyOf("Enchanted"), familyOf("constructor"), familyOf("__proto__")], ["waiting", "waiting", "waiting"]);
  assert.deepEqual([glyphOf("constructor"), glyphOf("Success")], ["·", "✓"]);
  const model = after(SCENE.picture, snapshot(1, [look(0, "toString"), look(1, "Failed")]));
  assert.deepEqual([familyCounts(model).waiting, familyCounts(model).bad], [SCENE.cards.length - 1, 1]);
});

test("every golden message for the view is accepted and folded", () => {
  const messages = goldenMessages();
  let model = EMPTY;
  for (const name of ["picture", "snapshot", "changes", "children", "acknowledged"]) {
    const message = acceptMessage(messages.get(name));
    assert.ok(message !== null, name);
    if (message !== null) model = fold(model, message, 0).model;
  }
  assert.ok(model.looks.size > 0 && model.flow.ended !== null);
  assert.equal(model.children.get(2)?.rows.length, 2);
  assert.ok(acceptBundle(golden("bundle")) !== null);
});

test("children are kept by their node, with the last answer, and those of other runs are not ours", () => {
  const told = { type: "children", run: RUN, node: 3, which: "all", total: 9, offset: 0, rows: [] } as const;
  const model = after(SCENE.picture, snapshot(1, PENDING), told, { ...told, which: "failed", total: 1 });
  assert.deepEqual([...model.children.keys()], [3]);
  assert.equal(model.children.get(3)?.which, "failed");
  assert.equal(fold(model, { ...told, run: "other" }, 0).model, model);
});

test("the children saved with a picture are shown, unless the kernel has told of later ones", () => {
  const told = { type: "children", run: RUN, node: 3, which: "all", total: 9, offset: 0, rows: [] } as const;
  const saved = { ...bundleOf(SCENE, snapshot(1, PENDING), false), children: [told] };
  assert.equal(foldBundle(EMPTY, saved, 0).children.get(3)?.total, 9);
  const live = after(SCENE.picture, snapshot(5, PENDING), { ...told, total: 11 });
  assert.equal(foldBundle(live, saved, 0).children.get(3)?.total, 11);
});

test("a snapshot with the same counts keeps the look, one with others does not", () => {
  const mapped = (counts: Record<string, number>): NodeLook => look(0, "Mapping", { width: 3, counts });
  const before = after(SCENE.picture, snapshot(1, [mapped({ Running: 1, Pending: 2 })]));
  const same = fold(before, snapshot(2, [mapped({ Pending: 2, Running: 1 })]), 0).model;
  assert.equal(same.looks.get(0), before.looks.get(0));
  const other = fold(before, snapshot(2, [mapped({ Success: 1, Pending: 2 })]), 0).model;
  assert.deepEqual(other.looks.get(0)?.counts, { Success: 1, Pending: 2 });
});

test("a file of a version that knew no mapped tasks is read all the same", () => {
  const { width: _width, counts: _counts, ...bare } = look(0, "Success");
  const { children: _children, ...bundle } = bundleOf(SCENE, snapshot(1, [bare as NodeLook]), false);
  const read = acceptBundle(bundle);
  if (read === null) throw new Error("it was turned away");
  assert.deepEqual(foldBundle(EMPTY, read, 0).looks.get(0), look(0, "Success"));
});

test("counts and children of the wrong shape are turned away", () => {
  const good = snapshot(1, [look(0, "Mapping", { width: 1, counts: { Pending: 1 } })]);
  assert.ok(acceptMessage(good) !== null);
  for (const counts of [[1], { Pending: "1" }, "Pending"]) {
    assert.equal(acceptMessage({ ...good, nodes: [{ ...good.nodes[0], counts }] }), null);
  }
  const told = golden("messages/children") as object;
  for (const wrong of [{ rows: [{ index: 1 }] }, { which: "some" }, { total: null }]) assert.equal(acceptMessage({ ...told, ...wrong }), null);
});

test("what is no message, or no bundle, is turned away at the door", () => {
  for (const data of [null, 7, "picture", [], {}, { type: "snapshot", run: "r" }, { type: "dance", run: "r" }]) {
    assert.equal(acceptMessage(data), null);
    assert.equal(acceptBundle(data), null);
  }
  const good = bundleOf(SCENE, snapshot(1, PENDING), false);
  assert.ok(acceptBundle(good) !== null);
  assert.equal(acceptBundle({ ...good, snapshot: { ...good.snapshot, nodes: [{ node: "0" }] } }), null);
  assert.equal(acceptBundle({ ...good, picture: { ...good.picture, svg: 3 } }), null);
  assert.equal(acceptMessage(snapshot(Number.NaN, PENDING)), null);
});
