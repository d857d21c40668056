/** The pictures' colours for what stands in JupyterLab's own page: the same variables, on elements of our own. */

import { STYLE } from "../look";

const OURS = [".jp-FlowbookMark", ".jp-FlowbookProgress"];

/** The rules that set the colours, light and dark, for the given selectors. */
export function paletteRules(selectors: readonly string[]): string {
  const [light, dark] = [...STYLE.matchAll(/\{([^{}]*--fb-ground:[^{}]*)\}/g)].map((match) => match[1]?.trim() ?? "");
  const signs = /--fb-signs:[^;]*;/.exec(STYLE)?.[0] ?? "";
  const darkOnes = selectors.map((selector) => `body[data-jp-theme-light="false"] ${selector}`);
  return `${selectors.join(", ")} { ${light} ${signs} }\n${darkOnes.join(", ")} { ${dark} }`;
}

/** Bring our rules into the page, once. */
export function dressPage(page: Document, css: string): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`${paletteRules(OURS)}\n${css}`);
  page.adoptedStyleSheets = [...page.adoptedStyleSheets, sheet];
}
