/**
 * The panel in a bare tab, on a desk of this page: `npm run demo`, then open `demo/panel.html`.
 *
 * `?n=12` tasks, `&tall=3` in a rank, `&at=preview|running|failed|changed`, `&status=off|nothing|no-kernel|opening|broken`,
 * `&said=…`, `&fields`, `&problems`, `&choose=3`, `&theme=dark`.
 */

import { mountPanel } from "../src/panel/panel";
import type { DeskStatus } from "../src/panel/desk";
import type { Picture } from "../src/protocol";
import { FakeDesk, FIELDS, PROBLEMS } from "../test/desk";

declare global {
  interface Window {
    /** A driver may bring a picture that Python has drawn. */
    picture?: Picture;
  }
}

const asked = new URLSearchParams(location.search);
const number = (name: string, otherwise: number): number => Number(asked.get(name) ?? otherwise);

if (asked.get("theme") !== null) document.documentElement.dataset["theme"] = asked.get("theme") ?? "";

const desk = new FakeDesk({
  tasks: number("n", 12),
  ...(asked.has("tall") ? { tall: number("tall", 3) } : {}),
  ...(window.picture === undefined ? {} : { picture: window.picture }),
  fields: asked.has("fields") ? FIELDS : [],
  problems: asked.has("problems") ? PROBLEMS : [],
  status: (asked.get("status") ?? "on") as DeskStatus,
  said: asked.get("said") ?? "",
  pace: number("pace", 700),
});
const host = document.createElement("div");
document.body.append(host);
const at = asked.get("at") ?? "preview";
if (at === "running") desk.freeze(number("share", 0.5), false);
if (at === "failed" || at === "changed") desk.freeze(1, true);
if (at === "changed") desk.edit(number("edit", 2));
if (asked.has("choose")) desk.choose(number("choose", 0));
const panel = mountPanel(host, desk);
Object.assign(window, { desk, panel });
