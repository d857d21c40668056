/** Tabs as WAI-ARIA describes them: one tab stop, arrows, Home and End; a tab that is reached is shown at once. */

import { idOf, type Maker } from "./dom";

export interface Tab<Name extends string> {
  readonly name: Name;
  readonly label: string;
  /** Said instead where there is little room. */
  readonly short?: string;
}

export class Tabs<Name extends string> {
  readonly list: HTMLElement;
  readonly panels: ReadonlyMap<Name, HTMLElement>;
  private readonly buttons: ReadonlyMap<Name, HTMLButtonElement>;
  private now: Name;

  constructor(
    make: Maker,
    private readonly tabs: readonly Tab<Name>[],
    first: Name,
    private readonly onShow: (name: Name) => void,
  ) {
    this.now = first;
    this.buttons = new Map(tabs.map((tab) => [tab.name, this.button(make, tab)]));
    this.panels = new Map(tabs.map((tab) => [tab.name, panel(make, tab.name)]));
    this.list = make("div", "fp-tabs", ...this.buttons.values());
    this.list.setAttribute("role", "tablist");
    this.list.setAttribute("aria-label", "About the chosen task");
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.mark(first);
  }

  get shown(): Name {
    return this.now;
  }

  show(name: Name): void {
    this.mark(name);
    this.onShow(name);
  }

  private mark(name: Name): void {
    this.now = name;
    for (const [other, button] of this.buttons) {
      button.setAttribute("aria-selected", String(other === name));
      button.tabIndex = other === name ? 0 : -1;
    }
    for (const [other, element] of this.panels) element.hidden = other !== name;
  }

  private button(make: Maker, tab: Tab<Name>): HTMLButtonElement {
    const label = make("span", tab.short === undefined ? "" : "fp-long", tab.label);
    const element = make("button", "fp-tab", label);
    if (tab.short !== undefined) element.append(make("span", "fp-short", tab.short));
    element.type = "button";
    element.id = idOf("tab", tab.name);
    element.setAttribute("role", "tab");
    element.setAttribute("aria-controls", idOf("panel", tab.name));
    element.addEventListener("click", () => this.show(tab.name));
    return element;
  }

  private onKey(event: KeyboardEvent): void {
    const place = this.tabs.findIndex((tab) => tab.name === this.now);
    const last = this.tabs.length - 1;
    const places: Readonly<Record<string, number>> = { ArrowRight: place === last ? 0 : place + 1, ArrowLeft: place === 0 ? last : place - 1, Home: 0, End: last };
    const next = this.tabs[places[event.key] ?? -1];
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.show(next.name);
    this.buttons.get(next.name)?.focus();
  }
}

function panel(make: Maker, name: string): HTMLElement {
  const element = make("div", "fp-tabpanel");
  element.id = idOf("panel", name);
  element.tabIndex = 0;
  element.setAttribute("role", "tabpanel");
  element.setAttribute("aria-labelledby", idOf("tab", name));
  return element;
}
