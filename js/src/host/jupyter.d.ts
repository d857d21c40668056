/** The members of JupyterLab that we use; its own types would bring some hundred packages. */

interface Signal<Sender, Value> {
  connect(slot: (sender: Sender, value: Value) => void): boolean;
  disconnect(slot: (sender: Sender, value: Value) => void): boolean;
}

// ---------------------------------------------------------------- kernels

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

interface ExecuteRequest {
  readonly code: string;
  readonly silent: boolean;
  readonly store_history: boolean;
  readonly stop_on_error: boolean;
  readonly allow_stdin: boolean;
}

interface ExecuteReply {
  readonly content: { readonly status: string; readonly ename?: string; readonly evalue?: string };
}

interface KernelMessage {
  readonly header: Readonly<Record<string, string>>;
  readonly parent_header: unknown;
  readonly metadata: unknown;
  readonly content: unknown;
  readonly channel: "control";
  readonly buffers: readonly unknown[];
}

interface KernelConnection {
  readonly clientId?: string;
  readonly username?: string;
  readonly connectionStatus?: string;
  /** The subshell that requests of this connection go to; null is the main shell. */
  subshellId?: string | null;
  /** Another connection to the same kernel; 4.6 takes all options of a connection. */
  clone?(options: { readonly handleComms: boolean; readonly commsOverSubshells: string }): KernelConnection;
  dispose(): void;
  requestKernelInfo?(): Promise<unknown>;
  sendControlMessage?(
    message: KernelMessage,
    expectReply: boolean,
    disposeOnDone: boolean,
  ): { readonly done: Promise<{ readonly content: Readonly<Record<string, unknown>> } | undefined> };
  readonly id: string;
  readonly isDisposed: boolean;
  readonly handleComms: boolean;
  readonly status: string;
  readonly info: Promise<{ readonly language_info?: { readonly name?: string } }>;
  readonly supportsSubshells?: boolean;
  readonly statusChanged: Signal<KernelConnection, string>;
  readonly connectionStatusChanged: Signal<KernelConnection, string>;
  readonly disposed: Signal<KernelConnection, void>;
  createComm(target: string): Comm;
  requestExecute(content: ExecuteRequest): { readonly done: Promise<ExecuteReply | undefined> };
  interrupt(): Promise<void>;
}

interface SessionContext {
  readonly session: { readonly kernel: KernelConnection | null } | null;
  /** When the session has its kernel, or a person has chosen to have none. */
  readonly ready: Promise<void>;
  readonly kernelChanged: Signal<SessionContext, unknown>;
}

// ---------------------------------------------------------------- notebooks

/** A notebook or console: a widget with a kernel. */
interface Panel {
  readonly node: HTMLElement;
  readonly sessionContext: SessionContext;
}

interface SharedCell {
  getSource(): string;
  setSource(source: string): void;
  transact(change: () => void, undoable?: boolean): void;
}

interface CellModel {
  readonly id: string;
  readonly type: string;
  readonly sharedModel: SharedCell;
  trusted: boolean;
  getMetadata(key: string): unknown;
  /** The last three of code cells only. */
  executionCount?: number | null;
  readonly outputs?: {
    readonly length: number;
    fromJSON(outputs: readonly unknown[]): void;
    get(place: number): { readonly data?: Readonly<Record<string, unknown>> };
  };
}

interface CellWidget extends LuminoWidget {
  readonly model: CellModel;
}

interface NotebookModel {
  readonly cells: Iterable<CellModel> & {
    readonly length: number;
    readonly changed: Signal<unknown, unknown>;
  };
  readonly contentChanged: Signal<NotebookModel, void>;
}

interface NotebookWidget extends LuminoWidget {
  readonly model: NotebookModel | null;
  readonly modelChanged: Signal<NotebookWidget, void>;
  readonly activeCellChanged: Signal<NotebookWidget, CellWidget | null>;
  readonly activeCell: CellWidget | null;
  readonly widgets: readonly CellWidget[];
  activeCellIndex: number;
  deselectAll(): void;
  scrollToItem?(index: number, align?: string): Promise<void>;
}

interface NotebookPanel extends LuminoWidget, Panel {
  readonly content: NotebookWidget;
  readonly context: {
    readonly path: string;
    readonly ready: Promise<void>;
    readonly pathChanged: Signal<unknown, string>;
  };
}

