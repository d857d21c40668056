/** A desk whose notebook and kernel are in this page: for the panel's demo page, its bench, and its tests. */

import type { Channel } from "../src/channel";
import { LocalChannel } from "../src/host/demo";
import { EMPTY, fold, type Model } from "../src/model";
import type { Desk, DeskState, DeskStatus, Wish } from "../src/panel/desk";
import type { Basis, CellLook, Field, NodeCard, NodeLook, NotebookLook, Picture, Problem, Reason, TaskDetails, ToView, Verb } from "../src/protocol";
import { bundleOf, makeScene, Play, type Scene } from "./scene";

export interface Wishes {
  readonly tasks: number;
  readonly tall?: number;
  /** Another picture than the one that is made here. */
  readonly picture?: Picture;
  readonly fields?: readonly Field[];
  readonly problems?: readonly Problem[];
  readonly status?: DeskStatus;
  readonly said?: string;
  readonly title?: string;
  /** Milliseconds between two changes of a run. */
  readonly pace?: number;
}

export const FIELDS: readonly Field[] = [
  { name: "year", kind: "integer", value: "2013", required: false, choices: [], hidden: false, about: "Flights of this year." },
  { name: "threshold", kind: "number", value: "0.25", required: false, choices: [], hidden: false, about: "" },
  { name: "mode", kind: "choice", value: "careful", required: false, choices: ["fast", "careful"], hidden: false, about: "" },
  { name: "with_plots", kind: "boolean", value: "True", required: false, choices: [], hidden: false, about: "Draw them, too." },
  { name: "origins", kind: "json", value: '["EWR", "JFK", "LGA"]', required: false, choices: [], hidden: false, about: "" },
  { name: "token", kind: "text", value: "", required: true, choices: [], hidden: true, about: "Of the weather service." },
];

export const PROBLEMS: readonly Problem[] = [
  { cell: "cell-3", text: "Runs after all cells above it and before all below it, because %run may change any name.", grave: false, line: 1, fixes: [] },
  {
    cell: "cell-1",
    text: "The name 'plnaes' is never made. Did you mean 'planes'?",
    grave: true,
    line: 4,
    fixes: [
      { label: "Write planes", cell: "cell-1", source: "planes.head()" },
      { label: "Leave the cell out", cell: "cell-1", source: "# flowbook: skip\nplnaes.head()" },
    ],
  },
];

const seconds = (): number => Date.now() / 1000;

export class FakeDesk implements Desk {
  state: DeskState;
  /** What was asked of it, for tests. */
  readonly heard: string[] = [];
  readonly scene: Scene;
  play: Play;
  /** What the logs of all tasks hold since. */
  more = "";
  private readonly ears = new Set<() => void>();
  private frame = false;
  private readonly local: LocalChannel;
  private timer: ReturnType<typeof setInterval> | null = null;
  private dirty: ReadonlySet<number> = new Set();
  private edited: ReadonlyMap<string, string> = new Map();
  private runs = 1;
  private moments = new Map<number, { at: number; state: string; message: string }[]>();

  constructor(private readonly wishes: Wishes) {
    const made = makeScene(wishes.tasks, wishes.tall);
    const scene = wishes.picture === undefined ? made : { cards: wishes.picture.nodes, picture: wishes.picture };
    const cards = scene.cards.map((card): NodeCard => ({ ...card, cell: `cell-${card.node}` }));
    this.scene = { cards, picture: { ...scene.picture, nodes: cards } };
    this.play = new Play(this.scene, seconds());
    this.local = new LocalChannel((message): readonly ToView[] => {
      if (message.type === "ask") return [this.picture(), this.snapshot()];
      return [];
    });
    this.state = {
      status: wishes.status ?? "on", title: wishes.title ?? "flights.ipynb", look: null, model: EMPTY, chosen: null,
      details: null, busy: false, said: wishes.said ?? "",
    };
    if (this.state.status === "on") this.state = { ...this.state, look: this.look(false) };
  }

  listen(ear: () => void): () => void {
    this.ears.add(ear);
    return () => this.ears.delete(ear);
  }

  async open(basis: Basis): Promise<void> {
    this.note(`open ${basis}`);
    this.set({ status: "opening" });
    await new Promise((resolve) => setTimeout(resolve, 900));
    this.set({ status: "on", look: this.look(false), said: "" });
  }

