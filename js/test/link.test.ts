import assert from "node:assert/strict";
import { test } from "node:test";
import type { Status } from "../src/channel";
import { linkTo } from "../src/host/link";
import { COMMAND_TARGET, FEED_TARGET, type ToView } from "../src/protocol";
import { FakeKernel } from "./lab";
import { makeScene, runLook } from "./scene";

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
