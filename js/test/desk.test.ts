import assert from "node:assert/strict";
import { test } from "node:test";
import { acceptMessage } from "../src/accept";
import { asTask, documentOf, mentionsFlowbook } from "../src/host/cells";
import { NotebookDesk } from "../src/host/desk";
import { speaker } from "../src/host/kernel";
import { Marking } from "../src/host/marking";
import { paletteRules } from "../src/host/palette";
import { settingsOf } from "../src/host/settings";
import { inRun, nodeOf, shownAs } from "../src/host/standing";
import { statusText } from "../src/host/progress";
import {
  type Bundle,
  type CellLook,
  FEED_TARGET,
  MIME,
  type NodeLook,
  type NotebookLook,
  OPEN_CODE,
  type Picture,
  type Snapshot,
} from "../src/protocol";
import { FakeCell, FakeKernel, FakePanel } from "./lab";
import { makeScene, runLook } from "./scene";

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

const NO_LOOK = { message: "", attempt: 0, started: null, ended: null };

function cellLook(cell: string, node: number, state = "", more: Partial<CellLook> = {}): CellLook {
  const marks = { dirty: false, stale: false, again: "", converted: "" };
  return { cell, role: "task", name: `task ${cell}`, node, state, ...NO_LOOK, ...marks, ...more };
}

function notebookLook(seq: number, cells: readonly CellLook[], more: Partial<NotebookLook> = {}): NotebookLook {
  const lists = { problems: [], fields: [], reasons: [] };
  return { type: "notebook", seq, at: 100, notebook: "flights.ipynb", basis: "document", flow: "flights", run: "", bundle: null, cells, ...lists, ...more };
}

/** A picture whose nodes are the given cells, in this order. */
function pictureOf(run: string, cells: readonly string[]): Picture {
  const { picture } = makeScene(cells.length, 2, run);
  return { ...picture, nodes: picture.nodes.map((card, place) => ({ ...card, cell: cells[place] ?? "" })) };
}

function nodeLook(node: number, state: string, more: Partial<NodeLook> = {}): NodeLook {
  return { node, state, ...NO_LOOK, due: null, result: "", width: null, counts: null, ...more };
}

function snapshotOf(run: string, seq: number, state: string, nodes: readonly NodeLook[]): Snapshot {
  const ended = state === "" || state === "Running" ? null : 101;
  return { type: "snapshot", run, seq, at: 100, flow: runLook(state, { started: state === "" ? null : 90, ended }), nodes };
}

async function opened(...cells: readonly FakeCell[]): Promise<{ desk: NotebookDesk; fake: FakePanel }> {
  const fake = new FakePanel(...cells);
  const desk = new NotebookDesk(fake.panel, { show: () => undefined });
  await desk.open("document");
  await settled();
  return { desk, fake };
}

test("a notebook that says nothing of flowbook is left alone, and one that does is linked without running anything", async () => {
  const plain = new FakePanel(new FakeCell("a", "x = 1"));
  new NotebookDesk(plain.panel, { show: () => undefined });
  const own = new FakePanel(new FakeCell("a", "%%task load\nx = 1"));
  new NotebookDesk(own.panel, { show: () => undefined });
  await settled();
  assert.deepEqual([plain.kernel.log, plain.kernel.executed], [[], []]);
  assert.deepEqual(own.kernel.executed, []);
  assert.equal(own.kernel.heard("document")[0]?.basis, "tasks");
});

test("a cell that ran while a link was tried has it tried again, for it may have made flowbook known", async () => {
  const fake = new FakePanel(new FakeCell("a", "%load_ext flowbook"), new FakeCell("b", "%%task load\nx = 1"));
  const desk = new NotebookDesk(fake.panel, { show: () => undefined });
  await settled();
  const before = fake.kernel.comms.length;
  assert.equal(desk.state.status, "opening", "no answer yet");
  desk.executed();
  assert.equal(fake.kernel.comms.length, before, "one attempt at a time");
  fake.kernel.comm(FEED_TARGET).onClose({ content: { data: {} } }); // it began before the cell, and is turned away
  await settled();
  assert.equal(fake.kernel.comms.length, before + 2);
  fake.kernel.comm(FEED_TARGET).onClose({ content: { data: {} } });
  await settled();
  assert.equal(fake.kernel.comms.length, before + 2, "and not without end");
  desk.dispose();
});

