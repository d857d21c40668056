/** The window onto the picture: how large it is drawn, which part of it is seen, moving about with mouse and wheel. */

import type { Box } from "./geometry";
import { setAttribute } from "./touch";

/** At this scale the words in a node are read with ease; wide pictures are drawn so, and scroll. */
const READABLE = 0.72;
/** But better a little smaller and whole than cut: down to this scale a picture shrinks to fit. */
const STILL_READABLE = 0.6;
const LARGEST = 2.5;
const SMALLEST = 0.04;
/** A press that moves less than this many pixels is a click. */
const STILL = 4;

/** `read`: as wide as the window but readable. `whole`: all of it. `free`: as the person zoomed. */
type Fit = "read" | "whole" | "free";

export class Stage {
  readonly element: HTMLElement;
  private readonly scroller: HTMLElement;
  private readonly tools: HTMLElement;
  private picture: SVGElement | null = null;
  private natural: Box = { x: 0, y: 0, width: 1, height: 1 };
  private fit: Fit = "read";
  private scale = 1;
  private start: Box | null = null;
  /** What was brought into sight last, in a window whose height is not its own doing; it stays so when that changes. */
  private held: Box | null = null;
  private readonly resize: ResizeObserver;
  /** What is seen, in the picture's own units, and when a person moved it last (seconds). */
  seen: Box = { x: 0, y: 0, width: 0, height: 0 };
  touched = 0;

  /** `onSight` is told what is seen, in the picture's own units, and at which scale. */
  constructor(
    page: Document,
    private readonly onSight: (sight: Box, scale: number) => void,
    /** The window has a height of its own; otherwise it grows with the picture. */
    private readonly isFramed = false,
  ) {
    this.element = page.createElement("div");
    this.element.className = "fb-stage";
    this.scroller = page.createElement("div");
    this.scroller.className = "fb-scroller";
    this.tools = this.makeTools(page);
    this.element.append(this.scroller, this.tools);
    this.scroller.addEventListener("wheel", this.onWheel, { passive: false });
    for (const moved of ["wheel", "pointerdown", "touchmove"]) this.scroller.addEventListener(moved, this.onTouch, { passive: true });
    this.scroller.addEventListener("pointerdown", this.onPress);
    this.scroller.addEventListener("dblclick", this.onDoubleClick);
    this.scroller.addEventListener("scroll", () => this.tellSight(), { passive: true });
    this.resize = new ResizeObserver(() => this.refit());
    this.resize.observe(this.scroller);
  }

  /** Show another picture; `natural` is its view box, `start` what should be seen of it if not all can be. */
  show(picture: SVGElement, natural: Box, start: Box | undefined): void {
    this.picture = picture;
    this.natural = natural;
    this.held = null;
    this.start = start ?? null;
    // Sized and told before it stands in the page: a large picture is laid out once, and never as a whole.
    this.scroller.replaceChildren();
    this.size(this.fit === "read" ? this.readableScale() : this.scale);
    this.tellSight();
    this.scroller.append(picture);
    this.refit();
  }

  /** Scroll so that `box`, in the picture's own units, is seen. */
  reveal(box: Box): void {
    this.held = this.isFramed ? box : null;
    const margin = 16;
    const origin = this.origin();
    const left = origin.x + (box.x - this.natural.x) * this.scale;
    const top = origin.y + (box.y - this.natural.y) * this.scale;
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.scroller;
    this.scroller.scrollTo({
      left: nearest(scrollLeft, clientWidth, left - margin, left + box.width * this.scale + margin),
      top: nearest(scrollTop, clientHeight, top - margin, top + box.height * this.scale + margin),
    });
    this.tellSight(); // not a frame later: what is revealed is focused next
  }

  /** A person has chosen what is seen. */
  touch(): void {
    this.touched = Date.now() / 1000;
  }

