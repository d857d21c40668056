/** What JupyterLab has, as far as our code sees it, for tests without a page. */

import assert from "node:assert/strict";
import { FEED_TARGET, type ToKernel, type ToView } from "../src/protocol";

/** A signal that tests emit. */
export class FakeSignal<Value> {
  private readonly slots = new Set<(sender: never, value: Value) => void>();

  connect(slot: (sender: never, value: Value) => void): boolean {
    this.slots.add(slot);
    return true;
  }

  disconnect(slot: (sender: never, value: Value) => void): boolean {
    return this.slots.delete(slot);
  }

  emit(sender: unknown, value: Value): void {
    for (const slot of [...this.slots]) slot(sender as never, value);
  }
}

export class FakeComm implements Comm {
  isDisposed = false;
  readonly sent: ToKernel[] = [];
  onMsg: Comm["onMsg"] = () => undefined;
  onClose: Comm["onClose"] = () => undefined;
  startSubshell: () => void = () => undefined;
  readonly subshellStarted = new Promise<void>((resolve) => (this.startSubshell = resolve));
  finishOpen: () => void = () => undefined;

  constructor(
    readonly target: string,
    private readonly log: string[],
    readonly commsOverSubshells: "disabled" | "perCommTarget",
  ) {}

  /** Let all be opened at once, for tests about something else. */
  isQuick = false;

  open(): Future {
    this.log.push(`open ${this.target}`);
    if (this.isQuick) return { done: Promise.resolve() };
    return { done: new Promise<void>((resolve) => (this.finishOpen = resolve)) };
  }

  send(data: unknown): Future {
    this.log.push(`send ${(data as { type: string }).type}`);
    this.sent.push(data as ToKernel);
    return { done: Promise.resolve() };
  }

  close(): Future {
    this.log.push(`close ${this.target}`);
    this.isDisposed = true;
    return { done: Promise.resolve() };
  }
}

export class FakeKernel implements KernelConnection {
  isDisposed = false;
  readonly handleComms = true;
  readonly status = "idle";
  readonly id = "kernel-1";
  info: Promise<{ readonly language_info?: { readonly name?: string } }> = Promise.resolve({});
  isQuick = false;
  /** What requests to execute are answered. */
  reply: ExecuteReply = { content: { status: "ok" } };
  readonly executed: ExecuteRequest[] = [];
  readonly statusChanged = new FakeSignal<string>();
  readonly connectionStatusChanged = new FakeSignal<string>();
  readonly disposed = new FakeSignal<void>();
  readonly log: string[] = [];
  readonly comms: FakeComm[] = [];

  constructor(readonly supportsSubshells = true) {}

  createComm(target: string): Comm {
    const comm = new FakeComm(target, this.log, "perCommTarget");
    comm.isQuick = this.isQuick;
    if (this.isQuick) comm.startSubshell();
    this.comms.push(comm);
    return comm;
  }

  requestExecute(content: ExecuteRequest): { readonly done: Promise<ExecuteReply> } {
    this.executed.push(content);
    return { done: Promise.resolve(this.reply) };
  }

  /** The kernel says something on the feed. */
  tell(message: ToView): void {
    this.comm(FEED_TARGET).onMsg({ content: { data: message } });
  }

  /** What the page has sent of one type. */
  heard<Type extends ToKernel["type"]>(type: Type): Extract<ToKernel, { type: Type }>[] {
    const all = this.comms.flatMap((comm) => comm.sent);
    return all.filter((message): message is Extract<ToKernel, { type: Type }> => message.type === type);
  }

  dispose(): void {
    this.isDisposed = true;
  }

  interrupt(): Promise<void> {
    this.log.push("interrupt");
    return Promise.resolve();
  }

  comm(target: string): FakeComm {
    const comm = this.comms.filter((made) => made.target === target).at(-1);
    assert.ok(comm !== undefined, `no comm for ${target}`);
    return comm as FakeComm;
  }
}

export class FakeCell implements CellModel {
  readonly type = "code";
  trusted = false;
  executionCount: number | null = null;
  private readonly list: { readonly data?: Readonly<Record<string, unknown>> }[] = [];
  /** How often outputs were written. */
  written = 0;
  readonly sharedModel: SharedCell;
  readonly outputs: NonNullable<CellModel["outputs"]>;

  constructor(
    readonly id: string,
    public source: string,
    readonly tags: readonly string[] = [],
  ) {
    this.sharedModel = {
      getSource: () => this.source,
      setSource: (text) => void (this.source = text),
      transact: (change) => change(),
    };
    const { list } = this;
    this.outputs = {
      get length() {
        return list.length;
      },
      get: (place) => list[place] ?? {},
      fromJSON: (fresh) => {
        this.written += 1;
        list.splice(0, list.length, ...(fresh as typeof list));
      },
    };
  }

  getMetadata(key: string): unknown {
    return key === "tags" ? this.tags : undefined;
  }
}

/** A notebook with its kernel; only what a desk looks at. */
export class FakePanel {
  readonly kernel = new FakeKernel();
  readonly cells: FakeCell[];
  readonly kernelChanged = new FakeSignal<unknown>();
  readonly contentChanged = new FakeSignal<void>();
  readonly activeCellChanged = new FakeSignal<CellWidget | null>();
  activeCell: { readonly model: FakeCell } | null = null;

  constructor(...cells: readonly FakeCell[]) {
    this.cells = [...cells];
    this.kernel.isQuick = true;
  }

  get panel(): NotebookPanel {
    const [self, signal] = [this, new FakeSignal<never>()];
    const content = {
      model: { cells: this.cells, contentChanged: this.contentChanged },
      modelChanged: signal,
      activeCellChanged: this.activeCellChanged,
      get activeCell() {
        return self.activeCell;
      },
      widgets: [],
    };
    const context = { path: "work/flights.ipynb", ready: Promise.resolve(), pathChanged: signal };
    const session = { kernel: this.kernel };
    const sessionContext = { session, ready: Promise.resolve(), kernelChanged: this.kernelChanged };
    return { isDisposed: false, content, context, sessionContext } as unknown as NotebookPanel;
  }
}