test("to open loads flowbook silently and tells the cells", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1", ["parameters"]), new FakeCell("b", "y = x"));
  assert.deepEqual(fake.kernel.executed.map((request) => [request.code, request.silent]), [[OPEN_CODE, true]]);
  assert.deepEqual(fake.kernel.heard("document")[0]?.cells, [
    { cell: "a", source: "x = 1", tags: ["parameters"] },
    { cell: "b", source: "y = x", tags: [] },
  ]);
  assert.equal(desk.state.status, "opening");
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0), cellLook("b", 1)]));
  assert.equal(desk.state.status, "on");
  desk.dispose();
});

test("a kernel without flowbook, and one of another language, are told of in a sentence", async () => {
  const fake = new FakePanel(new FakeCell("a", "x = 1"));
  fake.kernel.reply = { content: { status: "error", ename: "ModuleNotFoundError", evalue: "No module named 'flowbook'" } };
  const desk = new NotebookDesk(fake.panel, { show: () => undefined });
  await desk.open("document");
  assert.equal(desk.state.status, "broken");
  assert.match(desk.state.said, /pip install jupyter-flowbook/);

  const other = new FakePanel(new FakeCell("a", "x <- 1"));
  other.kernel.info = Promise.resolve({ language_info: { name: "R" } });
  const strange = new NotebookDesk(other.panel, { show: () => undefined });
  await strange.open("document");
  assert.match(strange.state.said, /Python kernel; this notebook's speaks R/);
});

test("an unanswered document is told again, and an older look never replaces a newer one", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"));
  assert.equal(fake.kernel.heard("document").length, 1);
  await pause(350);
  assert.equal(fake.kernel.heard("document").length, 2);
  fake.kernel.tell(notebookLook(5, [cellLook("a", 0, "Success")]));
  fake.kernel.tell(notebookLook(4, [cellLook("a", 0)]));
  assert.equal(desk.state.look?.cells[0]?.state, "Success");
  await pause(700);
  assert.equal(fake.kernel.heard("document").length, 2, "an answered one is not");
  desk.dispose();
});

test("a change of the cells is told when the typing pauses, and an output is none", async () => {
  const cell = new FakeCell("a", "x = 1");
  const { desk, fake } = await opened(cell);
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0)]));
  fake.contentChanged.emit(null, undefined);
  await pause(350);
  assert.equal(fake.kernel.heard("document").length, 1, "nothing changed");
  cell.source = "x = 2";
  fake.contentChanged.emit(null, undefined);
  await pause(350);
  assert.equal(fake.kernel.heard("document").at(-1)?.cells[0]?.source, "x = 2");
  desk.dispose();
});

test("orders are executed only when the kernel has heard what was typed last", async () => {
  const cell = new FakeCell("a", "x = 1");
  const { desk, fake } = await opened(cell);
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0)]));
  cell.source = "x = '$& {}'";
  const running = desk.run({ to: "a", from_failed: false, parameters: { text: "$&" } });
  await settled();
  assert.equal(fake.kernel.executed.length, 1, "it waits for the answer");
  assert.equal(fake.kernel.heard("document").at(-1)?.cells[0]?.source, "x = '$& {}'");
  fake.kernel.tell(notebookLook(2, [cellLook("a", 0)]));
  fake.kernel.reply = { content: { status: "error", ename: "FlowError", evalue: "cell 'a' cannot be read." } };
  await running;
  const orders = { to: "a", from_failed: false, parameters: { text: "$&" }, notebook: desk.state.title };
  assert.ok(fake.kernel.executed[1]?.code.endsWith(`.run_orders(${JSON.stringify(JSON.stringify(orders))})`));
  assert.deepEqual([desk.state.said, desk.state.busy], ["cell 'a' cannot be read.", false]);
  desk.dispose();
});

