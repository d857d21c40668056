/**
 * Reads the SVG text of a picture and keeps only what our own pictures are made of.
 *
 * A picture may come out of a notebook that somebody else saved, so its text is never given to the browser's parser:
 * a small strict reader takes it apart, a whitelist decides, and `build` makes new elements from what is left. What
 * is not on the list (script, style, href, on…, foreignObject, url(…)) has no way through, known or unknown.
 */

/** An element that may be built. Children that are strings are text. */
export interface Mark {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly (Mark | string)[];
}

/** The text is not a picture of ours; the message says where it stops being one. */
export class PictureError extends Error {
  override readonly name = "PictureError";
}

const SVG = "http://www.w3.org/2000/svg";
const MOST_CHARACTERS = 40_000_000;
const MOST_DEPTH = 16;

const TAGS = new Set(["svg", "g", "rect", "path", "circle", "line", "polygon", "text", "tspan", "title", "desc"]);
const TAGS_WITH_TEXT = new Set(["text", "tspan", "title", "desc"]);

const NUMBER = /^-?(\d+\.?\d*|\.\d+)(e-?\d+)?(px|em|%)?$/;
const NUMBERS = /^[-\d.,eE\s]*$/;
const PATH = /^[MmLlHhVvCcSsQqTtAaZz\d\s.,eE+-]*$/;
const TRANSFORM = /^((translate|scale|rotate|matrix)\([-\d.,eE\s]*\)\s*)*$/;
const CLASSES = /^fb-[\w-]+(\s+fb-[\w-]+)*$/;
const WORD = /^[\w .-]*$/;
const ANY = /^[^\0]*$/;

const ATTRIBUTES = new Map<string, RegExp>([
  ...["x", "y", "x1", "y1", "x2", "y2", "dx", "dy", "cx", "cy", "r", "rx", "ry"].map(allow(NUMBER)),
  ...["width", "height", "opacity", "stroke-width", "font-size", "textLength", "pathLength"].map(allow(NUMBER)),
  ...["viewBox", "points", "stroke-dasharray"].map(allow(NUMBERS)),
  ...["data-edge", "data-node", "data-from", "data-to"].map(allow(/^\d{1,7}$/)),
  ...["data-kind", "data-state", "data-family", "data-theme", "data-active"].map(allow(WORD)),
  ...["role", "text-anchor", "dominant-baseline", "font-weight", "lengthAdjust", "aria-hidden"].map(allow(WORD)),
  ["class", CLASSES],
  ["d", PATH],
  ["transform", TRANSFORM],
  ["aria-label", ANY],
]);

function allow(rule: RegExp): (name: string) => [string, RegExp] {
  return (name) => [name, rule];
}

/** Read the SVG text and return the whitelisted rest, whose root is `<svg class="fb-picture">`. */
export function readPicture(text: string): Mark {
  if (text.length > MOST_CHARACTERS) throw new PictureError(`the picture has ${text.length} characters`);
  const root = new Reader(text).read();
  if (root === null || root.tag !== "svg") throw new PictureError("the picture's root is not an svg element");
  return root;
}

/** Make the elements. Nothing in `mark` can carry a script or a link, so this can stand in any page. */
export function build(mark: Mark, page: Document): SVGElement {
  const element = page.createElementNS(SVG, mark.tag);
  for (const [name, value] of mark.attributes) element.setAttribute(name, value);
  for (const child of mark.children) {
    element.append(typeof child === "string" ? child : build(child, page));
  }
  return element;
}

/** Whether an attribute of ours may have this value. */
export function isAllowed(name: string, value: string): boolean {
  return ATTRIBUTES.get(name)?.test(value) ?? false;
}

interface Open {
  /** Null when the element is not on the list: it and all it holds are dropped. */
  readonly mark: { tag: string; attributes: Map<string, string>; children: (Mark | string)[] } | null;
  readonly tag: string;
}

