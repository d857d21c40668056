/** The dozen members of JupyterLab that we use; its own types would bring some hundred packages. */

interface Signal<Sender, Value> {
  connect(slot: (sender: Sender, value: Value) => void): boolean;
  disconnect(slot: (sender: Sender, value: Value) => void): boolean;
}

/** The future of a message sent; done when the kernel is idle again after it. */
interface Future {
  readonly done: Promise<unknown>;
}

interface CommMessage {
  readonly content: { readonly data: unknown };
}

interface Comm {
  readonly isDisposed: boolean;
  /** Since JupyterLab 4.4: resolves when messages of this comm pass a running cell. */
  readonly subshellStarted?: Promise<void>;
  readonly commsOverSubshells?: "disabled" | "perComm" | "perCommTarget";
  onMsg: (message: CommMessage) => void;
  onClose: (message: CommMessage) => void;
  open(data: unknown): Future;
  send(data: unknown): Future;
  close(): Future;
}

interface KernelConnection {
  readonly isDisposed: boolean;
  readonly handleComms: boolean;
  readonly status: string;
  readonly info: Promise<unknown>;
  readonly supportsSubshells?: boolean;
  readonly statusChanged: Signal<KernelConnection, string>;
  readonly connectionStatusChanged: Signal<KernelConnection, string>;
  readonly disposed: Signal<KernelConnection, void>;
  createComm(target: string): Comm;
  interrupt(): Promise<void>;
}

interface SessionContext {
  readonly session: { readonly kernel: KernelConnection | null } | null;
  readonly kernelChanged: Signal<SessionContext, unknown>;
}

/** A notebook or console: a widget with a kernel. */
interface Panel {
  readonly node: HTMLElement;
  readonly sessionContext: SessionContext;
}

interface NotebookTracker {
  readonly currentWidget: Panel | null;
  forEach(visit: (panel: Panel) => void): void;
}

interface LuminoWidget {
  readonly node: HTMLElement;
  readonly isDisposed: boolean;
  addClass(name: string): void;
  dispose(): void;
}

interface MimeModel {
  readonly data: Readonly<Record<string, unknown>>;
  setData(change: { readonly data: Readonly<Record<string, unknown>> }): void;
}

interface RendererFactory {
  readonly safe: boolean;
  readonly mimeTypes: readonly string[];
  createRenderer(options: { readonly mimeType: string }): LuminoWidget;
}

interface RenderMimeRegistry {
  addFactory(factory: RendererFactory, rank?: number): void;
}

interface Application {
  readonly shell: { widgets(area?: string): Iterable<LuminoWidget & Partial<Panel>> };
}

interface LabPlugin {
  readonly id: string;
  readonly description: string;
  readonly autoStart: boolean;
  readonly requires: readonly unknown[];
  readonly optional: readonly unknown[];
  activate(app: Application, registry: RenderMimeRegistry, tracker: NotebookTracker | null): void;
}

/** The share scope of module federation: package -> version -> where to get it. */
type ShareScope = Readonly<Record<string, Readonly<Record<string, { get(): Promise<() => unknown> }>>>>;

interface Container {
  init(scope: ShareScope): void;
  get(module: string): Promise<() => unknown>;
}

interface Window {
  _JUPYTERLAB?: Record<string, Container>;
}

/** Set by the builder. */
declare const NAME: string;
declare const VERSION: string;
