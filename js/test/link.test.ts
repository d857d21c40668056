import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status } from "../src/channel";
import { linkTo } from "../src/host/link";
import { COMMAND_TARGET, FEED_TARGET, type ToView } from "../src/protocol";
import { makeScene, runLook } from "./scene";

/** A signal that tests emit. */
class FakeSignal<Value> {
  private readonly slots = new Set<(sender: KernelConnection, value: Value) => void>();

  connect(slot: (sender: KernelConnection, value: Value) => void): boolean {
    this.slots.add(slot);
    return true;
  }

  disconnect(slot: (sender: KernelConnection, value: Value) => void): boolean {
    return this.slots.delete(slot);
  }

  emit(sender: KernelConnection, value: Value): void {
    for (const slot of this.slots) slot(sender, value);
  }
}

class FakeComm implements Comm {
  isDisposed = false;
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

  open(): Future {
    this.log.push(`open ${this.target}`);
    return { done: new Promise<void>((resolve) => (this.finishOpen = resolve)) };
  }

  send(data: unknown): Future {
    this.log.push(`send ${(data as { type: string }).type}`);
    return { done: Promise.resolve() };
  }

  close(): Future {
    this.log.push(`close ${this.target}`);
    this.isDisposed = true;
    return { done: Promise.resolve() };
  }
}

class FakeKernel implements KernelConnection {
  isDisposed = false;
  readonly handleComms = true;
  readonly status = "idle";
  readonly id = "kernel-1";
  readonly info = Promise.resolve({});
  readonly statusChanged = new FakeSignal<string>();
  readonly connectionStatusChanged = new FakeSignal<string>();
  readonly disposed = new FakeSignal<void>();
  readonly log: string[] = [];
  readonly comms: FakeComm[] = [];

  constructor(readonly supportsSubshells = true) {}

  createComm(target: string): Comm {
    const comm = new FakeComm(target, this.log, "perCommTarget");
    this.comms.push(comm);
    return comm;
  }

  requestExecute(): { readonly done: Promise<undefined> } {
    this.log.push("execute");
    return { done: Promise.resolve(undefined) };
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

/** Let everything that waits for settled promises go on. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

function listener(): { heard: ToView[]; statuses: Status[]; hear(message: ToView): void; turn(status: Status): void } {
  const heard: ToView[] = [];
  const statuses: Status[] = [];
  return { heard, statuses, hear: (message) => heard.push(message), turn: (status) => statuses.push(status) };
}

async function opened(kernel: FakeKernel): Promise<void> {
  await settled();
  for (const comm of kernel.comms) comm.startSubshell();
  await settled();
  kernel.comm(COMMAND_TARGET).finishOpen();
  await settled();
  kernel.comm(FEED_TARGET).finishOpen();
  await settled();
}

const { picture } = makeScene(3);
const CHANGES: ToView = { type: "changes", run: picture.run, seq: 2, since: 1, at: 3, flow: runLook("Running"), nodes: [] };

test("no comm is opened before its subshell has started, and the feed after the command comm", async () => {
  const kernel = new FakeKernel();
  const ear = listener();
  linkTo(kernel).channel("run-1").listen(ear);
  await settled();
  assert.deepEqual(kernel.log, []);
  kernel.comm(COMMAND_TARGET).startSubshell();
  await settled();
  assert.deepEqual(kernel.log, [], "both wait");
  await opened(kernel);
  assert.deepEqual(kernel.log, [`open ${COMMAND_TARGET}`, `open ${FEED_TARGET}`]);
  assert.deepEqual(ear.statuses, ["opening", "open"]);
});

test("a kernel without subshells is not waited for", async () => {
  const kernel = new FakeKernel(false);
  linkTo(kernel).channel("run-1").listen(listener());
  await settled();
  assert.deepEqual(kernel.log, [`open ${COMMAND_TARGET}`]);
});

test("pictures share one link, each hears of its own run, and none sends while it is not open", async () => {
  const kernel = new FakeKernel();
  const [one, other] = [listener(), listener()];
  const channel = linkTo(kernel).channel(picture.run);
  channel.listen(one);
  linkTo(kernel).channel("other").listen(other);
  channel.send({ type: "ask", run: picture.run });
  await opened(kernel);
  assert.equal(kernel.comms.length, 2);
  channel.send({ type: "ask", run: picture.run });
  kernel.comm(FEED_TARGET).onMsg({ content: { data: CHANGES } });
  kernel.comm(FEED_TARGET).onMsg({ content: { data: { type: "nonsense", run: "other" } } });
  assert.deepEqual(kernel.log.slice(2), ["send ask"]);
  assert.deepEqual([one.heard, other.heard], [[CHANGES], []]);
});

test("a restarted kernel has forgotten us; the next live picture opens the link again", async () => {
  const kernel = new FakeKernel();
  const ear = listener();
  linkTo(kernel).channel("run-1").listen(ear);
  await opened(kernel);
  kernel.statusChanged.emit(kernel, "restarting");
  assert.deepEqual(ear.statuses, ["opening", "open", "closed"]);
  const next = listener();
  linkTo(kernel).channel("run-2").listen(next);
  await opened(kernel);
  assert.equal(kernel.comms.length, 4);
  assert.deepEqual(next.statuses.at(-1), "open");
});

test("after a break of the wire every picture is told to ask again", async () => {
  const kernel = new FakeKernel();
  const ear = listener();
  linkTo(kernel).channel("run-1").listen(ear);
  await opened(kernel);
  kernel.connectionStatusChanged.emit(kernel, "connecting");
  kernel.connectionStatusChanged.emit(kernel, "connected");
  assert.deepEqual(ear.statuses, ["opening", "open", "opening", "open"]);
});

test("a kernel that does not know flowbook closes the link, and nothing hangs", async () => {
  const kernel = new FakeKernel();
  const ear = listener();
  linkTo(kernel).channel("run-1").listen(ear);
  await settled();
  for (const comm of kernel.comms) comm.startSubshell();
  await settled();
  const command = kernel.comm(COMMAND_TARGET);
  command.onClose({ content: { data: {} } });
  command.isDisposed = true;
  command.finishOpen();
  await settled();
  assert.deepEqual(kernel.log, [`open ${COMMAND_TARGET}`]);
  assert.deepEqual(ear.statuses, ["opening", "closed"]);
});
