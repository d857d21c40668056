/** The line above the picture: which flow, how it stands, how many are done, how long, and the buttons. */

import { thousands } from "./mapped";
import { clean } from "./measure";
import { familyCounts, familyOf, glyphOf, isOver, isRunning, kernelTime, type Model } from "./model";
import { FAMILIES, type Family, FAMILY_GLYPH } from "./look";
import type { Verb } from "./protocol";
import { setAttribute, setText } from "./touch";
import { countsText, requestText, runTexts } from "./words";

/** What the header must know beside the model. */
export interface Situation {
  /** The kernel has spoken since the channel opened: buttons will be heard. */
  readonly connected: boolean;
  /** Somebody is there but does not listen now; the run can only be interrupted. */
  readonly deaf: boolean;
  /** The run has not ended, but nobody is there. */
  readonly abandoned: boolean;
  /** The browser's clock, in seconds. */
  readonly now: number;
  readonly canInterrupt: boolean;
}

export interface Pressed {
  command(verb: Verb): void;
  interrupt(): void;
}

export class Header {
  readonly element: HTMLElement;
  private readonly name: HTMLElement;
  private readonly state: HTMLElement;
  private readonly facts: HTMLElement;
  private readonly elapsed: HTMLElement;
  private readonly counts: HTMLElement;
  private readonly segments: Record<Family, HTMLElement>;
  private readonly tallies: Record<Family, HTMLElement>;
  private readonly said: HTMLElement;
  private readonly buttons: Record<"hold" | "step" | "cancel" | "interrupt", HTMLButtonElement>;
  private holdVerb: Verb = "pause";
  private run: string | undefined;
  private verbs: ReadonlySet<string> = new Set();

  constructor(page: Document, pressed: Pressed) {
    const make = (tag: string, name: string, ...children: Node[]): HTMLElement => {
      const element = page.createElement(tag);
      element.className = name;
      element.append(...children);
      return element;
    };
    const button = (name: string, act: () => void): HTMLButtonElement => {
      const element = page.createElement("button");
      element.type = "button";
      element.className = `fb-button fb-${name.toLowerCase()}`;
      element.textContent = name;
      // Not `disabled`: a button that goes quiet under the finger must keep the keyboard's focus.
      element.addEventListener("click", () => {
        if (element.getAttribute("aria-disabled") !== "true") act();
      });
      return element;
    };
    this.name = make("strong", "fb-flow");
    this.state = make("span", "fb-run-state");
    this.facts = make("span", "fb-done");
    this.elapsed = make("span", "fb-elapsed");
    this.said = make("span", "fb-said");
    this.segments = perFamily((family) => withFamily(make("span", "fb-segment"), family));
    this.tallies = perFamily((family) => withFamily(make("span", "fb-tally"), family));
    const bar = make("div", "fb-counts-bar", ...Object.values(this.segments));
    const legend = make("div", "fb-tallies", ...Object.values(this.tallies));
    this.counts = make("div", "fb-counts", bar, legend);
    this.counts.setAttribute("role", "img");
    this.buttons = {
      hold: button("Pause", () => pressed.command(this.holdVerb)),
      step: button("Step", () => pressed.command("step")),
      cancel: button("Cancel", () => pressed.command("cancel")),
      interrupt: button("Interrupt", () => pressed.interrupt()),
    };
    this.buttons.step.title = "Start the next task, then stand still again";
    this.buttons.interrupt.title = "Stop what the kernel is doing, as its stop button does";
    const line = make("div", "fb-line-one", this.name, this.state, this.facts, this.elapsed);
    const controls = make("div", "fb-controls", ...Object.values(this.buttons));
    controls.setAttribute("role", "group");
    controls.setAttribute("aria-label", "Flow run");
    this.element = make("header", "fb-head", make("div", "fb-head-words", line, this.counts), controls, this.said);
  }

