/** Widths of text without asking the browser, and making any text harmless to the eye: the twin of measure.py. */

import { WIDE, WIDTHS } from "./look";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const UNITS = 32;
const FIRST = 0x20;
const LAST = 0x4ff;
const REST = 1.1;
const ELLIPSIS = "…";
const WEIGHTLESS = /^[\p{Mn}\p{Me}\p{Cf}]$/u;

export type Face = "regular" | "bold" | "mono";

const MONO = 0.62;

function advance(char: string, face: Face): number {
  const code = char.codePointAt(0) ?? 0;
  if (code < FIRST || (code > LAST && WEIGHTLESS.test(char))) return 0;
  if (code > LAST) {
    const wide = WIDE.find(([first, last]) => first <= code && code <= last)?.[2] ?? REST;
    return face === "mono" ? Math.max(wide, 2 * MONO) : Math.max(wide, MONO);
  }
  return face === "mono" ? MONO : ALPHABET.indexOf(WIDTHS[face].charAt(code - FIRST)) / UNITS;
}

/** How wide one line of text is at most, in the unit of `size`. */
export function textWidth(text: string, size: number, face: Face = "regular"): number {
  return [...text].reduce((sum, char) => sum + size * advance(char, face), 0);
}

/** `text`, or as much of it as fits into `room` with … in its middle or at its end. */
export function elide(text: string, room: number, size: number, face: Face = "regular", at: "middle" | "end" = "end"): string {
  const chars = [...text];
  const widths = chars.map((char) => size * advance(char, face));
  if (widths.reduce((sum, width) => sum + width, 0) <= room) return text;
  let left = room - size * advance(ELLIPSIS, face);
  let head = 0;
  let tail = 0;
  while (head + tail < chars.length) {
    const isTail = at === "middle" && tail < head;
    left -= (isTail ? widths.at(-1 - tail) : widths[head]) ?? 0;
    if (left < 0) break;
    if (isTail) tail += 1;
    else head += 1;
  }
  const end = chars.slice(chars.length - tail).join("");
  return chars.slice(0, head).join("").trimEnd() + ELLIPSIS + end.trimStart();
}

const LONGEST = 2000;
const PRINTABLE = /^[\x20-\x7e]*$/;
const SPACE = /[\t\n\r\f\v\x85\u2028\u2029]+/g;
/** Marks that reorder what a reader sees around them, and characters that nobody sees. */
const UNSEEN = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u00ad\u200b\u2060-\u2065\ufeff\u{e0000}-\u{e007f}]/gu;
const CONTROL = /[\x00-\x1f\x7f]/g;
const BROKEN = /[\x80-\x9f\ufff9-\ufffb\ufffe\uffff]/g;
const LONE_SURROGATE = /\p{Cs}/gu;

/** One printable line of any text: breaks become spaces, controls their pictures, marks that reorder go. */
export function clean(text: string): string {
  let line = text;
  const characters = text.length > LONGEST ? [...text] : [];
  if (characters.length > LONGEST) {
    const half = Math.floor((LONGEST - 1) / 2);
    line = characters.slice(0, half).join("") + ELLIPSIS + characters.slice(-half).join("");
  }
  if (PRINTABLE.test(line)) return line;
  return line
    .replace(SPACE, " ")
    .replace(UNSEEN, "")
    .replace(CONTROL, (char) => (char === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + char.charCodeAt(0))))
    .replace(BROKEN, "\ufffd")
    .replace(LONE_SURROGATE, "\ufffd");
}
