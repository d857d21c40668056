import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, fold, type Model } from "../src/model";
import { conversionText, convertible } from "../src/panel/conversion";
import { barOf } from "../src/panel/controls";
import type { DeskState } from "../src/panel/desk";
import { emptyOf } from "../src/panel/empties";
import { fieldError, firstError, isEdited, parametersOf, unsent } from "../src/panel/fields";
import { canRetry, isLive, needsAttention, type Row, RowBook, shownOf, toResume } from "../src/panel/rows";
import { historyOf, linksOf, othersText, plain, problemsTitle, sorted } from "../src/panel/story";
import type { CellLook, Field, NodeCard, NodeLook, NotebookLook, Picture, RunLook, TaskDetails } from "../src/protocol";
import { golden } from "./golden";
import { bundleOf, look, makeScene, runLook } from "./scene";

const LOOK = golden("messages/notebook") as NotebookLook;
const DETAILS = golden("messages/task") as TaskDetails;

/** read → clean → plot, and count beside them, as cells. */
const EDGES: readonly (readonly number[])[] = [[], [0], [1], []];
const NAMES = ["read", "clean", "plot", "count"];

function cards(shift = 0): NodeCard[] {
  return EDGES.map((upstream, node) => ({
    node: node + shift, slug: NAMES[node] ?? "", name: NAMES[node] ?? "", kind: "task", attempts: 2, mapped: false, cell: `c${node}`,
    upstream: upstream.map((other) => other + shift),
    downstream: EDGES.flatMap((fed, other) => (fed.includes(node) ? [other + shift] : [])),
  }));
}

function cell(node: number, state: string, more: Partial<CellLook> = {}): CellLook {
  return {
    cell: `c${node}`, role: "task", name: NAMES[node] ?? "", node, state, message: "", attempt: 0, started: null, ended: null,
    dirty: false, stale: false, again: "", converted: "", ...more,
  };
}

function notebook(cells: readonly CellLook[], more: Partial<NotebookLook> = {}): NotebookLook {
  return { ...LOOK, at: 10, run: "", bundle: null, cells, problems: [], fields: [], reasons: [], ...more };
}

function picture(run: string, shift = 0): Picture {
  return { ...makeScene(1).picture, run, nodes: cards(shift) };
}

function modelOf(looks: readonly NodeLook[], flow: RunLook, shift = 0, at = 20): Model {
  const pictured = fold(EMPTY, picture("run-1", shift), 0).model;
  return fold(pictured, { type: "snapshot", run: "run-1", seq: 1, at, flow, nodes: looks }, 0).model;
}

function next(run = ""): NotebookLook["bundle"] {
  const snapshot = { type: "snapshot" as const, run, seq: 0, at: 0, flow: runLook(""), nodes: [] };
  return bundleOf({ cards: cards(), picture: picture(run) }, snapshot, false);
}

function desk(look: NotebookLook | null, model: Model = EMPTY, more: Partial<DeskState> = {}): DeskState {
  return { status: "on", title: "flights.ipynb", look, model, chosen: null, details: null, busy: false, said: "", ...more };
}

function rowsOf(state: DeskState): readonly Row[] {
  return new RowBook().read(state);
}

const GOOD = cells("Success", "Success", "Success", "Success");

function cells(...states: string[]): CellLook[] {
  return states.map((state, node) => cell(node, state));
}

test("the flow as it would run is shown, but a run that goes on is looked at first", () => {
  const live = modelOf([], runLook("Running", { started: 1 }));
  const over = modelOf([], runLook("Success", { started: 1, ended: 2 }));
  assert.equal(shownOf(desk(null)), "none");
  assert.equal(shownOf(desk(notebook(GOOD, { bundle: next() }))), "next");
  assert.equal(shownOf(desk(notebook(GOOD, { bundle: next(), run: "run-1" }), over)), "next");
  assert.equal(shownOf(desk(notebook(GOOD, { bundle: next(), run: "run-1" }), live)), "run");
  assert.equal(shownOf(desk(notebook(GOOD, { run: "run-1" }), over)), "run");
  assert.equal(isLive(desk(notebook(GOOD, { run: "run-2" }), live)), false, "that is an older run");
});