  async run(orders: Wish): Promise<void> {
    this.note(`run ${JSON.stringify(orders)}`);
    this.runs += 1;
    const kept = orders.from_failed ? this.play.looks : [];
    this.begin();
    kept.forEach((look, node) => {
      if (look.state === "Success" || look.state === "Cached") this.play.looks[node] = { ...look, state: "Cached", result: "kept" };
    });
    this.dirty = new Set();
    this.set({ busy: true, look: this.look(true) });
    this.hear(this.picture());
    this.hear(this.snapshot());
    await new Promise<void>((resolve) => {
      this.timer = setInterval(() => {
        if (this.play.flow.paused) return;
        this.advance(seconds());
        if (this.play.isOver) resolve();
      }, this.wishes.pace ?? 700);
    });
    if (this.timer !== null) clearInterval(this.timer);
    this.set({ busy: false, look: this.look(true) });
  }

  /** A run that has gone as far as `share` of its tasks, without its time passing. */
  freeze(share: number, isOver: boolean): void {
    this.begin(seconds() - 40);
    let at = seconds() - 40;
    while (!this.play.isOver && this.play.looks.filter((look) => look.ended !== null).length < share * this.scene.cards.length) {
      at += 0.7;
      this.note_moments(this.play.step(at).nodes);
    }
    if (isOver) while (!this.play.isOver) this.note_moments(this.play.step((at += 0.7)).nodes);
    this.set({ look: this.look(true), busy: !isOver });
    this.hear(this.picture());
    this.hear(this.snapshot());
  }

  /** Let the run go on until `at`, and tell. */
  advance(at: number, share = 0.4): void {
    const changes = this.play.step(at, share);
    this.note_moments(changes.nodes);
    this.hear(changes as ToView);
  }

  hear(message: ToView): void {
    const run = this.runName();
    const told = { ...message, run } as ToView;
    const before = this.state.model;
    const model: Model = fold(before, told, seconds()).model;
    this.local.tell(told);
    this.set({ model });
    const { chosen } = this.state;
    if (chosen !== null && before.looks.get(chosen) !== model.looks.get(chosen)) this.refresh();
  }

  command(verb: Verb, node?: number): void {
    this.note(`command ${verb}${node === undefined ? "" : ` ${node}`}`);
    if (verb === "cancel") this.play.cancel(seconds());
    if (verb === "step") this.advance(seconds());
    if (verb === "retry" && node !== undefined) {
      const look = this.play.looks[node];
      if (look !== undefined) this.play.looks[node] = { ...look, state: "Running", attempt: look.attempt + 1, started: seconds(), ended: null, due: null };
    }
    if (verb === "pause" || verb === "resume") this.play.flow = { ...this.play.flow, paused: verb === "pause" };
    this.play.seq += 1;
    setTimeout(() => this.hear(this.snapshot()), 30);
  }

  choose(node: number | null): void {
    this.note(`choose ${node}`);
    if (node === this.state.chosen) return;
    this.set({ chosen: node, details: null });
    this.refresh();
  }

  refresh(): void {
    const { chosen } = this.state;
    if (chosen !== null) setTimeout(() => this.state.chosen === chosen && this.set({ details: this.details(chosen) }), 40);
  }

  reveal(cell: string): void {
    this.note(`reveal ${cell}`);
  }

  convert(): void {
    this.note("convert");
  }

  rewrite(cell: string, source: string): void {
    this.note(`rewrite ${cell} ${source}`);
    this.edited = new Map(this.edited).set(cell, source);
    this.set({ look: this.look(this.runs > 1) });
  }

  /** The cell of this node was edited: it and all that follows are out of date, and the flow would run anew. */
  edit(node: number): void {
    this.dirty = new Set([...this.dirty, node]);
    this.set({ look: this.look(true) });
  }

  channel(): Channel {
    return this.local;
  }

  async interrupt(): Promise<void> {
    this.note("interrupt");
  }

  set(change: Partial<DeskState>): void {
    this.state = { ...this.state, ...change };
    if (this.frame) return;
    this.frame = true;
    requestAnimationFrame(() => {
      this.frame = false;
      for (const ear of this.ears) ear();
    });
  }

  private begin(at = seconds()): void {
    if (this.runs < 2) this.runs = 2;
    this.moments = new Map();
    this.play = new Play(this.scene, at, Math.max(3, Math.round(this.scene.cards.length / 12)));
  }

  private note(text: string): void {
    this.heard.push(text);
  }

  private note_moments(looks: readonly NodeLook[]): void {
    for (const look of looks) {
      const story = this.moments.get(look.node) ?? [{ at: (look.started ?? seconds()) - 0.2, state: "Pending", message: "" }];
      this.moments.set(look.node, [...story, { at: look.ended ?? look.started ?? seconds(), state: look.state, message: look.message }]);
    }
  }

