/**
 * The script of a self-contained HTML file: draws the run that the page carries. No kernel, nothing fetched.
 *
 * The page holds `<script type="application/json" id="flowbook-run">` with a bundle, and may hold an element
 * `id="flowbook-view"` that shows something without scripts; the view takes its place.
 */

import { acceptBundle } from "../accept";
import { mount } from "../view";

function start(): void {
  const source = document.getElementById("flowbook-run");
  const bundle = acceptBundle(readJson(source?.textContent ?? ""));
  if (source === null || bundle === null) return;
  const place = document.getElementById("flowbook-view") ?? document.createElement("div");
  if (!place.isConnected) source.after(place);
  const host = document.createElement("div");
  place.replaceChildren(host);
  mount(host, { ...bundle, live: false });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
else start();
