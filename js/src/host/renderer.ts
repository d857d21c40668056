/** Draws our MIME type in JupyterLab from the saved data alone, and links a running picture to its notebook's kernel. */

import { acceptBundle } from "../accept";
import { type Bundle, MIME } from "../protocol";
import { mount, type View } from "../view";
import { linkTo } from "./link";

/** Before text/html, and before widgets (-10): a live widget in the same output is for hosts without this extension. */
const RANK = -20;

/** The kernel's own last update of an output comes within this many milliseconds of the run's end, if it comes. */
const KERNEL_FIRST = 2000;

export function addRenderer(
  Widget: new () => LuminoWidget,
  app: Application,
  registry: RenderMimeRegistry,
  tracker: NotebookTracker | null,
): void {
  const Renderer = rendererClass(Widget, new Homes(app, tracker));
  const createRenderer = (): LuminoWidget => new Renderer();
  // Safe: the data is only ever shown as text and whitelisted drawing, so untrusted notebooks may be drawn too.
  registry.addFactory({ safe: true, mimeTypes: [MIME], createRenderer }, RANK);
}

/** Knows which panel a picture stands in, and so its kernel. */
class Homes {
  /** Where runs were last seen; a copy of an output, in a view of its own, has no notebook around it. */
  private readonly homes = new Map<string, WeakRef<Panel>>();

  constructor(
    private readonly app: Application,
    private readonly tracker: NotebookTracker | null,
  ) {}

  panelOf(node: HTMLElement, run: string): Panel | null {
    const around = this.panels().find((panel) => panel.node.contains(node));
    if (around !== undefined) this.homes.set(run, new WeakRef(around));
    return around ?? this.homes.get(run)?.deref() ?? this.tracker?.currentWidget ?? null;
  }

  private panels(): Panel[] {
    const panels: Panel[] = [];
    this.tracker?.forEach((panel) => panels.push(panel));
    for (const widget of this.app.shell.widgets("main")) {
      if (widget.sessionContext !== undefined) panels.push(widget as unknown as Panel);
    }
    return panels;
  }
}

/** A class made at run time, because the class it extends is JupyterLab's own. */
function rendererClass(Widget: new () => LuminoWidget, homes: Homes): new () => LuminoWidget {
  return class RunRenderer extends Widget {
    private readonly view: View;
    private bundle: Bundle | null = null;
    private model: MimeModel | null = null;
    private panel: Panel | null = null;

    constructor() {
      super();
      this.addClass("jp-RenderedFlowbook");
      this.view = mount(this.node, null, () => setTimeout(() => this.keepEnding(), KERNEL_FIRST));
    }

    /** Called again when the output is updated in place; the view folds the new data into what it shows. */
    async renderModel(model: MimeModel): Promise<void> {
      const bundle = acceptBundle(model.data[MIME]);
      if (bundle === null) throw new Error("this output holds no flow that can be read");
      const isSameRun = this.bundle?.run === bundle.run;
      this.bundle = bundle;
      this.model = model;
      this.view.update(bundle);
      if (!isSameRun || !bundle.live) this.leave();
      this.join();
    }

    protected onAfterAttach(): void {
      this.join();
    }

    override dispose(): void {
      if (this.isDisposed) return;
      this.leave();
      this.view.dispose();
      super.dispose();
    }

    /** Listen to the kernel of the panel around. A saved, finished run never does. */
    private join(): void {
      if (this.panel !== null || this.bundle?.live !== true || !this.node.isConnected) return;
      this.panel = homes.panelOf(this.node, this.bundle.run);
      this.panel?.sessionContext.kernelChanged.connect(this.connect);
      this.connect();
    }

    /**
     * The kernel writes the last picture into the output, but a page that was loaded again during the run does not get
     * it: JupyterLab has forgotten which output is meant. So that the notebook is not saved as if it still ran, we do.
     */
    private keepEnding(): void {
      const ending = this.isDisposed || this.bundle?.live !== true ? null : this.view.ending();
      if (ending === null || this.model === null || this.bundle === null) return;
      const { html, picture, snapshot, children } = ending;
      const bundle = { ...this.bundle, live: false, picture, snapshot, children };
      this.model.setData({ data: { ...this.model.data, [MIME]: bundle, "text/html": html } });
    }

    private leave(): void {
      this.panel?.sessionContext.kernelChanged.disconnect(this.connect);
      this.panel = null;
      this.view.connect(null);
    }

    private readonly connect = (): void => {
      const kernel = this.panel?.sessionContext.session?.kernel ?? null;
      const run = this.bundle?.run ?? "";
      this.view.connect(kernel === null ? null : linkTo(kernel).channel(run));
    };
  };
}
