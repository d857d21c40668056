// Generated from flowbook/view/protocol.py by `python -m flowbook.view.protocol`. Edit that, not this.

export const PROTOCOL = 2 as const;
export const MIME = "application/vnd.jupyter-flowbook.run.v1+json" as const;
export const COMMAND_TARGET = "jupyter-flowbook.command" as const;
export const FEED_TARGET = "jupyter-flowbook.feed" as const;

export type Kind = "task" | "parameter" | "constant" | "operator" | "collection" | "condition" | "merge" | "resource";

export type Verb = "cancel" | "pause" | "resume" | "step";

export type Which = "all" | "failed";

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
  readonly verb: "cancel" | "pause" | "resume" | "step";
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

/** A person pressed a button; `id` comes back in the acknowledgement. */
export interface Command {
  readonly type: "command";
  readonly run: string;
  readonly id: string;
  readonly verb: "cancel" | "pause" | "resume" | "step";
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

export type ToView = Picture | Snapshot | Changes | Acknowledged | Children;

export type ToKernel = Hello | Ask | AskChildren | Command;