const TAG_NAME = /[A-Za-z_][\w.:-]*/y;
const ATTRIBUTE = /\s+([A-Za-z_][\w.:-]*)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_END = /\s*(\/?)>/y;

/** A reader of the part of XML that drawings need: elements, attributes, text, comments, CDATA, a declaration. */
class Reader {
  private at = 0;
  private readonly open: Open[] = [];
  private root: Mark | null = null;

  constructor(private readonly text: string) {}

  read(): Mark | null {
    while (this.at < this.text.length) {
      const next = this.text.indexOf("<", this.at);
      this.takeText(next < 0 ? this.text.length : next);
      if (next >= 0) this.takeMarkup();
    }
    if (this.open.length > 0) throw this.error("an element is not closed");
    return this.root;
  }

  private takeText(end: number): void {
    const parent = this.open.at(-1);
    if (end > this.at && parent?.mark && TAGS_WITH_TEXT.has(parent.tag)) {
      parent.mark.children.push(decode(this.text.slice(this.at, end)));
    }
    this.at = end;
  }

  private takeMarkup(): void {
    if (this.skip("<!--", "-->") || this.skip("<![CDATA[", "]]>") || this.skip("<?", "?>")) return;
    if (this.text.startsWith("</", this.at)) this.closeElement();
    else this.openElement();
  }

  private skip(start: string, end: string): boolean {
    if (!this.text.startsWith(start, this.at)) return false;
    const found = this.text.indexOf(end, this.at + start.length);
    if (found < 0) throw this.error(`'${start}' has no '${end}'`);
    this.at = found + end.length;
    return true;
  }

  private openElement(): void {
    this.at += 1;
    const tag = this.expect(TAG_NAME, "a name of an element")[0];
    const attributes = new Map<string, string>();
    for (let found = this.match(ATTRIBUTE); found !== null; found = this.match(ATTRIBUTE)) {
      const name = found[1] ?? "";
      const value = decode(found[2] ?? found[3] ?? "");
      if (isAllowed(name, value)) attributes.set(name, value);
    }
    const closed = this.expect(TAG_END, "the end of a tag")[1] === "/";
    if (this.open.length >= MOST_DEPTH) throw this.error("elements are nested too deeply");
    this.open.push({ tag, mark: this.admit(tag, attributes) });
    if (closed) this.finish();
  }

  /** Only a whitelisted element inside whitelisted ones gets in, and only the root may be an svg. */
  private admit(tag: string, attributes: Map<string, string>): Open["mark"] {
    const parent = this.open.at(-1);
    const isWelcome = parent === undefined ? tag === "svg" : tag !== "svg" && parent.mark !== null;
    return TAGS.has(tag) && isWelcome ? { tag, attributes, children: [] } : null;
  }

  private closeElement(): void {
    this.at += 2;
    const tag = this.expect(TAG_NAME, "a name of an element")[0];
    const end = this.expect(TAG_END, "the end of a tag")[1];
    if (end === "/" || this.open.at(-1)?.tag !== tag) throw this.error(`</${tag}> closes nothing`);
    this.finish();
  }

  private finish(): void {
    const mark = this.open.pop()?.mark;
    if (!mark) return;
    const parent = this.open.at(-1);
    if (parent !== undefined) parent.mark?.children.push(mark);
    else if (this.root === null) this.root = mark;
    else throw this.error("there is a second root element");
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }

  private expect(pattern: RegExp, what: string): RegExpExecArray {
    const found = this.match(pattern);
    if (found === null) throw this.error(`${what} was expected`);
    return found;
  }

  private error(why: string): PictureError {
    return new PictureError(`${why}, at character ${this.at}: '${this.text.slice(this.at, this.at + 24)}'`);
  }
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };

/** Replace the five named references and the numbered ones; an unknown one stays as it is written. */
function decode(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(\w+));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[name as string] ?? whole;
    const point = decimal !== undefined ? Number(decimal) : Number.parseInt(hex as string, 16);
    return point > 0 && point <= 0x10ffff ? String.fromCodePoint(point) : "";
  });
}
