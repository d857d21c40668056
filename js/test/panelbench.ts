/**
 * What the panel costs while a flow of many cells runs: does the page keep its pace?
 *
 * Opened by a driver as `test/panelbench.html?n=300&rate=20&seconds=4` after `node build.mjs --only-pages`; the result is
 * `await window.__panelBench`, all times in milliseconds:
 *   tasks, ticks               what was shown: each tick is a message of the kernel
 *   firstPaint                 from mounting to the first frame that shows all
 *   script {p50, p95, max}     spent in our code for one tick: folding it twice (desk and picture) and painting it
 *   frame {p50, p95, max}      between frames, as the browser draws them
 *   wrong                      rows whose family is not that of the last message; must be 0
 */

import { familyOf } from "../src/model";
import { mountPanel } from "../src/panel/panel";
import { FakeDesk } from "./desk";

interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

interface Result {
  readonly tasks: number;
  readonly ticks: number;
  readonly firstPaint: number;
  readonly script: Spread;
  readonly frame: Spread;
  readonly wrong: number;
}

declare global {
  interface Window {
    __panelBench?: Promise<Result>;
  }
}

async function bench(tasks: number, rate: number, seconds: number): Promise<Result> {
  const desk = new FakeDesk({ tasks });
  desk.freeze(0.1, false);
  desk.choose(Math.floor(tasks / 3));
  const host = document.getElementById("host") ?? document.body;
  const began = performance.now();
  mountPanel(host, desk);
  await painted();
  const firstPaint = performance.now() - began;
  await sleep(1000);

  const script: number[] = [];
  const watch = watchFrames();
  const ticks = Math.round(rate * seconds);
  const first = performance.now();
  for (let tick = 0; tick < ticks; tick += 1) {
    await sleep(first + (tick * 1000) / rate - performance.now());
    const sent = performance.now();
    // The fake kernel's own work is not the panel's.
    const changes = desk.play.step(Date.now() / 1000, 0.12);
    const made = performance.now();
    desk.hear(changes);
    const folded = performance.now() - made;
    void painted().then((painting) => script.push(folded + painting));
    if (made - sent > 20) console.warn("the fake kernel is slow");
  }
  await sleep(400);
  return { tasks, ticks, firstPaint, script: spread(script), frame: spread(watch()), wrong: countWrong(host, desk) };
}

/** Resolves when the frame that follows has been painted, with the time spent in its callbacks. */
function painted(): Promise<number> {
  return new Promise((resolve) => {
    requestAnimationFrame((began) => {
      // Callbacks of a frame run in order: the panel's and the picture's came before this one.
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

function countWrong(host: HTMLElement, desk: FakeDesk): number {
  const rows = [...(host.shadowRoot?.querySelectorAll(".fp-body .fp-row") ?? [])];
  const isRight = (row: Element, node: number): boolean => row.getAttribute("data-family") === familyOf(desk.play.looks[node]?.state ?? "");
  return rows.filter((row, node) => !isRight(row, node)).length + Math.abs(rows.length - desk.play.looks.length);
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
window.__panelBench = bench(number("n", 300), number("rate", 20), number("seconds", 4));
