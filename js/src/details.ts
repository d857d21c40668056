/** One line about the chosen node: name, state, attempt, times, and what it had to say. */

import { clean } from "./measure";
import { familyOf, glyphOf, kernelTime, type Model } from "./model";
import { setAttribute, setText } from "./touch";
import { detailTexts } from "./words";

export class Details {
  readonly element: HTMLElement;
  private readonly glyph: HTMLElement;
  private readonly name: HTMLElement;
  private readonly facts: HTMLElement;
  private readonly message: HTMLElement;
  private node: number | null = null;
  private model: Model | null = null;

  constructor(page: Document, close: () => void) {
    const make = (tag: string, name: string): HTMLElement => {
      const element = page.createElement(tag);
      element.className = name;
      return element;
    };
    this.glyph = make("span", "fb-mark");
    this.name = make("strong", "fb-detail-name");
    this.facts = make("span", "fb-facts");
    this.message = make("span", "fb-message");
    const button = make("button", "fb-close") as HTMLButtonElement;
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", "Close the details");
    button.addEventListener("click", close);
    this.element = make("div", "fb-details");
    this.element.setAttribute("role", "region");
    this.element.setAttribute("aria-label", "Details of the chosen task");
    this.element.hidden = true;
    this.element.append(this.glyph, this.name, this.facts, this.message, button);
  }

  choose(node: number | null): void {
    this.node = node;
    if (this.model !== null) this.paint(this.model, Date.now() / 1000);
  }

  paint(model: Model, now: number): void {
    this.model = model;
    const card = this.node === null ? undefined : model.cards.get(this.node);
    const look = this.node === null ? undefined : model.looks.get(this.node);
    this.element.hidden = card === undefined || look === undefined;
    if (card === undefined || look === undefined) return;
    const texts = detailTexts(look, card, kernelTime(model, now));
    setAttribute(this.element, "data-family", familyOf(look.state));
    setText(this.glyph, glyphOf(look.state));
    setText(this.name, clean(card.name));
    setText(this.facts, texts.facts);
    setText(this.message, texts.message);
  }
}
