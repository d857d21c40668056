/** The empty states: one picture, one sentence, one button. */

import { setText } from "../touch";
import { alike } from "./alike";
import type { Desk } from "./desk";
import { button, type Maker } from "./dom";
import type { Empty } from "./empties";

/** Two cards that lead to a third: what a flow is, without words. */
const SKETCH = `<svg viewBox="0 0 120 72" width="120" height="72" aria-hidden="true" class="fp-sketch">
<path d="M40 17C60 17 56 36 76 36M40 55C60 55 56 36 76 36"/>
<rect x="4" y="6" width="36" height="22" rx="5"/><rect x="4" y="44" width="36" height="22" rx="5"/><rect x="78" y="25" width="36" height="22" rx="5"/>
</svg>`;

export class Welcome {
  readonly element: HTMLElement;
  private readonly title: HTMLElement;
  private readonly text: HTMLElement;
  private readonly code: HTMLElement;
  private readonly button: HTMLButtonElement;
  private readonly note: HTMLElement;
  private empty: Empty | null = null;

  constructor(make: Maker, desk: Desk) {
    const sketch = make("div", "fp-sketch-place");
    sketch.innerHTML = SKETCH; // a constant of ours
    this.title = make("h2", "fp-welcome-title");
    this.text = make("p", "fp-welcome-text");
    this.code = make("code", "fp-welcome-code");
    this.button = button(make, "fp-main", "", () => {
      const wanted = this.empty?.button;
      if (wanted != null) void desk.open(wanted.basis);
    });
    this.note = make("p", "fp-note");
    this.element = make("div", "fp-welcome", sketch, this.title, this.text, this.code, this.button, this.note);
    this.element.setAttribute("role", "region");
    this.element.setAttribute("aria-label", "Flow");
  }

  paint(empty: Empty | null): void {
    this.element.hidden = empty === null;
    if (empty === null || alike(empty, this.empty)) return;
    this.empty = empty;
    setText(this.title, empty.title);
    setText(this.text, empty.text);
    setText(this.code, empty.code);
    this.code.hidden = empty.code === "";
    this.text.hidden = empty.text === "";
    this.button.hidden = this.note.hidden = empty.button === null;
    setText(this.button, empty.button?.label ?? "");
    setText(this.note, empty.button?.note ?? "");
    this.element.toggleAttribute("data-waiting", empty.isWaiting);
  }
}
