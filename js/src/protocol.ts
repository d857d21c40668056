// Generated from flowbook/view/protocol.py by `python -m flowbook.view.protocol`. Edit that, not this.

export const PROTOCOL = 2 as const;
export const MIME = "application/vnd.jupyter-flowbook.run.v1+json" as const;
export const COMMAND_TARGET = "jupyter-flowbook.command" as const;
export const FEED_TARGET = "jupyter-flowbook.feed" as const;
export const OPEN_CODE = "__import__('flowbook.notebook.desk', fromlist=['desk']).open_desk()" as const;
export const RUN_CODE = "__import__('flowbook.notebook.desk', fromlist=['desk']).run_orders({})" as const;

export type Kind = "task" | "parameter" | "constant" | "operator" | "collection" | "condition" | "merge" | "resource";

export type Verb = "cancel" | "pause" | "resume" | "step" | "retry";

export type Which = "all" | "failed";

export type Role = "task" | "shared" | "settings" | "outside";

export type Basis = "nothing" | "tasks" | "document";

export type FieldType = "text" | "integer" | "number" | "boolean" | "choice" | "json";

/** What a node is, for as long as its picture lives; a mapped one stands for all its children. */
export interface NodeCard {
  readonly node: number;
  readonly slug: string;
  readonly name: string;
  readonly kind: "task" | "parameter" | "constant" | "operator" | "collection" | "condition" | "merge" | "resource";
  readonly upstream: readonly number[];
  readonly downstream: readonly number[];
  readonly attempts: number;
  readonly mapped: boolean;
  readonly cell: string;
}

/** How a node is right now; times are seconds of the kernel's clock, `due` is when it starts (again). */
export interface NodeLook {
  readonly node: number;
  readonly state: string;
  readonly message: string;
  readonly attempt: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly due: number | null;
  readonly result: string;
  readonly width: number | null;
  readonly counts: Readonly<Record<string, number>> | null;
}

/** How one child of a mapped task is; `index` is its place among the elements. */
export interface ChildLook {
  readonly index: number;
  readonly state: string;
  readonly message: string;
  readonly attempt: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly due: number | null;
  readonly result: string;
}

/** How the flow run is right now; `sentence` is the one line below the picture that answers why. */
export interface RunLook {
  readonly state: string;
  readonly message: string;
  readonly started: number | null;
  readonly ended: number | null;
  readonly paused: boolean;
  readonly sentence: string;
  readonly due: number | null;
}

/** A code cell as it stands in the notebook; `cell` is its id. */
export interface CellText {
  readonly cell: string;
  readonly source: string;
  readonly tags: readonly string[];
}

/** How a cell stands in the flow of its notebook, and how it ended last. */
export interface CellLook {
  readonly cell: string;
  readonly role: "task" | "shared" | "settings" | "outside";
  readonly name: string;
  readonly node: number;
  readonly state: string;
  readonly message: string;
  readonly attempt: number;
  readonly started: number | null;
  readonly ended: number | null;
  readonly dirty: boolean;
  readonly stale: boolean;
  readonly again: string;
  readonly converted: string;
}

/** Something that would mend a problem: a new source for a cell. */
export interface Fix {
  readonly label: string;
  readonly cell: string;
  readonly source: string;
}

/** What keeps a cell from running, or makes it run less freely than it could (`grave` is false then). */
export interface Problem {
  readonly cell: string;
  readonly text: string;
  readonly grave: boolean;
  readonly line: number | null;
  readonly fixes: readonly Fix[];
}

/** A parameter of the flow as a field of a form; `value` is what it holds now, as a person would write it. */
export interface Field {
  readonly name: string;
  readonly kind: "text" | "integer" | "number" | "boolean" | "choice" | "json";
  readonly value: string;
  readonly required: boolean;
  readonly choices: readonly string[];
  readonly hidden: boolean;
  readonly about: string;
}

/** Why one cell runs after another one. */
export interface Reason {
  readonly upstream: string;
  readonly downstream: string;
  readonly text: string;
}

/** One change of a task's state. */
export interface Moment {
  readonly at: number;
  readonly state: string;
  readonly message: string;
}

/** A value by name, shown in a short text; `origin` is the task it comes from. */
export interface Item {
  readonly name: string;
  readonly text: string;
  readonly origin: string;
}

/** What a page has a kernel run by `RUN_CODE`: all of the notebook's flow, or a part of it. */
export interface Orders {
  readonly to: string;
  readonly from_failed: boolean;
  readonly parameters: Readonly<Record<string, string>>;
  readonly notebook: string;
}