test("rows come in the order of the document, with the cells that are no task left out and other nodes at the end", () => {
  const other: NodeCard = { ...(cards()[0] as NodeCard), node: 9, name: "days", kind: "parameter", cell: "" };
  const bundle = next();
  const shown = { ...bundle, picture: { ...bundle?.picture, nodes: [other, ...cards()] } } as NotebookLook["bundle"];
  const imports = cell(7, "", { role: "shared", node: -1 });
  const rows = rowsOf(desk(notebook([cell(2, ""), imports, cell(0, "")], { bundle: shown })));
  assert.deepEqual(rows.map((row) => row.key), ["c2", "c0", "node-9", "node-1", "node-3"]);
});

test("while the run lives, a row follows its node, joined by the cell and not by the number", () => {
  const looks = [look(11, "Running", { attempt: 1, started: 19 })];
  const model = modelOf(looks, runLook("Running", { started: 15 }), 10);
  const state = desk(notebook([cell(0, "Success"), cell(1, "Failed", { dirty: true }), cell(2, "")], { run: "run-1" }), model);
  const [read, clean] = rowsOf(state);
  assert.equal(clean?.look.state, "Running");
  assert.equal(clean?.node, 11, "the number in the picture that is shown");
  assert.equal(clean?.dirty, false, "it runs with what was changed");
  assert.equal(read?.look.state, "Success", "the run says nothing of it");
});

test("after the run a cell that was run since stands as the notebook says", () => {
  const model = modelOf([look(0, "Failed", { ended: 18 })], runLook("Failed", { started: 15, ended: 18 }), 0, 18);
  const later = notebook([cell(0, "Success", { ended: 25 })], { run: "run-1", at: 26 });
  assert.equal(rowsOf(desk(later, model))[0]?.look.state, "Success");
  const same = notebook([cell(0, "Failed", { ended: 18 })], { run: "run-1", at: 26 });
  const told = modelOf([look(0, "Failed", { ended: 18, result: "kept" })], runLook("Failed", { started: 15, ended: 18 }), 0, 18);
  assert.equal(rowsOf(desk(same, told))[0]?.look.result, "kept", "the node has more to say of the same end");
});

test("a row of which nothing changed stays the same object, so that its line is not touched", () => {
  const book = new RowBook();
  const before = book.read(desk(notebook(cells("Success", ""), { bundle: next() })));
  const after = book.read(desk(notebook(cells("Success", "Failed"), { bundle: next(), at: 12 })));
  assert.ok(before[0] === after[0]);
  assert.ok(before[1] !== after[1]);
});

test("what failed, is held up, changed or out of date, or cannot run needs attention", () => {
  const problem = { cell: "c3", text: "", grave: true, line: null, fixes: [] };
  const all = [cell(0, "Success"), cell(1, "Retrying"), cell(2, "Success", { stale: true }), cell(3, "")];
  const rows = rowsOf(desk(notebook(all, { bundle: next(), problems: [problem] })));
  assert.deepEqual(rows.filter(needsAttention).map((row) => row.key), ["c1", "c2", "c3"]);
  assert.deepEqual(rows.filter(canRetry).map((row) => row.key), ["c1"]);
});

test("a resumed run runs what did not end well, what is out of date, and what follows from that", () => {
  const resumed = (all: readonly CellLook[]): string[] => toResume(rowsOf(desk(notebook(all, { bundle: next() })))).map((row) => row.key);
  assert.deepEqual(resumed(GOOD), []);
  assert.deepEqual(resumed(cells("", "", "", "")), [], "nothing has run, so nothing is resumed");
  assert.deepEqual(resumed(cells("Success", "Failed", "TriggerFailed", "Success")), ["c1", "c2"]);
  assert.deepEqual(resumed([cell(0, "Success", { dirty: true }), ...GOOD.slice(1)]), ["c0", "c1", "c2"]);
  assert.deepEqual(resumed(cells("Success", "Success", "", "")), [], "one cell after the other is no failure");
  const told = [cell(0, "Success"), cell(1, "Success", { again: "random numbers were drawn since" }), cell(2, "", { again: "it has not run" })];
  assert.deepEqual(resumed(told), ["c1", "c2"], "the kernel knows better");
  assert.deepEqual(resumed([cell(0, "Success"), cell(1, "", { again: "it has not run" })]), []);
});