  zoomBy(factor: number, at?: { readonly clientX: number; readonly clientY: number }): void {
    this.leaveReading("free");
    const frame = this.scroller.getBoundingClientRect();
    const x = at === undefined ? frame.width / 2 : at.clientX - frame.left;
    const y = at === undefined ? frame.height / 2 : at.clientY - frame.top;
    const { scrollLeft, scrollTop } = this.scroller;
    const before = this.origin();
    const held = { x: (scrollLeft + x - before.x) / this.scale, y: (scrollTop + y - before.y) / this.scale };
    this.draw(this.scale * factor);
    const after = this.origin();
    this.scroller.scrollTo(after.x + held.x * this.scale - x, after.y + held.y * this.scale - y);
  }

  /** Go to the readable size, or to the whole picture when it is readable already. */
  toggleFit(): void {
    if (this.fit === "read" && this.wholeScale() < this.readableScale() - 0.01) {
      this.leaveReading("whole");
    } else {
      this.fit = "read";
      this.scroller.style.minHeight = "";
    }
    this.refit();
  }

  dispose(): void {
    this.resize.disconnect();
  }

  private refit(): void {
    if (this.picture === null || this.scroller.clientWidth === 0) return; // not laid out yet: the observer calls again
    if (this.fit === "read") this.draw(this.readableScale());
    if (this.start !== null) this.begin(this.start);
    this.start = null;
    if (this.fit !== "read") this.draw(this.fit === "whole" ? this.wholeScale() : this.scale);
    if (this.held !== null) this.reveal(this.held);
  }

  /** Show the place where the flow begins; the top left corner of a tall picture may be empty. */
  private begin(start: Box): void {
    const { clientWidth, clientHeight } = this.scroller;
    const x = (start.x - this.natural.x) * this.scale;
    const y = (start.y - this.natural.y) * this.scale;
    const isAtLeft = x < clientWidth / 2;
    const isAtTop = y < clientHeight / 2;
    const middle = (start.width * this.scale - clientWidth) / 2;
    this.scroller.scrollTo(isAtLeft ? 0 : x + middle, isAtTop ? 0 : y - clientHeight / 2);
  }

  /** From now on the window keeps its height: what stands below the picture must not jump with each zoom. */
  private leaveReading(fit: Fit): void {
    if (this.fit === "read") this.scroller.style.minHeight = `${this.scroller.clientHeight}px`;
    this.fit = fit;
  }

  /** Where the picture begins in what can be scrolled: not at 0 when it is smaller than the window. */
  private origin(): { readonly x: number; readonly y: number } {
    const frame = this.scroller.getBoundingClientRect();
    const picture = this.picture?.getBoundingClientRect() ?? frame;
    const { scrollLeft, scrollTop, clientLeft, clientTop } = this.scroller;
    return { x: picture.left - frame.left - clientLeft + scrollLeft, y: picture.top - frame.top - clientTop + scrollTop };
  }

  /** How tall the window must be for a picture of this width to be read without scrolling up and down. */
  get wanted(): number {
    return Math.ceil(this.natural.height * this.wideScale());
  }

  private wideScale(): number {
    const fits = Math.min(1, (this.scroller.clientWidth || this.natural.width) / this.natural.width);
    return fits < STILL_READABLE ? READABLE : fits;
  }

  private readableScale(): number {
    const wide = this.wideScale();
    if (!this.isFramed) return wide;
    const tall = this.scroller.clientHeight / this.natural.height;
    return tall < STILL_READABLE ? wide : Math.min(wide, tall);
  }

  private wholeScale(): number {
    const height = Number.parseFloat(getComputedStyle(this.scroller).maxHeight) || this.scroller.clientHeight;
    const fits = Math.min(this.scroller.clientWidth / this.natural.width, height / this.natural.height);
    return clamp(fits, SMALLEST, 1);
  }

  private size(scale: number): { readonly width: number; readonly height: number } {
    this.scale = clamp(scale, SMALLEST, LARGEST);
    const width = Math.round(this.natural.width * this.scale);
    const height = Math.round(this.natural.height * this.scale);
    if (this.picture !== null) {
      setAttribute(this.picture, "width", String(width));
      setAttribute(this.picture, "height", String(height));
    }
    return { width, height };
  }