/** Everything that does not change during a run: the drawing, what its nodes are, what may be asked. */
export interface Picture {
  readonly type: "picture";
  readonly protocol: number;
  readonly flow: string;
  readonly run: string;
  readonly svg: string;
  readonly nodes: readonly NodeCard[];
  readonly controls: readonly string[];
  readonly notice: string;
}

/** The look of all nodes after event `seq`; `at` is the kernel's now. */
export interface Snapshot {
  readonly type: "snapshot";
  readonly run: string;
  readonly seq: number;
  readonly at: number;
  readonly flow: RunLook;
  readonly nodes: readonly NodeLook[];
}

/** The look of the nodes that changed after `since`; a view that stands elsewhere asks for a snapshot. */
export interface Changes {
  readonly type: "changes";
  readonly run: string;
  readonly seq: number;
  readonly since: number;
  readonly at: number;
  readonly flow: RunLook;
  readonly nodes: readonly NodeLook[];
}

/** The answer to one command: taken or not, and a sentence for the person who pressed the button. */
export interface Acknowledged {
  readonly type: "acknowledged";
  readonly run: string;
  readonly id: string;
  readonly verb: "cancel" | "pause" | "resume" | "step" | "retry";
  readonly ok: boolean;
  readonly at: number;
  readonly said: string;
}

/** Some children of a mapped task, those that need a look first; `total` is how many there are of that sort. */
export interface Children {
  readonly type: "children";
  readonly run: string;
  readonly node: number;
  readonly which: "all" | "failed";
  readonly total: number;
  readonly offset: number;
  readonly rows: readonly ChildLook[];
}

/** The flow of a notebook and all its cells, as they are now. */
export interface NotebookLook {
  readonly type: "notebook";
  readonly seq: number;
  readonly at: number;
  readonly notebook: string;
  readonly basis: "nothing" | "tasks" | "document";
  readonly flow: string;
  readonly run: string;
  readonly bundle: Bundle | null;
  readonly cells: readonly CellLook[];
  readonly problems: readonly Problem[];
  readonly fields: readonly Field[];
  readonly reasons: readonly Reason[];
}

/** Everything about one task run that a person may want to look into; `cause` is the node where trouble began. */
export interface TaskDetails {
  readonly type: "task";
  readonly run: string;
  readonly node: number;
  readonly why: string;
  readonly moments: readonly Moment[];
  readonly inputs: readonly Item[];
  readonly result: string;
  readonly logs: string;
  readonly code: string;
  readonly cause: number;
}

/** What a cell has printed and shown in a run, from the beginning: `outputs` is nbformat's list as JSON text. */
export interface CellOutputs {
  readonly type: "outputs";
  readonly run: string;
  readonly cell: string;
  readonly outputs: string;
  readonly count: number | null;
}

/** The first word of a view: the protocol it speaks and who it is. */
export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
  readonly view: string;
}

/** A view wants the picture and a snapshot of this run. */
export interface Ask {
  readonly type: "ask";
  readonly run: string;
}

/** A view wants to list children of a mapped task: at most `limit` of them, from place `offset` in the list. */
export interface AskChildren {
  readonly type: "ask-children";
  readonly run: string;
  readonly node: number;
  readonly which: "all" | "failed";
  readonly offset: number;
  readonly limit: number;
}

/** A view wants to look into a task run. */
export interface AskTask {
  readonly type: "ask-task";
  readonly run: string;
  readonly node: number;
}

/** A person pressed a button; `id` comes back in the acknowledgement. Only "retry" is about one node. */
export interface Command {
  readonly type: "command";
  readonly run: string;
  readonly id: string;
  readonly verb: "cancel" | "pause" | "resume" | "step" | "retry";
  readonly node: number;
}

/** The code cells of the notebook in document order, when they are first told and whenever they have changed. */
export interface Document {
  readonly type: "document";
  readonly name: string;
  readonly basis: "nothing" | "tasks" | "document";
  readonly cells: readonly CellText[];
}

/** What a saved notebook keeps under our MIME type; `run` is empty for a flow that has not run. */
export interface Bundle {
  readonly protocol: number;
  readonly run: string;
  readonly live: boolean;
  readonly picture: Picture;
  readonly snapshot: Snapshot;
  readonly children: readonly Children[];
}

export type ToView = Picture | Snapshot | Changes | Acknowledged | Children | NotebookLook | TaskDetails | CellOutputs;

export type ToKernel = Hello | Ask | AskChildren | AskTask | Command | Document;
