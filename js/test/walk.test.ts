import assert from "node:assert/strict";
import { test } from "node:test";
import { readPicture } from "../src/adopt";
import { type Box, crop } from "../src/geometry";
import type { NodeCard } from "../src/protocol";
import { nearest } from "../src/stage";
import { beginning, type Ground, runsDown, search, type Step, walk } from "../src/walk";
import { makeScene } from "./scene";

/** Two ranks and a bit: 0 and 1 feed 2, 0 feeds 3, 2 feeds 4. */
const EDGES: readonly (readonly [number, number])[] = [[0, 2], [1, 2], [0, 3], [2, 4]];
const PLACES: readonly (readonly [number, number])[] = [[0, 0], [0, 1], [1, 0], [1, 1], [2, 0.5]];

function ground(isDown = false): Ground {
  const cards = new Map<number, NodeCard>();
  const boxes = new Map<number, Box>();
  PLACES.forEach(([rank, place], node) => {
    const upstream = EDGES.filter(([, to]) => to === node).map(([from]) => from);
    const downstream = EDGES.filter(([from]) => from === node).map(([, to]) => to);
    const name = ["read", "load", "clean", "count", "plot"][node] ?? "";
    cards.set(node, { node, slug: name, name, kind: "task", upstream, downstream, attempts: 1, mapped: false, cell: "" });
    const [x, y] = isDown ? [place * 200, rank * 80] : [rank * 250, place * 80];
    boxes.set(node, { x, y, width: 150, height: 48 });
  });
  return { cards, boxes };
}

function path(start: number, ...steps: Step[]): number[] {
  const here = ground();
  const visited = [start];
  let came: number | null = null;
  for (const step of steps) {
    const now = visited.at(-1) ?? start;
    const next = walk(here, now, step, came);
    if (next !== now) came = now;
    visited.push(next);
  }
  return visited.slice(1);
}

test("right and left follow edges, up and down stay in the rank", () => {
  assert.deepEqual(path(0, "right", "right", "right"), [2, 4, 4]);
  assert.deepEqual(path(0, "down", "right", "down", "up", "up"), [1, 2, 3, 2, 2]);
});

test("going back leads to where one came from", () => {
  assert.deepEqual(path(1, "right", "left"), [2, 1]);
  assert.deepEqual(path(0, "right", "left"), [2, 0]);
});

test("home and end are the first and the last task", () => {
  assert.deepEqual(path(3, "first", "last"), [0, 4]);
});

test("in a picture that runs down, down follows the edges", () => {
  assert.equal(runsDown(ground(true)), true);
  assert.equal(runsDown(ground()), false);
  assert.equal(walk(ground(true), 0, "down"), 2);
  assert.equal(walk(ground(true), 0, "right"), 1);
});

test("every task of a large flow can be reached from the first with arrow keys", () => {
  const scene = makeScene(120);
  const { nodes: boxes } = crop(readPicture(scene.picture.svg));
  const here: Ground = { cards: new Map(scene.cards.map((card) => [card.node, card])), boxes };
  const reached = new Set([0]);
  const open = [0];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    for (const step of ["left", "right", "up", "down"] as const) {
      const next = walk(here, node, step);
      if (!reached.has(next)) open.push(next);
      reached.add(next);
    }
  }
  assert.equal(reached.size, 120);
});

test("a picture begins with its first task, and not with the values before it", () => {
  for (const isDown of [false, true]) {
    const { cards, boxes } = ground(isDown);
    const valued = (nodes: readonly number[]): Ground => {
      const changed = [...cards].map(([node, card]) => [node, nodes.includes(node) ? { ...card, kind: "parameter" as const } : card] as const);
      return { cards: new Map(changed), boxes };
    };
    assert.equal(beginning({ cards, boxes }), boxes.get(0));
    assert.equal(beginning(valued([0, 1])), boxes.get(2));
    assert.equal(beginning(valued([0, 1, 2, 3, 4])), boxes.get(0));
  }
});

test("search finds parts of names, beginnings first", () => {
  const cards = [...ground().cards.values()];
  assert.deepEqual(search(cards, "CL"), [2]);
  assert.deepEqual(search(cards, "l"), [1, 2, 4]);
  assert.deepEqual(search(cards, "  "), []);
});

test("a window scrolls no further than it must", () => {
  assert.equal(nearest(0, 100, 20, 60), 0);
  assert.equal(nearest(0, 100, 80, 120), 20);
  assert.equal(nearest(50, 100, 20, 60), 20);
  assert.equal(nearest(0, 100, 40, 400), 40);
});