test("the model follows the run that the look names, and its end is told once", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"), new FakeCell("b", "y = x"));
  const ends: string[] = [];
  desk.ended.connect((_, { model }) => void ends.push(model.flow.state));
  fake.kernel.tell(pictureOf("other", ["a"]));
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0), cellLook("b", 1)], { run: "run-1", at: 50 }));
  assert.equal(fake.kernel.heard("ask").at(-1)?.run, "run-1");
  assert.equal(desk.state.model.picture, null, "another run is not ours");
  fake.kernel.tell(pictureOf("run-1", ["a", "b"]));
  fake.kernel.tell(snapshotOf("run-1", 1, "Running", [nodeLook(0, "Running"), nodeLook(1, "Pending")]));
  assert.equal(statusText(desk), "flow ▶ 0/2");
  fake.kernel.tell({ type: "changes", run: "run-1", seq: 9, since: 7, at: 101, flow: runLook("Running", { started: 90 }), nodes: [] });
  assert.equal(fake.kernel.heard("ask").length, 2, "a number was missed");
  fake.kernel.tell(snapshotOf("run-1", 9, "Failed", [nodeLook(0, "Failed"), nodeLook(1, "TriggerFailed")]));
  fake.kernel.tell(snapshotOf("run-1", 9, "Failed", [nodeLook(0, "Failed"), nodeLook(1, "TriggerFailed")]));
  assert.deepEqual(ends, ["Failed"]);
  assert.equal(statusText(desk), "flow ✗ 1/2 ✗1", "what was not run did not fail");
  desk.dispose();
});

test("a restarted kernel has forgotten all; what a person asked for is opened in it once more", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"));
  fake.kernel.tell(notebookLook(7, [cellLook("a", 0, "Success")]));
  fake.kernel.statusChanged.emit(fake.kernel, "restarting");
  assert.deepEqual([desk.state.status, desk.state.look], ["off", null]);
  fake.kernel.statusChanged.emit(fake.kernel, "idle");
  await settled();
  assert.deepEqual(fake.kernel.executed.map((request) => request.code), [OPEN_CODE, OPEN_CODE]);
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0)]));
  assert.equal(desk.state.look?.cells[0]?.state, "", "its numbers begin anew");
  fake.kernel.statusChanged.emit(fake.kernel, "idle");
  await settled();
  assert.equal(fake.kernel.executed.length, 2);
  desk.dispose();
});

test("outputs replace those of the cell, the newest list only, and nothing is written twice", async () => {
  const cell = new FakeCell("a", "print(1)");
  const { desk, fake } = await opened(cell);
  const told = (text: string): void =>
    fake.kernel.tell({
      type: "outputs",
      run: "run-1",
      cell: "a",
      outputs: JSON.stringify([{ output_type: "stream", name: "stdout", text }]),
      count: 3,
    });
  told("1\n");
  told("1\n2\n");
  await pause(300);
  assert.deepEqual([cell.outputs.get(0), cell.written, cell.trusted, cell.executionCount], [{ output_type: "stream", name: "stdout", text: "1\n2\n" }, 1, true, 3]);
  told("1\n2\n");
  await pause(300);
  assert.equal(cell.written, 1);
  desk.dispose();
});

