/**
 * The view in a bare tab, driven by messages from this page: `npm run demo`, then open `demo/index.html`.
 *
 * `?n=30` sets the number of tasks, `&at=0.6` shows a run frozen at that share, `&theme=dark`, `&speed=4`.
 */

import { LocalChannel } from "../src/host/demo";
import type { ToView, Verb } from "../src/protocol";
import { bundleOf, makeScene, Play } from "../test/scene";
import { mount } from "../src/view";

const asked = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(asked.get(name) ?? otherwise);
const seconds = (): number => Date.now() / 1000;

if (asked.get("theme") !== null) document.documentElement.dataset["theme"] = asked.get("theme") ?? "";

const scene = makeScene(number("n", 12), asked.has("tall") ? number("tall", 4) : undefined);
const began = seconds();
const speed = number("speed", 1);
const play = new Play(scene, began, Math.max(3, Math.round(scene.cards.length / 12)));
const host = document.createElement("div");
document.body.append(host);

let paused = false;

const channel = new LocalChannel((message): readonly ToView[] => {
  switch (message.type) {
    case "hello":
      return [];
    case "ask":
      return [scene.picture, play.snapshot(seconds())];
    case "ask-children":
      return []; // no task of this scene is mapped
    case "command":
      return [{ type: "acknowledged", run: message.run, id: message.id, verb: message.verb, ok: true, at: seconds(), said: obey(message.verb) }, play.snapshot(seconds())];
    default:
      return message satisfies never;
  }
});

function obey(verb: Verb): string {
  if (verb === "cancel") play.cancel(seconds());
  else paused = verb === "pause";
  play.flow = { ...play.flow, paused };
  play.seq += 1;
  return verb === "cancel" ? "cancel requested" : "";
}

const frozen = number("at", 0);
if (frozen > 0) {
  let step = 0;
  while (!play.isOver && play.looks.filter((now) => now.ended !== null).length < frozen * scene.cards.length) {
    play.step(began - 30 + (step += 1) * 0.7);
  }
}
const snapshot = play.snapshot(frozen > 0 ? began : seconds());
const view = mount(host, bundleOf(scene, snapshot, frozen === 0 || asked.has("live")));
if (frozen === 0 || asked.has("live")) view.connect(channel);
if (frozen === 0) {
  const timer = setInterval(() => {
    if (paused) return;
    if (play.isOver) clearInterval(timer);
    else channel.tell(play.step(seconds()));
  }, 700 / speed);
}
