/** The panel "Flow": the picture, the run bar, the tasks and the inspector of one notebook, in a shadow root. */

import { setText } from "../touch";
import type { Desk } from "./desk";

/** Show what the desk knows in `host`, until it is disposed of. */
export function mountPanel(host: HTMLElement, desk: Desk): { dispose(): void } {
  const page = host.ownerDocument;
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const words = page.createElement("p");
  shadow.replaceChildren(words);
  const paint = (): void => setText(words, [desk.state.title, desk.state.status, desk.state.said].filter(Boolean).join(": "));
  const stop = desk.listen(paint);
  paint();
  return {
    dispose() {
      stop();
      shadow.replaceChildren();
    },
  };
}