test("details are asked for by the number in the run, and told by the number in the picture that is shown", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"), new FakeCell("b", "y = x"), new FakeCell("c", "z = y"));
  // since the run a cell came in front, so the picture of what would run next numbers anew
  const picture = pictureOf("", ["c", "a", "b"]);
  const bundle: Bundle = { protocol: picture.protocol, run: "", live: false, picture, snapshot: snapshotOf("", 0, "", []), children: [] };
  fake.kernel.tell(notebookLook(1, [cellLook("c", 0), cellLook("a", 1), cellLook("b", 2)], { run: "run-1", bundle }));
  fake.kernel.tell(pictureOf("run-1", ["a", "b"]));
  fake.kernel.tell(snapshotOf("run-1", 3, "Success", [nodeLook(0, "Success"), nodeLook(1, "Success")]));
  assert.deepEqual([nodeOf(desk.state, "b"), inRun(desk.state, 2), shownAs(desk.state, 0), inRun(desk.state, 0)], [2, 1, 1, null]);
  desk.choose(2);
  const asked = fake.kernel.heard("ask-task").at(-1);
  assert.deepEqual([asked?.run, asked?.node], ["run-1", 1]);
  const details = { why: "", moments: [], inputs: [], result: "", logs: "", code: "y = x" };
  fake.kernel.tell({ type: "task", run: "run-1", node: 1, ...details, cause: 0 });
  assert.deepEqual([desk.state.details?.node, desk.state.details?.cause], [2, 1]);
  desk.choose(0);
  assert.deepEqual([desk.state.details?.why, desk.state.details?.code], ["It has not run yet.", "z = y"]);
  desk.dispose();
});

test("a cell that was run by hand tells of that, and not of the run before", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"), new FakeCell("b", "y = x"));
  const failed = { message: "Run by hand: KeyError: 'x'", started: 104, ended: 105 };
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0, "Success"), cellLook("b", 1, "Failed", failed)], { run: "run-1" }));
  fake.kernel.tell(pictureOf("run-1", ["a", "b"]));
  fake.kernel.tell(snapshotOf("run-1", 3, "Success", [nodeLook(0, "Success"), nodeLook(1, "Success")]));
  desk.choose(1);
  const told = desk.state.details;
  assert.equal(told?.why, "It was run by hand and failed: KeyError: 'x'");
  assert.deepEqual(told?.moments.map((moment) => [moment.at, moment.state]), [[104, "Running"], [105, "Failed"]]);
  assert.deepEqual([told?.code, told?.cause], ["y = x", -1]);
  const details = { why: "It went well.", moments: [], inputs: [], result: "", logs: "", code: "" };
  fake.kernel.tell({ type: "task", run: "run-1", node: 1, ...details, cause: -1 });
  assert.match(desk.state.details?.why ?? "", /by hand/, "an answer about the run comes too late");
  desk.choose(0);
  assert.equal(fake.kernel.heard("ask-task").at(-1)?.node, 0);
  desk.dispose();
});

test("the node of the selected cell is the chosen one", async () => {
  const cell = new FakeCell("b", "y = 1");
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"), cell);
  fake.activeCell = { model: cell };
  fake.kernel.tell(notebookLook(1, [cellLook("a", 0), cellLook("b", 1)], { run: "run-1" }));
  fake.kernel.tell(pictureOf("run-1", ["a", "b"]));
  assert.equal(desk.state.chosen, 1);
  desk.dispose();
});

test("a mark says the newest there is: of the node while the run goes on, else of the cell", async () => {
  const { desk, fake } = await opened(new FakeCell("a", "x = 1"), new FakeCell("b", "y = x"));
  const cells = [cellLook("a", 0, "Failed", { dirty: true, stale: true }), cellLook("b", 1), cellLook("s", -1, "", { role: "shared" }), cellLook("o", -1, "", { role: "outside" })];
  const problems = [{ cell: "b", text: "it reads nothing.", grave: true, line: null, fixes: [] }];
  fake.kernel.tell(notebookLook(1, cells, { problems }));
  const marking = new Marking();
  const before = marking.marks(desk.state, 0);
  assert.deepEqual([...before.keys()], ["a", "b", "s"]);
  const failed = before.get("a");
  assert.deepEqual([failed?.glyph, failed?.family, failed?.isDirty, failed?.isStale], ["✗", "bad", true, true]);
  assert.match(failed?.name ?? "", /^task a, Failed, out of date: something before it changed, changed since it ran$/);
  assert.deepEqual([before.get("b")?.problem, before.get("b")?.family], ["it reads nothing.", "bad"]);
  assert.equal(marking.marks(desk.state, 9).get("a"), failed, "what is the same is not made anew");

  fake.kernel.tell(notebookLook(2, cells, { run: "run-1" }));
  fake.kernel.tell(pictureOf("run-1", ["a", "b"]));
  const looks = [nodeLook(0, "Running", { started: 98, attempt: 2 }), nodeLook(1, "Pending")];
  fake.kernel.tell(snapshotOf("run-1", 1, "Running", looks));
  const now = 100 - desk.state.model.offset;
  const running = marking.marks(desk.state, now).get("a");
  assert.deepEqual([running?.state, running?.time, running?.attempt, running?.isMoving], ["Running", "2.0 s", "2/3", true]);
  assert.equal(marking.marks(desk.state, now + 1).get("a")?.time, "3.0 s");
  desk.dispose();
});

