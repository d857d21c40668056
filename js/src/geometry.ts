/** Where things stand in a picture, worked out from its marks: needs no layout, so it works before it is shown. */

import type { Mark } from "./adopt";

export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A picture as a page shows it. */
export interface Drawing {
  readonly mark: Mark;
  /** The part of the plane that it fills. */
  readonly view: Box;
  readonly nodes: ReadonlyMap<number, Box>;
  /** The room of each edge, by its number. */
  readonly edges: ReadonlyMap<number, Box>;
  /** Equal for drawings that have everything in the same place under the same name, whatever their states. */
  readonly shape: string;
}

/** The parts of a saved picture that the page draws itself, in HTML. */
const STATIC_PARTS = new Set(["fb-header", "fb-sentence", "fb-backdrop"]);
const MARGIN = 20;

/** The picture without its static parts, cropped to its nodes and edges. */
export function crop(picture: Mark): Drawing {
  const children = picture.children.filter((child) => typeof child !== "string" && !isStatic(child));
  const bare: Mark = { ...picture, children };
  const nodes = new Map<number, Box>();
  const edges = new Map<number, Box>();
  const bounds = new Bounds();
  survey(bare, 0, 0, bounds, { nodes, edges });
  const view = bounds.box(MARGIN);
  const attributes = new Map(picture.attributes);
  attributes.set("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  attributes.delete("width");
  attributes.delete("height");
  return { mark: { ...bare, attributes }, view, nodes, edges, shape: shapeOf(bare).join(" ") };
}

export function hasClass(mark: Mark, name: string): boolean {
  const classes = mark.attributes.get("class");
  if (classes === undefined || classes === name) return classes === name;
  return classes.includes(" ") && classes.split(/\s+/).includes(name); // several classes are rare
}

const SHAPES: readonly (readonly [string, readonly string[]])[] = [
  ["fb-node", ["data-node", "transform"]],
  ["fb-card", ["width", "height", "d"]],
  ["fb-line", ["d"]],
];

/** Words that no state changes: what a task is called, and what flows along an edge. */
const NAMES: readonly string[] = ["fb-name", "fb-label"];

/** Places, sizes, lines and names, in order. */
function shapeOf(mark: Mark, shape: string[] = []): string[] {
  for (const [name, attributes] of SHAPES) {
    if (hasClass(mark, name)) shape.push(...attributes.map((attribute) => mark.attributes.get(attribute) ?? ""));
  }
  if (NAMES.some((name) => hasClass(mark, name))) shape.push(JSON.stringify(textOf(mark)));
  for (const child of mark.children) if (typeof child !== "string") shapeOf(child, shape);
  return shape;
}

function textOf(mark: Mark): string {
  return mark.children.map((child) => (typeof child === "string" ? child : textOf(child))).join("");
}

function isStatic(mark: Mark): boolean {
  return [...STATIC_PARTS].some((name) => hasClass(mark, name));
}

interface Found {
  readonly nodes: Map<number, Box>;
  readonly edges: Map<number, Box>;
}

function survey(mark: Mark, dx: number, dy: number, bounds: Bounds, found: Found): void {
  const [moveX, moveY] = translation(mark);
  const x = dx + moveX;
  const y = dy + moveY;
  if (hasClass(mark, "fb-node")) {
    const card = mark.children.find((child): child is Mark => typeof child !== "string" && hasClass(child, "fb-card"));
    if (card === undefined) return;
    const box = shift(formOf(card), x, y);
    bounds.add(box);
    note(found.nodes, mark.attributes.get("data-node"), box);
    return; // what a node draws stays in or near its card
  }
  if (hasClass(mark, "fb-edge")) {
    const own = new Bounds();
    for (const child of mark.children) if (typeof child !== "string") survey(child, x, y, own, found);
    const box = own.box(0);
    bounds.add(box);
    note(found.edges, mark.attributes.get("data-edge"), box);
    return;
  }
  if (mark.tag === "rect") bounds.add(shift(rectangle(mark), x, y));
  const path = mark.attributes.get("d");
  if (path !== undefined) bounds.add(shift(hull(path), x, y));
  for (const child of mark.children) if (typeof child !== "string") survey(child, x, y, bounds, found);
}

function note(boxes: Map<number, Box>, id: string | undefined, box: Box): void {
  if (id !== undefined) boxes.set(Number(id), box);
}

export function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function translation(mark: Mark): [number, number] {
  const found = /^translate\(([-\d.eE]+)(?:[\s,]+([-\d.eE]+))?\)/.exec(mark.attributes.get("transform") ?? "");
  return found === null ? [0, 0] : [Number(found[1]), Number(found[2] ?? 0)];
}

function rectangle(mark: Mark): Box {
  const number = (name: string): number => Number.parseFloat(mark.attributes.get(name) ?? "0") || 0;
  return { x: number("x"), y: number("y"), width: number("width"), height: number("height") };
}

/** A card is a box, or a form with points where it is about branches. */
function formOf(card: Mark): Box {
  const path = card.attributes.get("d");
  return path === undefined ? rectangle(card) : hull(path);
}

/** All points of a path of absolute M, L and C; a cubic curve never leaves the hull of its points. */
function hull(path: string): Box {
  const numbers = (path.match(/-?(?:\d+\.?\d*|\.\d+)/g) ?? []).map(Number);
  const bounds = new Bounds();
  for (let at = 0; at + 1 < numbers.length; at += 2) bounds.point(numbers[at] ?? 0, numbers[at + 1] ?? 0);
  return bounds.box(0);
}

function shift(box: Box, dx: number, dy: number): Box {
  return { ...box, x: box.x + dx, y: box.y + dy };
}

class Bounds {
  private left = Infinity;
  private top = Infinity;
  private right = -Infinity;
  private bottom = -Infinity;

  point(x: number, y: number): void {
    this.left = Math.min(this.left, x);
    this.top = Math.min(this.top, y);
    this.right = Math.max(this.right, x);
    this.bottom = Math.max(this.bottom, y);
  }

  add(box: Box): void {
    this.point(box.x, box.y);
    this.point(box.x + box.width, box.y + box.height);
  }

  box(margin: number): Box {
    if (this.left > this.right) return { x: 0, y: 0, width: 2 * margin, height: 2 * margin };
    const width = this.right - this.left + 2 * margin;
    return { x: this.left - margin, y: this.top - margin, width, height: this.bottom - this.top + 2 * margin };
  }
}
