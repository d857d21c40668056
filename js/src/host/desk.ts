/**
 * The desk of one notebook in JupyterLab: tells its kernel the document, folds what the kernel tells, and carries out
 * what a person asks for.
 *
 * Nothing is run in a kernel unasked. A notebook that mentions flowbook is linked once its kernel has loaded it; any
 * other is when a person says so, and from then on for as long as that kernel lives.
 */

import type { Channel, Status } from "../channel";
import { dismissed, EMPTY, fold, isOver, type Model, pressed, unanswered } from "../model";
import type { Desk, DeskState, DeskStatus, Wish } from "../panel/desk";
import {
  type Basis,
  type NotebookLook,
  OPEN_CODE,
  type Orders,
  RUN_CODE,
  type TaskDetails,
  type ToView,
  type Verb,
} from "../protocol";
import { soon, type Turn } from "../turns";
import { Bell } from "./bell";
import { documentOf, idOf, mentionsFlowbook } from "./cells";
import { type KernelLink, linkTo } from "./link";
import { OutputsWriter } from "./outputs";
import { recall, remember } from "./remembered";
import { inRun, nodeOf, notRun, ranByHand, shownAs } from "./standing";

/** A document is told when nobody has typed for this many milliseconds, and at the latest after the second number. */
const TYPING = 300;
const TYPED = 1200;
/** Milliseconds before an unanswered message is sent again; doubled each time, up to the last. */
const FIRST_PATIENCE = 300;
const LAST_PATIENCE = 10_000;
/** A kernel that listens answers within this many milliseconds. */
const ANSWER_TIME = 700;
/** How long a refusal stays to be read. */
const READING_TIME = 8000;

/** What a desk needs of the application around. */
export interface Around {
  /** Bring a notebook to the front. */
  show(panel: NotebookPanel): void;
}

/** How a run ended, for those who tell a person who looks elsewhere. */
export interface Ending {
  readonly desk: NotebookDesk;
  readonly model: Model;
}

export class NotebookDesk implements Desk {
  /** Rung at every change, at once; `listen` is the quieter way. */
  readonly changed = new Bell();
  readonly ended = new Bell<Ending>();
  private readonly ears = new Set<Turn>();
  private readonly outputs: OutputsWriter;
  private kernel: KernelConnection | null = null;
  private link: KernelLink | null = null;
  private stopListening: (() => void) | null = null;
  private status: DeskStatus = "no-kernel";
  private said = "";
  private look: NotebookLook | null = null;
  private model: Model = EMPTY;
  /** What is typed into the panel's form for this notebook; null where no panel has shown it. */
  form: (() => Readonly<Record<string, string>> | null) | null = null;
  private chosen: number | null = null;
  private details: TaskDetails | null = null;
  private isBusy = false;
  /** What a person chose, and null as long as nobody did. */
  private basis: Basis | null = null;
  private cells: NotebookModel | null = null;
  private told = "";
  private telling: ReturnType<typeof setTimeout> | null = null;
  /** When the document changed first since it was told, and when last. */
  private readonly typed = { first: 0, last: 0 };
  private question = 0;
  /** A person asked on this page to see this notebook as a flow. */
  private isAsked = false;
  /** The kernel restarted, or is another one: what a person asked for is opened there too. */
  private isReopening = false;
  private isToKnockAgain = false;

  constructor(
    readonly panel: NotebookPanel,
    private readonly around: Around,
  ) {
    this.outputs = new OutputsWriter(() => this.cells?.cells ?? []);
    panel.sessionContext.kernelChanged.connect(this.onKernel);
    panel.content.modelChanged.connect(this.onModel);
    panel.content.activeCellChanged.connect(this.onActiveCell);
    panel.context.pathChanged.connect(this.onContent);
    this.onModel();
    this.onKernel();
    // A notebook's cells may come after its kernel.
    void panel.context.ready.then(() => this.linkIfDue());
  }

  get state(): DeskState {
    const { status, title, look, model, chosen, details, isBusy: busy, said } = this;
    return { status, title, look, model, chosen, details, busy, said };
  }

  get title(): string {
    return this.panel.context.path.split("/").at(-1) ?? "";
  }

  get isDisposed(): boolean {
    return this.panel.isDisposed;
  }

  listen(ear: () => void): () => void {
    const turn = soon(ear);
    this.ears.add(turn);
    return () => {
      turn.forget();
      this.ears.delete(turn);
    };
  }

