/** What is on the screen as an image that stands alone: for an output whose kernel could not write its last picture. */

import { STYLE } from "./look";

/** HTML with the drawing as an image in it, which untrusted notebooks and plain viewers show, too. */
export function stillHtml(drawing: SVGElement, text: string): string {
  const still = drawing.cloneNode(true) as SVGElement;
  for (const element of still.querySelectorAll<SVGElement>("[style]")) element.removeAttribute("style");
  const [, , width = "", height = ""] = (still.getAttribute("viewBox") ?? "").split(" ");
  still.setAttribute("width", width);
  still.setAttribute("height", height);
  const style = document.createElementNS(still.namespaceURI, "style");
  style.textContent = STYLE;
  still.prepend(style);
  const bytes = new TextEncoder().encode(new XMLSerializer().serializeToString(still));
  const image = document.createElement("img");
  image.alt = text;
  image.style.maxWidth = "100%";
  image.src = `data:image/svg+xml;base64,${btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""))}`;
  const line = document.createElement("p");
  line.textContent = text;
  return line.outerHTML + image.outerHTML;
}
