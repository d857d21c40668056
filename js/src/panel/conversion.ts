/** Making task cells of a whole notebook: says first what it would do, and does it when a person wants it. */

import type { NotebookLook } from "../protocol";
import { setText } from "../touch";
import { button, type Maker } from "./dom";

/** How many cells would become task cells; 0 where the flow is made of such cells already. */
export function convertible(look: NotebookLook): number {
  return look.basis === "document" ? look.cells.filter((cell) => cell.converted !== "").length : 0;
}

/** What is said before anything is written. */
export function conversionText(look: NotebookLook): string {
  const count = convertible(look);
  const left = look.cells.length - count;
  const some = count === 1 ? "1 cell gets" : `${count} cells get`;
  const rest = left === 0 ? "" : left === 1 ? " 1 cell stays as it is." : ` ${left} cells stay as they are.`;
  return `${some} %%task on top, or %%flow where tagged parameters. Nothing runs; to take it back, undo in each cell.${rest}`;
}

export class Conversion {
  readonly element: HTMLElement;
  private readonly ask: HTMLButtonElement;
  private readonly answer: HTMLElement;
  private readonly text: HTMLElement;
  private readonly go: HTMLButtonElement;
  private isAsking = false;

  constructor(make: Maker, convert: () => void) {
    this.ask = button(make, "fp-quiet", "Make task cells…", () => this.turn(true));
    this.text = make("span", "fp-conversion-text");
    this.go = button(make, "fp-fix", "Make them", () => {
      this.turn(false);
      convert();
    });
    const leave = button(make, "fp-quiet", "Leave it", () => this.turn(false));
    this.answer = make("div", "fp-conversion", this.text, this.go, leave);
    this.element = make("div", "fp-convert", this.ask, this.answer);
  }

  paint(look: NotebookLook, isFree: boolean): void {
    const isPossible = convertible(look) > 0 && isFree;
    if (!isPossible) this.isAsking = false;
    this.element.hidden = !isPossible;
    this.ask.hidden = this.isAsking;
    this.answer.hidden = !this.isAsking;
    setText(this.text, conversionText(look));
  }

  private turn(isAsking: boolean): void {
    this.isAsking = isAsking;
    this.ask.hidden = isAsking;
    this.answer.hidden = !isAsking;
    (isAsking ? this.go : this.ask).focus();
  }
}
