import assert from "node:assert/strict";
import { test } from "node:test";
import { OutputsWriter } from "../src/host/outputs";
import { soon } from "../src/turns";
import { FakeCell } from "./lab";

/** Frames that come when the test says so, and a clock that turns move themselves. */
const frames = new Map<number, () => void>();
let clock = 0;
let asked = 0;

function set(name: string, value: unknown): void {
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
}

set("requestAnimationFrame", (act: () => void) => {
  asked += 1;
  frames.set(asked, act);
  return asked;
});
set("cancelAnimationFrame", (id: number) => frames.delete(id));
set("document", { hidden: false });
set("performance", { now: () => clock });

function frame(): void {
  const now = [...frames.values()];
  frames.clear();
  for (const act of now) act();
}

test("a turn that is wanted often is had once a frame", () => {
  const had: string[] = [];
  const turn = soon(() => had.push("a"));
  turn.want();
  turn.want();
  assert.deepEqual(had, []);
  frame();
  assert.deepEqual(had, ["a"]);
  frame();
  assert.deepEqual(had, ["a"]);
});

test("what has no room in a frame has its turn in the next one, in the order of asking", () => {
  const had: string[] = [];
  const turns = ["a", "b", "c"].map((name) =>
    soon(() => {
      had.push(name);
      clock += 4;
    }),
  );
  for (const turn of turns) turn.want();
  turns[0]?.want();
  frame();
  assert.deepEqual(had, ["a", "b"], "eight milliseconds are more than a frame has");
  turns[0]?.want();
  frame();
  assert.deepEqual(had, ["a", "b", "c", "a"]);
});

test("a turn that wants another one has it in a later frame", () => {
  let had = 0;
  const turn = soon(() => {
    had += 1;
    if (had < 3) turn.want();
  });
  turn.want();
  frame();
  assert.equal(had, 1);
  frame();
  frame();
  frame();
  assert.equal(had, 3);
});

test("what is forgotten is not done, be it by another turn", () => {
  const had: string[] = [];
  const late = soon(() => had.push("late"));
  const first = soon(() => {
    had.push("first");
    late.forget();
  });
  first.want();
  late.want();
  frame();
  frame();
  assert.deepEqual(had, ["first"]);
});

test("who throws keeps nobody else from their turn", () => {
  const had: string[] = [];
  const bad = soon(() => {
    throw new Error("no");
  });
  const good = soon(() => had.push("good"));
  bad.want();
  good.want();
  assert.throws(frame, /no/);
  frame();
  assert.deepEqual(had, ["good"]);
});

test("a turn is told how much room its frame has left", () => {
  const rooms: number[] = [];
  const turns = [1, 2].map(() =>
    soon((room) => {
      rooms.push(room);
      clock += 3;
    }),
  );
  for (const turn of turns) turn.want();
  frame();
  assert.deepEqual(rooms, [5, 2]);
});

test("what many cells have shown is written a few cells a frame: JupyterLab takes long over each", () => {
  const cells = ["a", "b", "c", "d", "e"].map((id) => {
    const cell = new FakeCell(id, "print(1)");
    let count: number | null = null;
    return Object.defineProperty(cell, "executionCount", { get: () => count, set: (next) => ((count = next), (clock += 2)) });
  });
  const writer = new OutputsWriter(() => cells);
  for (const { id } of cells) writer.take({ type: "outputs", run: "run-1", cell: id, outputs: "[]", count: 7 });
  const written = (): string => cells.map((cell) => (cell.executionCount === 7 ? cell.id : "-")).join("");
  frame();
  assert.equal(written(), "abc--");
  frame();
  assert.equal(written(), "abcde");
  frame();
  assert.equal(frames.size, 0);
});

test("a hidden page has no frames, and turns all the same", async () => {
  set("document", { hidden: true });
  const had: string[] = [];
  soon(() => had.push("a")).want();
  assert.equal(frames.size, 0);
  await new Promise((go) => setTimeout(go, 300));
  assert.deepEqual(had, ["a"]);
});