test("cells are read for what they are", () => {
  assert.ok(mentionsFlowbook([new FakeCell("a", "x = 1\nfrom flowbook import Flow")]));
  assert.ok(!mentionsFlowbook([new FakeCell("a", "# a flowbook is a book\nprint('import flowbook')")]));
  const shows = new FakeCell("a", "x = 1");
  shows.outputs.fromJSON([{ data: { [MIME]: {} } }]);
  assert.ok(mentionsFlowbook([shows]));
  assert.equal(documentOf("n", [new FakeCell("a", "x = 1")], null).basis, "nothing");
  assert.equal(asTask("x = 1"), "%%task\nx = 1");
  assert.equal(asTask("%%time\nx = 1"), null, "two magics cannot both stand on top");
});

test("a busy kernel is spoken to on a connection beside, once it has said there what it is", async () => {
  const kernel = new FakeKernel();
  kernel.info = new Promise(() => undefined);
  const beside = new FakeKernel();
  let tellInfo: (info: object) => void = () => undefined;
  beside.info = new Promise((resolve) => (tellInfo = resolve));
  const sent: string[] = [];
  const subshells: (string | null | undefined)[] = [];
  Object.assign(beside, {
    sendControlMessage: ({ header }: KernelMessage) => {
      sent.push(header["msg_type"] ?? "");
      return { done: Promise.resolve({ content: { subshell_id: "sub-1" } }) };
    },
    requestKernelInfo: () => {
      subshells.push((beside as KernelConnection).subshellId);
      tellInfo({});
      return Promise.resolve();
    },
  });
  Object.assign(kernel, { clone: () => beside });
  assert.equal(await speaker(kernel), beside);
  assert.deepEqual(subshells, ["sub-1"]);
  assert.deepEqual(sent, ["create_subshell_request", "delete_subshell_request"]);
  assert.equal((beside as KernelConnection).subshellId, null);
});

test("messages about a notebook that are not whole are not let in", () => {
  const look = notebookLook(1, [cellLook("a", 0)]);
  assert.deepEqual(acceptMessage(look), look);
  assert.equal(acceptMessage({ ...look, cells: [{ cell: "a" }] }), null);
  assert.equal(acceptMessage({ ...look, bundle: {} }), null);
  assert.equal(acceptMessage({ ...look, problems: [{ cell: "a", text: "t", grave: 1, line: null, fixes: [] }] }), null);
});

test("the page's own elements get the pictures' colours, light and dark", () => {
  const rules = paletteRules([".jp-FlowbookMark"]);
  assert.match(rules, /^\.jp-FlowbookMark \{ --fb-ground: #ffffff;[^}]*--fb-bad: #[0-9a-f]{6};[^}]*--fb-signs: /);
  assert.match(rules, /body\[data-jp-theme-light="false"\] \.jp-FlowbookMark \{ --fb-ground: #1b1c1f;[^}]*--fb-bad: #[0-9a-f]{6};/);
});

test("settings that make no sense count as not given", () => {
  assert.deepEqual(settingsOf({ cellMarks: false, panelSide: "top", motion: "no" }), {
    cellMarks: false,
    panelSide: "right",
    statusBar: true,
    notifyHidden: true,
    motion: true,
  });
});