  paint(model: Model, situation: Situation): void {
    setText(this.name, clean(model.picture?.flow ?? ""));
    setAttribute(this.name, "title", this.name.textContent ?? "");
    this.tick(model, situation);
    this.paintState(model, situation);
    this.paintCounts(model);
    this.paintButtons(model, situation);
    setText(this.said, requestText(model.request, model.flow, situation.canInterrupt));
  }

  /** What moves between messages: the elapsed time. Without a kernel time stands where it was last known. */
  tick(model: Model, situation: Situation): void {
    const texts = runTexts(model, situation.connected ? kernelTime(model, situation.now) : model.at);
    setText(this.facts, texts.progress);
    setText(this.elapsed, texts.elapsed);
  }

  private paintState(model: Model, situation: Situation): void {
    const { flow } = model;
    const { state } = runTexts(model, model.at);
    const isRun = flow.state !== "";
    const words = isRun ? `${glyphOf(state)} ${state}${situation.abandoned ? ", not connected" : ""}` : state;
    setText(this.state, words);
    setAttribute(this.state, "data-family", isRun ? familyOf(state) : "waiting");
    setAttribute(this.state, "title", clean(flow.message));
  }

  private paintCounts(model: Model): void {
    const counts = familyCounts(model);
    const isShown = model.looks.size > 0 && model.flow.state !== "";
    this.counts.hidden = !isShown;
    if (!isShown) return;
    for (const family of FAMILIES) {
      const count = counts[family];
      this.segments[family].hidden = this.tallies[family].hidden = count === 0;
      this.segments[family].style.flexGrow = String(count);
      setText(this.tallies[family], `${FAMILY_GLYPH[family]} ${thousands(count)}`);
    }
    setAttribute(this.counts, "aria-label", countsText(model));
    setAttribute(this.counts, "title", countsText(model));
  }

  private paintButtons(model: Model, situation: Situation): void {
    const { picture, flow, request } = model;
    if (picture?.run !== this.run) this.verbs = new Set();
    this.run = picture?.run;
    // The last picture of a run has no controls; those that were there stay, inert, so that nothing jumps about.
    if (picture !== null && picture.controls.length > 0) this.verbs = new Set(picture.controls);
    const { verbs } = this;
    const isAsked = request?.phase === "asked";
    const isIdle = !situation.connected || !isRunning(flow);
    const canBeStopped = situation.deaf && isRunning(flow);
    const isCancelling = request?.verb === "cancel" && request.phase !== "refused";
    this.holdVerb = flow.paused ? "resume" : "pause";
    setText(this.buttons.hold, flow.paused ? "Resume" : "Pause");
    show(this.buttons.hold, verbs.has("pause") || verbs.has("resume"), isIdle || isAsked || isCancelling);
    show(this.buttons.step, verbs.has("step"), isIdle || isAsked || isCancelling);
    show(this.buttons.cancel, verbs.has("cancel"), (isIdle && !canBeStopped) || isCancelling);
    const isStuck = request?.phase === "unanswered" && situation.canInterrupt && !isOver(flow);
    show(this.buttons.interrupt, isStuck, false);
    const why = isOver(flow) ? "The run has ended" : situation.abandoned ? "Not connected to the kernel" : "Waiting for the kernel";
    for (const button of [this.buttons.hold, this.buttons.cancel]) setAttribute(button, "title", isIdle ? why : "");
  }
}

function show(button: HTMLButtonElement, isShown: boolean, isInert: boolean): void {
  button.hidden = !isShown;
  setAttribute(button, "aria-disabled", String(isInert));
}

function perFamily(make: (family: Family) => HTMLElement): Record<Family, HTMLElement> {
  return { good: make("good"), active: make("active"), warn: make("warn"), bad: make("bad"), waiting: make("waiting") };
}

function withFamily(element: HTMLElement, family: Family): HTMLElement {
  element.setAttribute("data-family", family);
  return element;
}
