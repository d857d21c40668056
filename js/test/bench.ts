/**
 * How long from a state change to a coloured node, and do frames keep their pace meanwhile?
 *
 * Opened by a driver as `test/bench.html?n=1000&rate=20&seconds=3&share=0.01` after `node build.mjs --pages`; the
 * result is `await window.__bench`, all times in milliseconds:
 *   nodes, batches, perBatch   what was shown
 *   firstPaint                 from the bundle to the first frame that shows it
 *   latency {p50, p95, max}    from a message to the frame that shows it has been painted
 *   script {p50, p95, max}     spent in our code for one message: taking it and painting it
 *   frame {p50, p95, max}      between frames, as the browser draws them
 *   wrong                      nodes whose colour is not that of the last message; must be 0
 */

import { LocalChannel } from "../src/host/demo";
import { familyOf } from "../src/model";
import type { Changes, NodeLook } from "../src/protocol";
import { mount } from "../src/view";
import { bundleOf, makeScene, Play, random } from "./scene";

interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export interface Result {
  readonly nodes: number;
  readonly batches: number;
  readonly perBatch: number;
  readonly firstPaint: number;
  readonly latency: Spread;
  readonly script: Spread;
  readonly frame: Spread;
  readonly wrong: number;
}

declare global {
  interface Window {
    __bench?: Promise<Result>;
  }
}

const STATES = ["Pending", "Running", "Success", "Failed", "Retrying", "Skipped", "Cached"];

async function bench(nodes: number, rate: number, seconds: number, share: number): Promise<Result> {
  const scene = makeScene(nodes);
  const play = new Play(scene, Date.now() / 1000);
  const host = document.getElementById("host") ?? document.body;
  const channel = new LocalChannel((message) => (message.type === "ask" ? [scene.picture, play.snapshot()] : []));
  const started = performance.now();
  const view = mount(host, bundleOf(scene, play.snapshot(), true));
  view.connect(channel);
  await painted();
  const firstPaint = performance.now() - started;
  await sleep(500);

  const chance = random(1);
  const perBatch = Math.max(1, Math.round(nodes * share));
  const latency: number[] = [];
  const script: number[] = [];
  const watch = watchFrames();
  const batches = Math.round(rate * seconds);
  const first = performance.now();
  for (let batch = 0; batch < batches; batch += 1) {
    await sleep(first + (batch * 1000) / rate - performance.now());
    const changes = shuffle(play, perBatch, chance);
    const sent = performance.now();
    performance.mark("message");
    channel.tell(changes);
    const folded = performance.now() - sent;
    void painted().then((painting) => {
      latency.push(performance.now() - sent);
      script.push(folded + painting);
    });
  }
  await sleep(300);
  const frame = watch();
  return {
    nodes, batches, perBatch, firstPaint,
    latency: spread(latency), script: spread(script), frame: spread(frame),
    wrong: countWrong(host, play.looks),
  };
}

/** Some nodes get other states, as a run would send it. */
function shuffle(play: Play, count: number, chance: () => number): Changes {
  const at = Date.now() / 1000;
  const nodes: NodeLook[] = [];
  for (let change = 0; change < count; change += 1) {
    const node = Math.floor(chance() * play.looks.length);
    const state = STATES[Math.floor(chance() * STATES.length)] ?? "Pending";
    const isWaiting = state === "Pending";
    const isOver = !isWaiting && state !== "Running";
    const times = { started: isWaiting ? null : at - 1, ended: isOver ? at : null, due: state === "Retrying" ? at + 2 : null };
    const old = play.looks[node];
    if (old === undefined || nodes.some((other) => other.node === node)) continue;
    nodes.push((play.looks[node] = { ...old, ...times, state, attempt: 1 }));
  }
  const since = play.seq;
  play.seq += 1;
  return { ...play.snapshot(at), type: "changes", since, nodes };
}

/** Resolves when the frame that follows has been painted, with the time spent in its callbacks. */
function painted(): Promise<number> {
  return new Promise((resolve) => {
    requestAnimationFrame((began) => {
      // Callbacks of a frame run in order: the view's came before this one. A message then waits for the painting.
      const callbacks = performance.now() - began;
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(Math.max(0, callbacks));
      port2.postMessage(null);
    });
  });
}

function watchFrames(): () => number[] {
  const gaps: number[] = [];
  let last: number | null = null;
  let isOn = true;
  const look = (time: number): void => {
    if (last !== null) gaps.push(time - last);
    last = time;
    if (isOn) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  return () => {
    isOn = false;
    return gaps;
  };
}

function countWrong(host: HTMLElement, looks: readonly NodeLook[]): number {
  const groups = [...(host.shadowRoot?.querySelectorAll(".fb-node") ?? [])];
  return groups.filter((group) => {
    const look = looks[Number(group.getAttribute("data-node"))];
    return look?.state !== group.getAttribute("data-state") || familyOf(look?.state ?? "") !== group.getAttribute("data-family");
  }).length;
}

function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  return { p50: at(0.5), p95: at(0.95), max: at(1) };
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, milliseconds)));
}

const asked = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(asked.get(name) ?? otherwise);
window.__bench = bench(number("n", 1000), number("rate", 20), number("seconds", 3), number("share", 0.01));
