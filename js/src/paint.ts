/**
 * Adopts the drawing and recolours it. Touches the DOM, decides nothing: what a node looks like follows from its
 * `data-state` and `data-family` in CSS, and what it says from `words`.
 */

import { build, readPicture } from "./adopt";
import { type Box, crop, type Drawing, overlaps } from "./geometry";
import { CARD, type Family } from "./look";
import { failedChildren, isBusy, shares } from "./mapped";
import { familyOf, glyphOf, kernelTime, type Model } from "./model";
import type { NodeCard, NodeLook, Picture } from "./protocol";
import { setAttribute, setText } from "./touch";
import { soon } from "./turns";
import { isMoving, lineOf, nodeName, type NodeTexts, nodeTexts, nodeTitle } from "./words";

/**
 * Browsers draw moving strokes anew in each frame, together with all that they touch: with more nodes than this, or
 * more of them running, nothing moves but clocks and colours.
 */
const BUSY = 150;
/** Pictures with more nodes than this keep only what is in sight, and a little around it, in the browser's layout. */
const MANY = 250;
const AROUND = 300;
/** So many elements of what is around come into the layout in one frame. */
const SOME = 12;
/** Drawn smaller than this, words are grey dust: they are left out. */
const FAR = 0.4;
const LIVELY = 16;

/** The elements of one node that change. */
interface NodeParts {
  readonly group: SVGElement;
  readonly card: NodeCard;
  readonly title: Element | null;
  readonly glyph: Element | null;
  readonly state: Element | null;
  readonly time: Element | null;
  readonly track: Element | null;
  readonly bar: Element | null;
  readonly barWidth: number;
  /** The parts of the bar of a mapped task. */
  readonly shares: readonly (readonly [Family, Element])[];
  /** Where that bar begins, and how long it is. */
  readonly left: number;
  readonly shareRoom: number;
  /** How long the state line may be. */
  readonly room: number;
  look: NodeLook | null;
  /** What it shows; another look than it has while it is out of sight. */
  painted: NodeLook | null;
}

type Place = readonly [SVGElement, Box, NodeParts | null];

/** Read a picture from wherever it comes; throws a `PictureError` when it is none of ours. */
export function readDrawing(picture: Picture): Drawing {
  return crop(readPicture(picture.svg));
}

export class Painter {
  readonly svg: SVGElement;
  readonly view: Box;
  readonly boxes: ReadonlyMap<number, Box>;
  private readonly nodes = new Map<number, NodeParts>();
  private readonly edgesInto = new Map<number, SVGElement[]>();
  /** Nodes whose texts move with the clock. */
  private readonly moving = new Set<NodeParts>();
  private readonly places: Place[] = [];
  /** What is out of sight. */
  private readonly hidden = new Set<SVGElement>();
  /** What is to come into the layout when there is time. */
  private later: Place[] = [];
  private readonly turn = soon(() => this.showSome());
  /** The kernel's clock when the drawing was last brought up to the model. */
  private time = 0;

  constructor(
    page: Document,
    private readonly drawing: Drawing,
    cards: ReadonlyMap<number, NodeCard>,
  ) {
    this.svg = build(drawing.mark, page);
    this.view = drawing.view;
    this.boxes = drawing.nodes;
    for (const group of this.svg.querySelectorAll<SVGElement>(".fb-node")) {
      const card = cards.get(Number(group.getAttribute("data-node")));
      const parts = card === undefined ? null : partsOf(group, card, this.boxes.get(card.node)?.width ?? 0);
      this.place(group, drawing.nodes.get(Number(group.getAttribute("data-node"))), parts);
      if (parts !== null) this.nodes.set(parts.card.node, parts);
    }
    for (const group of this.svg.querySelectorAll<SVGElement>(".fb-edge")) {
      this.place(group, drawing.edges.get(Number(group.getAttribute("data-edge"))));
      if (group.getAttribute("data-kind") === "cycle") continue; // red, whatever runs
      const to = Number(group.getAttribute("data-to"));
      this.edgesInto.set(to, [...(this.edgesInto.get(to) ?? []), group]);
    }
  }

  private place(element: SVGElement, box: Box | undefined, parts: NodeParts | null = null): void {
    if (box !== undefined) this.places.push([element, box, parts]);
  }

  /** Whether another drawing has everything in the same place, under the same name. */
  fits(other: Drawing): boolean {
    return other.shape === this.drawing.shape;
  }

  /** What a navigator needs of the drawing. */
  sight(): { svg: SVGElement; boxes: ReadonlyMap<number, Box>; groupOf(node: number): SVGElement | undefined } {
    return { svg: this.svg, boxes: this.boxes, groupOf: (node) => this.nodes.get(node)?.group };
  }

  /** Bring the drawing up to the model; only nodes with a new look are touched, and those in sight before all others. */
  paint(model: Model, now: number): void {
    const time = kernelTime(model, now);
    this.svg.toggleAttribute("data-calm", model.looks.size > BUSY || lively(model) > LIVELY);
    for (const [node, look] of model.looks) {
      const parts = this.nodes.get(node);
      if (parts === undefined || parts.look === look) continue;
      parts.look = look;
      if (!this.hidden.has(parts.group)) this.paintNode(parts, look, time);
      this.paintEdges(parts.card.node, look);
    }
    this.time = time;
  }