  private runName(): string {
    return `run-${this.runs}`;
  }

  private picture(): ToView {
    return { ...this.scene.picture, run: this.runName() };
  }

  private snapshot(): ToView {
    return { ...this.play.snapshot(seconds()), run: this.runName() };
  }

  private look(hasRun: boolean): NotebookLook {
    const idle = new Play({ cards: this.scene.cards, picture: { ...this.scene.picture, run: "" } }, seconds());
    idle.flow = { ...idle.flow, state: "", started: null };
    const bundle = bundleOf({ cards: this.scene.cards, picture: { ...this.scene.picture, run: "" } }, { ...idle.snapshot(), run: "", nodes: [] }, false);
    const problems = (this.wishes.problems ?? []).filter((problem) => !this.edited.has(problem.cell));
    return {
      type: "notebook", seq: this.heard.length, at: seconds(), notebook: "flights.ipynb", basis: "document", flow: "flights", run: hasRun ? this.runName() : "",
      bundle: hasRun && this.dirty.size === 0 ? null : bundle,
      cells: [...this.scene.cards.map((card) => this.cell(card, hasRun)), ...OTHERS],
      problems, fields: this.wishes.fields ?? [], reasons: this.reasons(),
    };
  }

  private cell(card: NodeCard, hasRun: boolean): CellLook {
    const look = this.play.looks[card.node];
    const told = hasRun && look !== undefined ? look : null;
    const isDirty = this.dirty.has(card.node);
    const isStale = card.upstream.some((from) => this.dirty.has(from) || this.isStale(from));
    const isBad = told !== null && (told.state === "Failed" || told.state === "TriggerFailed");
    return {
      again: told === null ? "it has not run" : isDirty ? "its text has changed" : isBad ? "it did not end well" : isStale ? "something before it was changed, or ran again" : "",
      converted: `%%task\n${card.name}`,
      cell: card.cell, role: "task", name: card.name, node: card.node, state: told?.state ?? "", message: told?.message ?? "",
      attempt: told?.attempt ?? 0, started: told?.started ?? null, ended: told?.ended ?? null,
      dirty: isDirty, stale: isStale,
    };
  }

  private isStale(node: number): boolean {
    return (this.scene.cards[node]?.upstream ?? []).some((from) => this.dirty.has(from) || this.isStale(from));
  }

  private reasons(): readonly Reason[] {
    const edges = this.scene.cards.flatMap((card) => card.upstream.map((from) => [from, card.node] as const));
    return edges.map(([from, to]) => ({
      upstream: `cell-${from}`, downstream: `cell-${to}`,
      text: to % 3 === 2 ? `changes ${this.noun(from)} in place` : `reads ${this.noun(from)}`,
    }));
  }

  private noun(node: number): string {
    return this.scene.cards[node]?.name.split("_")[1] ?? "df";
  }

  private details(node: number): TaskDetails {
    const card = this.scene.cards[node];
    const look = this.play.looks[node];
    const cause = look?.state === "TriggerFailed" ? this.play.looks.findIndex((other) => other.state === "Failed") : -1;
    const isBad = look?.state === "Failed";
    return {
      type: "task", run: this.state.look?.run ?? "", node,
      why: isBad ? "Its body raised HTTPError: 503 on each of its attempts." : cause >= 0 ? "Its trigger is all_successful, and one of the tasks it runs after has failed." : "All tasks it runs after have ended well.",
      moments: this.moments.get(node) ?? [],
      inputs: (card?.upstream ?? []).map((from) => ({ name: this.noun(from), text: "DataFrame, 336,776 rows × 19 columns", origin: this.scene.cards[from]?.name ?? "" })),
      result: look?.state === "Success" ? "DataFrame, 1,204 rows × 6 columns" : "",
      logs: isBad ? "GET https://weather.example/2013\n503 Service Unavailable\nTraceback (most recent call last):\n  Cell In[4], line 3\n    weather = fetch(year)\nHTTPError: 503\n" : `read 336,776 rows\n${this.more}`,
      code: `${this.noun(node)} = (\n    flights.merge(planes, on="tailnum")\n    .groupby("carrier", as_index=False)\n    .agg(delay=("dep_delay", "mean"))\n)\n${this.noun(node)}.head()`,
      cause,
    };
  }
}

const OTHERS: readonly CellLook[] = ["imports", "helpers"].map((name) => ({
  cell: name, role: "shared", name, node: -1, state: "", message: "", attempt: 0, started: null, ended: null, dirty: false, stale: false, again: "", converted: "",
}));