  private draw(scale: number): void {
    const { width, height } = this.size(scale);
    const isCut = width > this.scroller.clientWidth + 1 || height > this.scroller.clientHeight + 1;
    this.element.toggleAttribute("data-cut", isCut);
    this.element.toggleAttribute("data-scaled", isCut || this.fit !== "read");
    this.tellSight();
  }

  private tellSight(): void {
    const { scrollLeft, scrollTop, clientWidth, clientHeight } = this.scroller;
    const { scale, natural } = this;
    // Before its first layout the window has no size; its height grows with the picture, up to that of the screen.
    const width = clientWidth || 1200;
    const height = this.isFramed && clientHeight > 0 ? clientHeight : Math.max(clientHeight, 800);
    this.shade();
    // A picture smaller than the window stands in its middle: then all of it is seen, wherever it begins.
    const sight = { x: natural.x + scrollLeft / scale, y: natural.y + scrollTop / scale };
    this.seen = { ...sight, width: clientWidth / scale, height: clientHeight / scale };
    this.onSight({ ...sight, width: width / scale, height: height / scale }, scale);
  }

  /** Mark the sides beyond which there is more. */
  private shade(): void {
    const { scrollLeft, scrollTop, clientWidth, clientHeight, scrollWidth, scrollHeight } = this.scroller;
    this.element.toggleAttribute("data-more-left", scrollLeft > 1);
    this.element.toggleAttribute("data-more-right", scrollLeft + clientWidth < scrollWidth - 1);
    this.element.toggleAttribute("data-more-above", scrollTop > 1);
    this.element.toggleAttribute("data-more-below", scrollTop + clientHeight < scrollHeight - 1);
  }

  private makeTools(page: Document): HTMLElement {
    const tools = page.createElement("div");
    tools.className = "fb-tools";
    const add = (sign: string, name: string, act: () => void): void => {
      const button = page.createElement("button");
      button.type = "button";
      button.textContent = sign;
      button.title = name;
      button.setAttribute("aria-label", name);
      button.addEventListener("click", act);
      tools.append(button);
    };
    add("−", "Zoom out", () => this.zoomBy(1 / 1.25));
    add("+", "Zoom in", () => this.zoomBy(1.25));
    add("⤢", "Fit the picture (double click)", () => this.toggleFit());
    return tools;
  }

  private readonly onTouch = (): void => {
    this.held = null;
    this.touch();
  };

  private readonly onWheel = (event: WheelEvent): void => {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0025)), event);
  };

  private readonly onDoubleClick = (event: MouseEvent): void => {
    if (event.target instanceof Element && event.target.closest(".fb-node") !== null) return;
    this.toggleFit();
  };

  /** Drag the picture about. The first pixels decide whether it is a drag, so that a click still reaches a node. */
  private readonly onPress = (start: PointerEvent): void => {
    if (start.button !== 0 || start.pointerType !== "mouse" || !this.element.hasAttribute("data-cut")) return;
    const { scrollLeft, scrollTop } = this.scroller;
    const move = (event: PointerEvent): void => {
      const x = event.clientX - start.clientX;
      const y = event.clientY - start.clientY;
      if (!this.element.hasAttribute("data-dragged") && Math.hypot(x, y) < STILL) return;
      if (!this.scroller.hasPointerCapture(start.pointerId)) this.scroller.setPointerCapture(start.pointerId);
      this.element.toggleAttribute("data-dragged", true);
      this.scroller.scrollTo({ left: scrollLeft - x, top: scrollTop - y });
    };
    const end = (): void => {
      this.scroller.removeEventListener("pointermove", move);
      this.scroller.removeEventListener("pointerup", end);
      this.scroller.removeEventListener("pointercancel", end);
      // The click that follows a drag is not meant for a node; it comes before the next task.
      setTimeout(() => this.element.toggleAttribute("data-dragged", false));
    };
    this.scroller.addEventListener("pointermove", move);
    this.scroller.addEventListener("pointerup", end);
    this.scroller.addEventListener("pointercancel", end);
  };
}

/** The scroll position nearest to `now` from which `start` to `end` is seen in a window of `size`. */
export function nearest(now: number, size: number, start: number, end: number): number {
  if (start < now || end - start > size) return Math.max(0, start);
  return end > now + size ? end - size : now;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