test("the bar offers what can be done now, the likeliest thing first", () => {
  const names = (state: DeskState, chosen?: number): string[] => {
    const rows = rowsOf(state);
    return barOf(state, rows, 20, { chosen: chosen === undefined ? undefined : rows[chosen] }).buttons.map((one) => `${one.isMain ? "*" : ""}${one.isInert ? "-" : ""}${one.label}`);
  };
  const fresh = notebook(cells("", "", "", ""), { bundle: next() });
  assert.deepEqual(names(desk(fresh)), ["*Run flow"]);
  assert.deepEqual(names(desk(fresh), 1), ["*Run flow", "Run to clean"]);
  assert.deepEqual(names(desk(fresh, EMPTY, { busy: true })), ["*-Run flow"]);
  assert.equal(barOf(desk(fresh), [], 20, { isStarting: true }).state, "◌ Starting");
  const failed = notebook(cells("Success", "Failed", "TriggerFailed", "Success"), { bundle: next() });
  assert.deepEqual(names(desk(failed)), ["Run flow", "*Resume from failed (2)"]);
  const changed = notebook([...GOOD.slice(0, 3), cell(3, "Success", { dirty: true })], { bundle: next() });
  assert.deepEqual(names(desk(changed)), ["Run flow", "*Bring up to date (1)"]);
  const running = notebook(GOOD, { run: "run-1" });
  assert.deepEqual(names(desk(running, modelOf([], runLook("Running", { started: 1 })))), ["Pause", "Step", "Cancel"]);
  assert.deepEqual(names(desk(running, modelOf([], runLook("Running", { started: 1, paused: true })))), ["*Resume", "Step", "Cancel"]);
});

test("values that no run has had are told of where results of others are shown", () => {
  const edited = ["days", "year"];
  const ran = desk(notebook([cell(0, "Success"), cell(1, "Success")]));
  const said = (state: DeskState, names: readonly string[]): string => barOf(state, rowsOf(state), 0, { edited: names }).said;
  assert.equal(said(ran, ["days"]), "Not run with this days yet: results are from another value.");
  assert.equal(said(ran, edited), "Not run with these values yet: days, year.");
  assert.equal(said(ran, []), "");
  assert.equal(said(desk(notebook([cell(0, "")])), edited), "", "nothing has run");
});

test("the bar counts what is done and what failed", () => {
  const looks = [look(0, "Success", { ended: 2 }), look(1, "Failed", { ended: 3 }), look(2, "Running", { started: 3 }), look(3, "Pending")];
  const live = desk(notebook(GOOD, { run: "run-1" }), modelOf(looks, runLook("Running", { started: 1 })));
  assert.equal(barOf(live, rowsOf(live), 0).progress, "2/4, 1 failed");
  const over = desk(notebook(cells("Failed", "TriggerFailed", "TriggerFailed", "Success"), { bundle: next() }));
  assert.equal(barOf(over, rowsOf(over), 0).progress, "2/4, 1 failed, 2 not run");
  const fresh = desk(notebook(cells("", ""), { bundle: next() }));
  assert.equal(barOf(fresh, rowsOf(fresh), 0).progress, "4 tasks");
  assert.equal(barOf(fresh, rowsOf(fresh), 0).state, "Not run yet");
});

test("somebody who has never seen a flow is told what it is, and that nothing runs", () => {
  const off = emptyOf(desk(null, EMPTY, { status: "off" }));
  assert.equal(off?.title, "This notebook is not shown as a flow");
  assert.equal(off?.button?.label, "Show as flow");
  assert.match(off?.button?.note ?? "", /Nothing runs/);
  assert.match(emptyOf(desk(null, EMPTY, { status: "no-kernel" }))?.title ?? "", /flights.ipynb has no kernel/);
  assert.equal(emptyOf(desk(null, EMPTY, { status: "opening" }))?.isWaiting, true);
  const missing = emptyOf(desk(null, EMPTY, { status: "broken", said: "ModuleNotFoundError: No module named 'flowbook'" }));
  assert.equal(missing?.code, "%pip install jupyter-flowbook");
  const lacking = emptyOf(desk(null, EMPTY, { status: "broken", said: "This kernel's Python has no flowbook. Install it there." }));
  assert.equal(lacking?.code, missing?.code);
  const broken = emptyOf(desk(null, EMPTY, { status: "broken", said: "The kernel died." }));
  assert.equal(broken?.text, "The kernel died.");
  assert.equal(emptyOf(desk(notebook(GOOD))), null);
  assert.equal(emptyOf(desk(notebook([], { basis: "tasks" })))?.button?.label, "Take all cells");
  assert.equal(emptyOf(desk(notebook([], { basis: "nothing" })))?.button?.label, "Show as flow");
  const run = desk(notebook([], { basis: "nothing", run: "run-1" }), modelOf([], runLook("Success", { started: 1, ended: 2 })));
  assert.equal(emptyOf(run), null, "a run that a cell has started is shown");
  const names = (state: DeskState): string[] => barOf(state, rowsOf(state), 0).buttons.map((button) => button.name);
  assert.deepEqual(names(run), ["run"]);
  const failed = desk(notebook([], { basis: "nothing", run: "run-1" }), modelOf([], runLook("Failed", { started: 1, ended: 2 })));
  assert.deepEqual(names(failed), ["run", "resume-failed"], "it goes on where it failed");
});