  /** Paint what is out of sight, too: for those who take the drawing away. */
  complete(): void {
    for (const parts of this.nodes.values()) this.catchUp(parts);
  }

  private catchUp(parts: NodeParts): void {
    if (parts.look !== null && parts.look !== parts.painted) this.paintNode(parts, parts.look, this.time);
  }

  /** Keep what is in sight drawn. `sight` is in the picture's own units. */
  show(sight: Box, scale: number): void {
    this.svg.toggleAttribute("data-far", scale < FAR);
    if (this.nodes.size <= MANY) return;
    const { x, y, width, height } = sight;
    const near: Box = { x: x - AROUND, y: y - AROUND, width: width + 2 * AROUND, height: height + 2 * AROUND };
    this.later = [];
    for (const place of this.places) {
      const [element, box] = place;
      const isShown = overlaps(near, box);
      if (isShown !== this.hidden.has(element)) continue;
      if (!isShown || overlaps(sight, box)) this.toggle(place, isShown);
      else this.later.push(place);
    }
    if (this.later.length > 0) this.turn.want();
  }

  /** What is around the sight: the browser lays a word out in a tenth of a millisecond, and these have many. */
  private showSome(): void {
    for (const place of this.later.splice(-SOME)) this.toggle(place, true);
    if (this.later.length > 0) this.turn.want();
  }

  /** No turns any more. */
  dispose(): void {
    this.turn.forget();
  }

  private toggle([element, , parts]: Place, isShown: boolean): void {
    if (isShown) this.hidden.delete(element);
    else this.hidden.add(element);
    element.style.display = isShown ? "" : "none";
    if (isShown && parts !== null) this.catchUp(parts);
  }

  /** Move the clocks of running and waiting nodes. */
  tick(model: Model, now: number): void {
    const time = kernelTime(model, now);
    for (const parts of this.moving) {
      if (parts.look !== null && !this.hidden.has(parts.group)) paintClock(parts, nodeTexts(parts.look, parts.card, time));
    }
  }

  private paintNode(parts: NodeParts, look: NodeLook, time: number): void {
    parts.painted = look;
    const state = look.state === "" ? "Pending" : look.state; // the flow has not run
    const family = familyOf(state);
    if (isMoving(look)) this.moving.add(parts);
    else this.moving.delete(parts);
    setAttribute(parts.group, "data-state", state);
    setAttribute(parts.group, "data-family", family);
    if (parts.glyph !== null) setText(parts.glyph, glyphOf(state));
    const texts = nodeTexts(look, parts.card, time);
    if (parts.state !== null) setText(parts.state, lineOf(texts, parts.room));
    if (parts.shares.length > 0) paintShares(parts, look);
    if (parts.title !== null) setText(parts.title, nodeTitle(look, parts.card, time));
    setAttribute(parts.group, "aria-label", nodeName(look, parts.card, time));
    paintClock(parts, texts);
  }

  private paintEdges(node: number, look: NodeLook): void {
    const isActive = familyOf(look.state) === "active";
    for (const edge of this.edgesInto.get(node) ?? []) edge.toggleAttribute("data-active", isActive);
  }
}

/** How many nodes move. */
function lively(model: Model): number {
  let count = 0;
  for (const look of model.looks.values()) if (look.state === "Running" || isBusy(look)) count += 1;
  return count;
}

function partsOf(group: SVGElement, card: NodeCard, width: number): NodeParts {
  const find = (name: string): Element | null => group.querySelector(`.fb-${name}`);
  const track = find("track");
  const shares = [...group.querySelectorAll(".fb-share")];
  const left = Math.min(...shares.map((share) => Number(share.getAttribute("x") ?? 0)));
  return {
    group,
    card,
    title: group.querySelector("title"),
    glyph: find("glyph"),
    state: find("state"),
    time: find("time"),
    track,
    bar: find("bar"),
    shares: shares.map((share) => [share.getAttribute("data-family") as Family, share]),
    left,
    shareRoom: width - left - CARD.right,
    barWidth: Number(track?.getAttribute("width") ?? 0),
    room: width - CARD.left - CARD.right,
    look: null,
    painted: null,
  };
}

/** Lay the bar of a mapped task out anew; a part that no child is in has no length. */
function paintShares(parts: NodeParts, look: NodeLook): void {
  parts.group.toggleAttribute("data-busy", isBusy(look));
  parts.group.toggleAttribute("data-marred", failedChildren(look) > 0);
  const laid = new Map(shares(look, parts.shareRoom).map((share) => [share.family, share]));
  for (const [family, part] of parts.shares) {
    const { x = 0, length = 0 } = laid.get(family) ?? {};
    setAttribute(part, "x", (parts.left + x).toFixed(1));
    setAttribute(part, "width", length.toFixed(1));
  }
}

function paintClock(parts: NodeParts, texts: NodeTexts): void {
  if (parts.time !== null) setText(parts.time, texts.time);
  parts.group.toggleAttribute("data-bar", texts.bar !== null);
  if (texts.bar !== null && parts.bar !== null) {
    setAttribute(parts.bar, "width", (parts.barWidth * texts.bar).toFixed(1));
  }
}
