/** Touch the DOM only where something changed: an equal text set again still costs a repaint. */

export function setText(element: Element, text: string): void {
  const only = element.childNodes.length === 1 ? element.firstChild : null;
  // Another text in the same node is no change of children: those who watch children need not look again, as tool bars do.
  if (only?.nodeType === 3) {
    if (only.nodeValue !== text) only.nodeValue = text;
  } else if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element: Element, name: string, value: string): void {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
