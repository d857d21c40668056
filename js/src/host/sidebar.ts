/** The panel "Flow" in a side bar: a widget of JupyterLab around what `js/src/panel` draws. */

import { mountPanel } from "../panel/panel";
import type { FollowingDesk } from "./desks";
import { rememberPanel } from "./remembered";

export const PANEL_ID = "flowbook-panel";

/** Above the property inspector's rank would push it off a short screen; below JupyterLab's debugger it is found. */
const RANK = 700;

export type Side = "left" | "right";

export interface Sidebar {
  readonly widget: LuminoWidget;
  readonly isOpen: boolean;
  open(): void;
  /** Open it as it was before the page was loaded again: nobody has asked for it just now, so the focus stays where it is. */
  reopen(): void;
  close(): void;
  /** Stand on this side from now on. */
  stand(side: Side): void;
}

export function makeSidebar(
  Widget: new () => LuminoWidget,
  shell: Shell,
  desk: FollowingDesk,
  title: { readonly label: string; readonly icon: unknown },
): Sidebar {
  let side: Side | null = null;
  const focus = { isLeft: false };
  const widget = panelWidget(Widget, desk, focus);
  widget.id = PANEL_ID;
  widget.title.icon = title.icon;
  widget.title.caption = title.label; // the side bar shows the icon only
  widget.node.setAttribute("role", "region");
  widget.node.setAttribute("aria-label", title.label);
  return {
    widget,
    get isOpen() {
      return widget.isVisible;
    },
    open() {
      shell.activateById(PANEL_ID);
    },
    reopen() {
      if (widget.isVisible) return;
      focus.isLeft = true;
      shell.activateById(PANEL_ID);
      setTimeout(() => (focus.isLeft = false), 500); // the request to activate comes a little later
    },
    close() {
      if (side === "left") shell.collapseLeft?.();
      else shell.collapseRight?.();
    },
    stand(wanted) {
      if (side === wanted) return;
      const wasOpen = side !== null && widget.isVisible;
      side = wanted;
      widget.parent = null;
      shell.add(widget, wanted, { rank: RANK });
      if (wasOpen) shell.activateById(PANEL_ID);
    },
  };
}

function panelWidget(Widget: new () => LuminoWidget, desk: FollowingDesk, focus: { readonly isLeft: boolean }): LuminoWidget {
  const Made = class extends Widget {
    private readonly mounted: { dispose(): void };

    constructor() {
      super();
      this.addClass("jp-FlowbookPanel");
      this.node.style.cssText = "display: flex; flex-direction: column; min-width: 280px; overflow: hidden;";
      const host = document.createElement("div");
      host.style.cssText = "flex: 1 1 auto; min-height: 0; overflow: auto;";
      this.node.append(host);
      this.mounted = mountPanel(host, desk);
    }

    protected onAfterShow(): void {
      rememberPanel(true);
      desk.seen(true);
    }

    protected onAfterAttach(): void {
      desk.seen(this.isVisible);
    }

    protected onAfterHide(): void {
      rememberPanel(false);
      desk.seen(false);
    }

    protected onActivateRequest(): void {
      // The focus goes in only when a person asks for the panel.
      if (focus.isLeft) return;
      const first = this.node.firstElementChild?.shadowRoot?.querySelector<HTMLElement>("[tabindex='0'], button, input");
      first?.focus();
    }

    override dispose(): void {
      if (this.isDisposed) return;
      this.mounted.dispose();
      super.dispose();
    }
  };
  return new Made();
}