test("a field says what it takes, and only what was typed is sent", () => {
  const field = (kind: Field["kind"], more: Partial<Field> = {}): Field => ({
    name: "days", kind, value: "30", required: false, choices: [], hidden: false, about: "", ...more,
  });
  for (const [one, text, wrong] of [
    [field("integer"), "1_000", ""],
    [field("integer"), "3.5", "days takes a whole number, e.g. 30."],
    [field("number"), "1e-3", ""],
    [field("number"), "much", "days takes a number, e.g. 0.5."],
    [field("integer"), "", ""],
    [field("text", { required: true }), "", "days is required."],
    [field("choice", { choices: ["a", "b"] }), "c", "days is one of a, b."],
  ] as const) {
    assert.equal(fieldError(one, text), wrong, `${one.kind} ${JSON.stringify(text)}`);
  }
  const fields = [field("integer"), field("text", { name: "token", value: "", required: true, hidden: true })];
  assert.equal(firstError(fields, new Map())?.field.name, "token");
  assert.deepEqual(parametersOf(fields, new Map([["token", "s3"], ["days", "30"]])), { token: "s3" });

test("a text that a run has taken is no edit any more, so another value in the notebook is shown", () => {
  const held = [field("integer", { value: "500" })];
  const edits = unsent(held, new Map([["days", "500"], ["token", "s3"]]));
  assert.deepEqual([...edits], [["token", "s3"]]);
  assert.ok(!isEdited(field("integer", { value: "200" }), edits));
});
});

test("the inspector tells the history, and why a task runs after another one", () => {
  const [first, last] = historyOf(DETAILS);
  assert.equal(first?.stayed, "0.5 s");
  assert.equal(last?.stayed, "");
  assert.equal(last?.said, "KeyError: 'delay'");
  const reasons = [
    { upstream: "c0", downstream: "c1", text: "reads df" },
    { upstream: "c0", downstream: "c1", text: "both use random" },
  ];
  const state = desk(notebook(GOOD, { bundle: next(), reasons }));
  const rows = rowsOf(state);
  const links = linksOf(state.look as NotebookLook, rows[1] as Row, rows);
  assert.deepEqual(links.before, [{ name: "read", node: 0, cell: "c0", why: "reads df; both use random" }]);
  assert.deepEqual(links.after, [{ name: "plot", node: 2, cell: "c2", why: "" }], "an edge without a reason is listed, too");
});

test("problems that keep a cell from running come first", () => {
  const problem = (text: string, grave: boolean) => ({ cell: "", text, grave, line: null, fixes: [] });
  const all = [problem("a", false), problem("b", true), problem("c", false)];
  assert.deepEqual(sorted(all).map((one) => one.text), ["b", "a", "c"]);
  assert.equal(problemsTitle(all), "1 problem, 2 notes");
  assert.equal(othersText(LOOK), "Shared by all: imports");
});

test("a log is shown without terminal colours, and not without end", () => {
  assert.equal(plain("\x1b[31mred\x1b[0m\nline"), "red\nline");
  const long = plain(`${"x".repeat(200_000)}end`);
  assert.ok(long.length < 110_000);
  assert.match(long, /^… 100003 characters before\n/);
  assert.match(long, /end$/);
});

test("a conversion says how many cells it would change, and is offered where the flow is the whole document", () => {
  const converted = [cell(0, "", { converted: "%%task read\nx" }), cell(1, "")];
  const look = notebook(converted, { basis: "document" });
  assert.equal(convertible(look), 1);
  assert.equal(
    conversionText(look),
    "1 cell gets %%task on top, or %%flow where tagged parameters. Nothing runs; to take it back, undo in each cell. 1 cell stays as it is.",
  );
  assert.equal(convertible(notebook(converted, { basis: "tasks" })), 0);
});