  async open(basis: Basis): Promise<void> {
    this.basis = basis;
    this.isAsked = true;
    await this.panel.sessionContext.ready; // a notebook that was opened a moment ago has its kernel later
    const { kernel } = this;
    if (kernel === null) return this.say("This notebook has no kernel. Choose one, then show it as a flow.");
    remember(kernel.id, basis);
    if (this.status === "on") return this.tell(true);
    await this.openKernel(kernel);
  }

  async run(orders: Wish): Promise<void> {
    const { kernel } = this;
    if (kernel === null || this.isBusy) return;
    this.isBusy = true;
    this.say("");
    await this.toldAll();
    // by the time the kernel is free, another notebook of this kernel may have told its cells
    const named: Orders = { ...orders, notebook: this.title };
    const code = RUN_CODE.replace("{}", () => JSON.stringify(JSON.stringify(named)));
    try {
      const reply = await execute(kernel, code, false);
      if (reply?.content.status === "error") this.say(sentenceOf(reply));
    } catch {
      this.say("The kernel went away while the flow ran.");
    } finally {
      this.isBusy = false;
      this.news();
    }
  }

  command(verb: Verb, node = -1): void {
    const run = this.model.picture?.run;
    if (run === undefined || this.link === null) return;
    const id = crypto.randomUUID();
    this.model = pressed(this.model, id, verb);
    this.channelOfAll()?.send({ type: "command", run, id, verb, node });
    this.later(ANSWER_TIME, (model) => unanswered(model, id));
    this.news();
  }

  choose(node: number | null): void {
    if (node === this.chosen) return;
    this.chosen = node;
    this.details = null;
    this.askDetails();
    this.news();
  }

  refresh(): void {
    this.askDetails();
  }

  reveal(cell: string): void {
    const { content } = this.panel;
    const index = content.widgets.findIndex((widget) => idOf(widget.model) === cell);
    if (index < 0) return;
    this.around.show(this.panel);
    content.deselectAll();
    content.activeCellIndex = index;
    void content.scrollToItem?.(index, "smart")?.catch(() => undefined); // the cell may be gone by then
    content.activate();
  }

  rewrite(cell: string, source: string): void {
    const shared = this.cellModel(cell)?.sharedModel;
    if (shared === undefined || shared.getSource() === source) return;
    shared.transact(() => shared.setSource(source));
  }

  convert(): void {
    const cells = (this.look?.cells ?? []).filter((cell) => cell.converted !== "");
    for (const cell of cells) this.rewrite(cell.cell, cell.converted);
    if (cells.length > 0) void this.open("tasks");
  }

  channel(run: string): Channel | null {
    return this.link?.channel(run) ?? null;
  }

  async interrupt(): Promise<void> {
    await this.kernel?.interrupt();
  }

  /** A cell has been executed: the kernel may know flowbook now. */
  executed(): void {
    // An attempt that is on its way began before that cell, and may come back from a kernel that did not know us then.
    this.isToKnockAgain = this.status === "opening";
    this.linkIfDue();
  }

  dispose(): void {
    this.leaveKernel();
    this.watchCells(null);
    this.outputs.dispose();
    for (const turn of this.ears) turn.forget();
    this.ears.clear();
    if (this.telling !== null) clearTimeout(this.telling);
    this.panel.sessionContext.kernelChanged.disconnect(this.onKernel);
    this.panel.content.modelChanged.disconnect(this.onModel);
    this.panel.content.activeCellChanged.disconnect(this.onActiveCell);
    this.panel.context.pathChanged.disconnect(this.onContent);
  }

  // ---------------------------------------------------------------- the kernel

  private readonly onKernel = (): void => {
    const kernel = this.panel.sessionContext.session?.kernel ?? null;
    if (kernel === this.kernel) return;
    this.leaveKernel();
    this.kernel = kernel;
    this.status = kernel === null ? "no-kernel" : "off";
    if (kernel !== null) {
      this.link = linkTo(kernel);
      this.basis ??= recall(kernel.id);
      kernel.statusChanged.connect(this.onKernelStatus);
      if (this.isAsked) this.isReopening = true;
      else this.linkIfDue();
    }
    this.news();
  };

  private leaveKernel(): void {
    this.kernel?.statusChanged.disconnect(this.onKernelStatus);
    this.stopListening?.();
    this.stopListening = null;
    this.link = null;
    this.kernel = null;
    this.forget();
  }

  /** After a restart, and in another kernel, nothing of ours is there. What a person chose to see as a flow still is one. */
  private readonly onKernelStatus = (_: unknown, status: string): void => {
    if (status === "restarting" || status === "autorestarting") {
      this.isReopening = this.basis !== null;
      this.isBusy = false;
      this.news();
    }
    if (status !== "idle" || !this.isReopening || this.kernel === null) return;
    this.isReopening = false;
    if (this.basis !== null) remember(this.kernel.id, this.basis);
    void this.openKernel(this.kernel);
  };