interface NotebookTracker {
  readonly currentWidget: NotebookPanel | null;
  readonly widgetAdded: Signal<NotebookTracker, NotebookPanel>;
  readonly currentChanged: Signal<NotebookTracker, NotebookPanel | null>;
  readonly activeCellChanged: Signal<NotebookTracker, unknown>;
  forEach(visit: (panel: NotebookPanel) => void): void;
}

interface ExecutedCell {
  readonly notebook: NotebookWidget;
  readonly success: boolean;
}

// ---------------------------------------------------------------- widgets and the shell

interface LuminoTitle {
  label: string;
  caption: string;
  icon: unknown;
  className: string;
}

interface LuminoWidget {
  id: string;
  readonly node: HTMLElement;
  readonly title: LuminoTitle;
  readonly isDisposed: boolean;
  readonly isVisible: boolean;
  readonly disposed: Signal<LuminoWidget, void>;
  parent: unknown;
  addClass(name: string): void;
  activate(): void;
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

type CommandArguments = Readonly<Record<string, unknown>>;

interface CommandOptions {
  readonly label: string | (() => string);
  readonly caption?: string | (() => string);
  /** An icon, or a function of the arguments that gives one. */
  readonly icon?: unknown;
  readonly isEnabled?: (args: CommandArguments) => boolean;
  readonly isVisible?: (args: CommandArguments) => boolean;
  readonly isToggled?: (args: CommandArguments) => boolean;
  execute(args: CommandArguments): unknown;
}

interface CommandRegistry {
  addCommand(id: string, options: CommandOptions): unknown;
  execute(id: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  hasCommand(id: string): boolean;
  notifyCommandChanged(id?: string): void;
}

interface Shell {
  readonly currentWidget?: LuminoWidget | null;
  widgets(area?: string): Iterable<LuminoWidget & Partial<Panel>>;
  add(widget: LuminoWidget, area: string, options?: { readonly rank?: number }): void;
  activateById(id: string): void;
  collapseLeft?(): void;
  collapseRight?(): void;
}

interface Application {
  readonly shell: Shell;
  readonly commands: CommandRegistry;
  readonly restored?: Promise<unknown>;
  contextMenuHitTest?(test: (node: HTMLElement) => boolean): HTMLElement | undefined;
}

interface CommandPalette {
  addItem(item: { readonly command: string; readonly category: string }): unknown;
}

interface LayoutRestorer {
  add(widget: LuminoWidget, name: string): void;
}

interface Translator {
  load(domain: string): { __(text: string, ...values: unknown[]): string };
}

interface ToolbarRegistry {
  addFactory(factory: string, item: string, make: (panel: NotebookPanel) => LuminoWidget): unknown;
}

interface StatusBar {
  registerStatusItem(
    id: string,
    item: {
      readonly item: LuminoWidget;
      readonly align: "left" | "middle" | "right";
      readonly rank?: number;
      isActive(): boolean;
      readonly activeStateChanged: Signal<unknown, void>;
    },
  ): unknown;
}

interface RunningItem {
  open(): void;
  shutdown(): void;
  icon(): unknown;
  label(): string;
  labelTitle(): string;
}

interface RunningManagers {
  add(manager: {
    readonly name: string;
    readonly supportsMultipleViews: boolean;
    running(): readonly RunningItem[];
    shutdownAll(): void;
    refreshRunning(): void;
    readonly runningChanged: Signal<unknown, void>;
    readonly shutdownLabel: string;
    readonly shutdownAllLabel: string;
    shutdownAllConfirmationText?(): string;
  }): unknown;
}

interface PluginSettings {
  readonly composite: Readonly<Record<string, unknown>>;
  readonly changed: Signal<unknown, void>;
}

interface SettingRegistry {
  load(plugin: string): Promise<PluginSettings>;
}

interface FileBrowserFactory {
  readonly tracker: {
    readonly currentWidget: { selectedItems(): Iterable<{ readonly path: string; readonly type: string }> } | null;
  };
}

interface NotificationApi {
  emit(
    message: string,
    type: "default" | "success" | "warning" | "error",
    options: {
      readonly autoClose: number | false;
      readonly actions: readonly { readonly label: string; readonly callback: () => void }[];
    },
  ): string;
}

interface LabPlugin {
  readonly id: string;
  readonly description: string;
  readonly autoStart: boolean;
  readonly requires: readonly unknown[];
  readonly optional: readonly unknown[];
  activate(app: Application, ...services: readonly unknown[]): void;
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
