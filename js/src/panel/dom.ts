/** Elements in few words. */

export interface Maker {
  <Tag extends keyof HTMLElementTagNameMap>(tag: Tag, name?: string, ...children: (Node | string)[]): HTMLElementTagNameMap[Tag];
}

/** A function that makes elements of this page. */
export function maker(page: Document): Maker {
  return (tag, name = "", ...children) => {
    const element = page.createElement(tag);
    if (name !== "") element.className = name;
    element.append(...children);
    return element;
  };
}

/** A button that, when inert, does nothing but keeps the keyboard's focus, which `disabled` would throw away. */
export function button(make: Maker, name: string, label: string, act: () => void): HTMLButtonElement {
  const element = make("button", `fb-button ${name}`, label);
  element.type = "button";
  element.addEventListener("click", () => {
    if (element.getAttribute("aria-disabled") !== "true") act();
  });
  return element;
}

/** Ids for what must name each other; several panels may stand in one page, but each has a shadow root of its own. */
export function idOf(part: string, name: string): string {
  return `fp-${part}-${name.replaceAll(/[^\w-]/g, "_")}`;
}
