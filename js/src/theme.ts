/** Light or dark, as the page around us says: JupyterLab, VS Code, Colab, marimo and others, else the system. */

export type Theme = "light" | "dark";

/** Tell the theme at once and whenever it changes, until the returned function is called. */
export function watchTheme(page: Document, tell: (theme: Theme) => void): () => void {
  let told: Theme | null = null;
  const look = (): void => {
    const theme = themeOf(page);
    if (theme !== told) tell((told = theme));
  };
  const observer = new MutationObserver(look);
  const attributes = ["class", "style", "data-theme", "theme", "data-jp-theme-light", "data-jp-theme-name"];
  for (const element of [page.documentElement, page.body]) {
    observer.observe(element, { attributes: true, attributeFilter: attributes });
  }
  const system = page.defaultView?.matchMedia("(prefers-color-scheme: dark)");
  system?.addEventListener("change", look);
  look();
  return () => {
    observer.disconnect();
    system?.removeEventListener("change", look);
  };
}

export function themeOf(page: Document): Theme {
  return saidBy(page.body) ?? saidBy(page.documentElement) ?? systemTheme(page);
}

function saidBy(element: Element): Theme | null {
  const lab = element.getAttribute("data-jp-theme-light");
  if (lab !== null) return lab === "false" ? "dark" : "light";
  const classes = element.classList;
  if (classes.contains("vscode-high-contrast-light")) return "light";
  if (["vscode-dark", "vscode-high-contrast", "dark", "dark-theme"].some((name) => classes.contains(name))) return "dark";
  if (["vscode-light", "light", "light-theme"].some((name) => classes.contains(name))) return "light";
  const named = element.getAttribute("data-theme") ?? element.getAttribute("theme");
  return named === "dark" || named === "light" ? named : null;
}

function systemTheme(page: Document): Theme {
  return page.defaultView?.matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}