  private linkIfDue(): void {
    if (this.kernel === null || this.status === "on" || this.status === "opening" || this.panel.isDisposed) return;
    const isWanted = this.basis !== null || mentionsFlowbook(this.cells?.cells ?? []);
    if (isWanted) this.knock();
  }

  private knock(): void {
    const channel = this.channelOfAll();
    if (channel === null || this.link === null) return;
    if (this.stopListening === null) {
      this.stopListening = channel.listen({ hear: (message) => this.hear(message), turn: (status) => this.onLink(status) });
    } else {
      this.link.knock();
    }
  }

  private async openKernel(kernel: KernelConnection): Promise<void> {
    const { language_info: language } = await kernel.info;
    if (language?.name !== undefined && language.name !== "python") {
      return this.fail(`Flows need a Python kernel; this notebook's speaks ${language.name}.`);
    }
    this.status = "opening";
    this.say(kernel.status === "busy" ? "The kernel runs a cell; the flow is shown when it has ended." : "");
    try {
      const reply = await execute(kernel, OPEN_CODE, true);
      if (kernel !== this.kernel) return;
      if (reply?.content.status === "error") return this.fail(openingTrouble(reply));
    } catch {
      return this.fail("The kernel went away before it could be asked. Restart it, then show the notebook as a flow.");
    }
    this.said = "";
    this.knock();
  }

  private fail(sentence: string): void {
    this.status = "broken";
    this.say(sentence);
  }

  private onLink(status: Status): void {
    if (status === "open") this.tell(true);
    if (status === "opening" && this.status !== "on") this.status = "opening";
    if (status === "closed") {
      this.status = this.kernel === null ? "no-kernel" : this.status === "broken" ? "broken" : "off";
      this.forget();
    }
    if (status !== "opening") {
      const isDue = this.isToKnockAgain && status === "closed";
      this.isToKnockAgain = false;
      if (isDue) setTimeout(() => this.linkIfDue()); // not from inside of the link's own closing
    }
    this.news();
  }

  /** What a kernel told is worth nothing without it. */
  private forget(): void {
    this.look = null;
    this.model = EMPTY;
    this.chosen = null;
    this.details = null;
    this.told = "";
    this.question += 1;
  }

  private channelOfAll(): Channel | null {
    return this.link?.everything() ?? null;
  }

  // ---------------------------------------------------------------- the document

  private readonly onModel = (): void => {
    this.watchCells(this.panel.content.model);
    this.onContent();
  };

  private watchCells(cells: NotebookModel | null): void {
    this.cells?.contentChanged.disconnect(this.onContent);
    this.cells = cells;
    cells?.contentChanged.connect(this.onContent);
  }

  /** Something in the notebook changed, an output perhaps: look at it when the person pauses. */
  private readonly onContent = (): void => {
    if (this.status !== "on" && this.status !== "opening") return;
    this.typed.last = Date.now();
    if (this.telling !== null) return; // a run changes hundreds of cells: no timer is set anew for each of them
    this.typed.first = this.typed.last;
    this.telling = setTimeout(this.tellWhenQuiet, TYPING);
  };

  private readonly tellWhenQuiet = (): void => {
    const due = Math.min(this.typed.last + TYPING, this.typed.first + TYPED) - Date.now();
    if (due <= 0) this.tell(false);
    else this.telling = setTimeout(this.tellWhenQuiet, due);
  };

  /** Tell the kernel the document: if it changed, or in any case. The answer is the look of all of it. */
  private tell(inAnyCase: boolean): void {
    if (this.telling !== null) clearTimeout(this.telling);
    this.telling = null;
    if (this.cells === null || this.link === null || this.panel.isDisposed) return;
    const document = documentOf(this.title, this.cells.cells, this.basis);
    const text = JSON.stringify(document);
    if (!inAnyCase && text === this.told) return;
    this.told = text;
    this.ask(++this.question, FIRST_PATIENCE, () => this.channelOfAll()?.send(document));
  }

  /** What was typed a moment ago counts: the kernel has taken it in once it answers. */
  private async toldAll(): Promise<void> {
    const question = this.question;
    this.tell(false);
    const deadline = Date.now() + ANSWER_TIME;
    while (this.question === question + 1 && Date.now() < deadline) await new Promise((go) => setTimeout(go, 10));
  }

