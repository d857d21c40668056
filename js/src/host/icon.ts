/** Our one icon, three nodes and two edges, in the colours that JupyterLab gives icons. */

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
<g class="jp-icon3" fill="#616161">
<path d="M7 11.1h3.2c1 0 1.6-.5 2-1.4l.7-1.8c.6-1.6 1.8-2.4 3.4-2.4h.7v1.8h-.7c-.9 0-1.4.4-1.8 1.3l-.7 1.8q-.3.8-.8 1.6.5.7.8 1.5l.7 1.9c.4.9.9 1.3 1.8 1.3h.7v1.8h-.7c-1.6 0-2.8-.8-3.4-2.5l-.7-1.8c-.4-.9-1-1.3-2-1.3H7z"/>
<circle cx="5.2" cy="12" r="3.2"/><circle cx="18.6" cy="6.4" r="3.2"/><circle cx="18.6" cy="17.6" r="3.2"/>
</g></svg>`;

export type IconClass = new (options: { readonly name: string; readonly svgstr: string }) => unknown;

/** JupyterLab's own icons by the names of what they mean here. */
export interface Icons {
  readonly flow: unknown;
  readonly run: unknown;
  readonly runTo: unknown;
  readonly pause: unknown;
  readonly step: unknown;
  readonly cancel: unknown;
}

const glyph = (path: string): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24"><path class="jp-icon3" fill="#616161" d="${path}"/></svg>`;

/** A page that does not share its class of icons shows words instead. */
export function makeIcons(LabIcon: IconClass | null): Icons {
  const make = (name: string, svgstr: string): unknown =>
    LabIcon === null ? undefined : new LabIcon({ name: `flowbook:${name}`, svgstr });
  return {
    flow: make("flow", SVG),
    // The bare triangle is Shift+Enter's.
    run: make("run", glyph("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2.1a6.9 6.9 0 1 1 0 13.8 6.9 6.9 0 0 1 0-13.8zM9.8 7.8v8.4l6.6-4.2z")),
    runTo: make("run-to", glyph("M3 5v14l11-7zM18 5h3v14h-3z")),
    pause: make("pause", glyph("M6 5h4v14H6zM14 5h4v14h-4z")),
    step: make("step", glyph("M5 5h3v14H5zM11 5v14l9-7z")),
    cancel: make("cancel", glyph("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zm0 2.2c1.5 0 2.9.5 4 1.3L6.5 16A6.8 6.8 0 0 1 12 5.2zm0 13.6c-1.5 0-2.9-.5-4-1.3L17.5 8A6.8 6.8 0 0 1 12 18.8z")),
  };
}
