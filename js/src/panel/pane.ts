/** The picture in the panel: of the run, or of the flow as it would run next. */

import type { Model } from "../model";
import type { Bundle } from "../protocol";
import { mount, type View } from "../view";
import type { Desk } from "./desk";
import type { Maker } from "./dom";
import { cardsOf, shownOf } from "./rows";

export class PicturePane {
  readonly element: HTMLElement;
  private view: View | null = null;
  private bundle: Bundle | null = null;
  private run = "";

  constructor(
    private readonly make: Maker,
    private readonly desk: Desk,
  ) {
    this.element = make("div", "fp-picture");
  }

  paint(): void {
    const { state } = this.desk;
    const shown = shownOf(state);
    this.element.hidden = shown === "none";
    if (shown === "none") return this.dispose();
    this.view ??= this.mount();
    if (shown === "run") this.follow(state.look?.run ?? "", state.model);
    else this.preview(state.look?.bundle ?? null);
    this.view.select(state.chosen);
  }

  dispose(): void {
    this.view?.dispose();
    this.view = null;
    this.bundle = null;
    this.run = "";
    this.element.replaceChildren();
  }

  private mount(): View {
    const host = this.make("div", "fp-view");
    this.element.replaceChildren(host);
    const { desk, element } = this;
    return mount(host, null, () => undefined, {
      choose: (node) => desk.choose(node),
      open: (node) => {
        const cell = cardsOf(desk.state).get(node)?.cell ?? "";
        if (cell !== "") desk.reveal(cell);
      },
      // A small picture takes no more than it needs.
      room: (height) => element.style.setProperty("--fp-needed", `${height}px`),
    });
  }

  /** The desk asks for the picture of a run; until it is there, what is shown stays. */
  private follow(run: string, model: Model): void {
    if (run === this.run || model.picture?.run !== run || model.seq === null) return;
    this.run = run;
    this.bundle = null;
    this.view?.connect(this.desk.channel(run), run, model);
  }

  private preview(bundle: Bundle | null): void {
    if (bundle === null || bundle === this.bundle) return;
    if (this.run !== "") this.view?.connect(null);
    this.run = "";
    this.bundle = bundle;
    this.view?.update(bundle);
  }
}
