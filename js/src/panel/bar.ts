/** The run bar: how the flow stands, and the buttons that run it and act on the run. */

import { FAMILIES, type Family, FAMILY_GLYPH } from "../look";
import { setAttribute, setText } from "../touch";
import type { Bar, Button, ButtonName } from "./controls";
import { button, type Maker } from "./dom";

const NAMES: readonly ButtonName[] = ["run", "resume-failed", "run-to", "hold", "step", "cancel", "interrupt"];

export class RunBar {
  readonly element: HTMLElement;
  private readonly flow: HTMLElement;
  private readonly state: HTMLElement;
  private readonly progress: HTMLElement;
  private readonly elapsed: HTMLElement;
  private readonly share: HTMLElement;
  private readonly segments: ReadonlyMap<Family, HTMLElement>;
  private readonly buttons: ReadonlyMap<ButtonName, HTMLButtonElement>;
  private readonly group: HTMLElement;
  private readonly said: HTMLElement;

  constructor(make: Maker, press: (name: ButtonName) => void) {
    this.flow = make("h2", "fp-flow");
    this.state = make("span", "fp-state");
    this.progress = make("span", "fp-progress");
    this.elapsed = make("span", "fp-elapsed");
    this.segments = new Map(FAMILIES.map((family) => [family, segment(make, family)]));
    this.share = make("div", "fp-share", ...this.segments.values());
    this.share.setAttribute("role", "img");
    this.buttons = new Map(NAMES.map((name) => [name, button(make, `fp-${name}`, "", () => press(name))]));
    for (const element of this.buttons.values()) element.append(make("span", "fp-long"), make("span", "fp-short"));
    this.group = make("div", "fp-buttons", ...this.buttons.values());
    this.group.setAttribute("role", "group");
    this.group.setAttribute("aria-label", "Flow run");
    this.said = make("p", "fp-said");
    const standing = make("div", "fp-standing", this.state, this.progress, this.elapsed);
    this.element = make("header", "fp-bar", make("div", "fp-title", this.flow), standing, this.share, this.group, this.said);
  }

  paint(bar: Bar): void {
    setText(this.flow, bar.flow);
    setAttribute(this.flow, "title", bar.flow);
    setText(this.state, bar.state);
    setAttribute(this.state, "data-family", bar.family);
    setText(this.progress, bar.progress);
    setText(this.elapsed, bar.elapsed);
    this.paintShare(bar);
    const wanted = new Map(bar.buttons.map((one) => [one.name, one]));
    for (const [name, element] of this.buttons) paintButton(element, wanted.get(name));
    this.keepFocus();
    setText(this.said, bar.said);
  }

  /** A button that had the focus and is gone hands it on to the first one there is. */
  private keepFocus(): void {
    const root = this.element.getRootNode();
    const focused = root instanceof ShadowRoot ? root.activeElement : null;
    if (!(focused instanceof HTMLButtonElement) || !this.group.contains(focused) || !focused.hidden) return;
    [...this.buttons.values()].find((element) => !element.hidden)?.focus();
  }

  private paintShare({ counts }: Bar): void {
    this.share.hidden = counts === null;
    if (counts === null) return;
    for (const [family, element] of this.segments) {
      element.hidden = counts[family] === 0;
      element.style.flexGrow = String(counts[family]);
    }
    const words = FAMILIES.filter((family) => counts[family] > 0).map((family) => `${FAMILY_GLYPH[family]} ${counts[family]}`);
    setAttribute(this.share, "aria-label", words.join(", "));
    setAttribute(this.share, "title", words.join("  "));
  }
}

function segment(make: Maker, family: Family): HTMLElement {
  const element = make("span", "fp-segment");
  element.setAttribute("data-family", family);
  return element;
}

function paintButton(element: HTMLButtonElement, wanted: Button | undefined): void {
  element.hidden = wanted === undefined;
  if (wanted === undefined) return;
  const [long, short] = element.children;
  if (long !== undefined) setText(long, wanted.label);
  if (short !== undefined) setText(short, wanted.short ?? wanted.label);
  setAttribute(element, "title", wanted.title);
  setAttribute(element, "aria-disabled", String(wanted.isInert));
  element.classList.toggle("fp-main", wanted.isMain);
}