  /** Send, and again after a while as long as nothing was heard: a message may be lost, or late in the main shell. */
  private ask(question: number, patience: number, send: () => void): void {
    if (question !== this.question) return;
    send();
    if (patience <= LAST_PATIENCE) setTimeout(() => this.ask(question, 2 * patience, send), patience);
  }

  // ---------------------------------------------------------------- what the kernel tells

  private hear(message: ToView): void {
    switch (message.type) {
      case "notebook":
        return this.hearLook(message);
      case "task":
        return this.hearDetails(message);
      case "outputs":
        return this.outputs.take(message);
      default:
        return this.hearOfRun(message);
    }
  }

  private hearLook(look: NotebookLook): void {
    if (look.notebook !== this.title) return; // another notebook has the same kernel
    if (this.look !== null && look.seq < this.look.seq) return;
    this.question += 1; // answered
    const before = this.look;
    this.look = look;
    this.status = "on";
    if (look.run !== (this.model.picture?.run ?? "")) {
      this.model = EMPTY;
      if (look.run !== "") this.askRun();
    }
    if (before === null || before.bundle !== look.bundle) this.onActiveCell();
    this.askDetails();
    this.news();
  }

  private hearOfRun(message: ToView): void {
    if (this.look === null || message.run !== this.look.run) return;
    if (message.type !== "picture" && this.model.picture === null) return;
    const before = this.model;
    const { model, ask } = fold(before, message, Date.now() / 1000);
    this.model = model;
    if (ask) this.askRun();
    if (message.type === "acknowledged" && !message.ok) this.later(READING_TIME, (m) => dismissed(m, message.id));
    if (before.picture !== model.picture) this.onActiveCell();
    if (this.chosen !== null && before.looks.get(this.chosen) !== model.looks.get(this.chosen)) this.askDetails();
    // A run that had ended before this page heard of it is no news.
    if (before.seq !== null && !isOver(before.flow) && isOver(model.flow)) this.ended.ring({ desk: this, model });
    if (model !== before) this.news();
  }

  private askRun(): void {
    this.channelOfAll()?.send({ type: "ask", run: this.look?.run ?? "" });
  }

  /** The kernel knows tasks by their numbers in a run; the picture that is shown may be newer and number them anew. */
  private askDetails(): void {
    const { look, chosen } = this;
    if (chosen === null || look === null) return;
    const node = inRun(this.state, chosen);
    const source = (cell: string): string | undefined => this.cellModel(cell)?.sharedModel.getSource();
    const byHand = ranByHand(this.state, chosen, source);
    if (byHand !== null) this.details = byHand;
    else if (node === null) this.details = notRun(this.state, chosen, source);
    else this.channelOfAll()?.send({ type: "ask-task", run: look.run, node });
  }

  private hearDetails(details: TaskDetails): void {
    const { look, chosen } = this;
    if (look === null || chosen === null || details.run !== look.run || details.node !== inRun(this.state, chosen)) return;
    if (ranByHand(this.state, chosen, () => "") !== null) return; // it was run by hand while the kernel answered
    this.details = { ...details, node: chosen, cause: shownAs(this.state, details.cause) ?? -1 };
    this.news();
  }

  private readonly onActiveCell = (): void => {
    const cell = this.panel.content.activeCell?.model.id;
    if (this.look === null || cell === undefined) return;
    const node = nodeOf(this.state, cell);
    if (node !== null) this.choose(node);
  };

  // ---------------------------------------------------------------- small things

  private cellModel(cell: string): CellModel | null {
    for (const model of this.cells?.cells ?? []) if (idOf(model) === cell) return model;
    return null;
  }

  private say(sentence: string): void {
    this.said = sentence;
    this.news();
  }

  private later(milliseconds: number, change: (model: Model) => Model): void {
    setTimeout(() => {
      this.model = change(this.model);
      this.news();
    }, milliseconds);
  }

  private news(): void {
    for (const turn of this.ears) turn.want();
    this.changed.ring();
  }
}

function execute(kernel: KernelConnection, code: string, silent: boolean): Promise<ExecuteReply | undefined> {
  const request = { code, silent, store_history: false, stop_on_error: false, allow_stdin: false };
  return kernel.requestExecute(request).done;
}

function sentenceOf(reply: ExecuteReply): string {
  const { ename, evalue } = reply.content;
  return evalue === undefined || evalue === "" ? (ename ?? "The kernel refused, without a reason.") : evalue;
}

function openingTrouble(reply: ExecuteReply): string {
  if (reply.content.ename !== "ModuleNotFoundError") return sentenceOf(reply);
  return "This kernel's Python has no flowbook. Install it there (pip install jupyter-flowbook), then try again.";
}
