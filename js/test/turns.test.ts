import assert from "node:assert/strict";
import { test } from "node:test";
import { soon } from "../src/turns";

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

test("a hidden page has no frames, and turns all the same", async () => {
  set("document", { hidden: true });
  const had: string[] = [];
  soon(() => had.push("a")).want();
  assert.equal(frames.size, 0);
  await new Promise((go) => setTimeout(go, 300));
  assert.deepEqual(had, ["a"]);
});
