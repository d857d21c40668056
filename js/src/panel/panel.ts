/**
 * The panel "Flow" of one notebook: run bar, picture, problems, tasks, inspector; plain DOM in a shadow root.
 *
 * It holds nothing of its own but what the eye needs (which tab, how tall the picture, what was typed): all else is read
 * from the desk each time it has news, and only what changed is touched.
 */

import { STYLE } from "../look";
import { isOver, kernelTime } from "../model";
import { Announcer } from "../navigate";
import type { Basis } from "../protocol";
import { watchTheme } from "../theme";
import { setAttribute, setText } from "../touch";
import { summary } from "../words";
import { RunBar } from "./bar";
import { barOf, type ButtonName } from "./controls";
import type { Desk } from "./desk";
import { type Maker, maker } from "./dom";
import { emptyOf } from "./empties";
import { Conversion } from "./conversion";
import { ParameterForm } from "./form";
import { Inspector } from "./inspector";
import { PicturePane } from "./pane";
import chrome from "./panel.css";
import { ProblemList } from "./problems";
import { isLive, moves, type Row, RowBook } from "./rows";
import { splitter } from "./splitter";
import { othersText } from "./story";
import { TaskTable } from "./table";
import { Welcome } from "./welcome";

/** Clocks move five times a second. */
const TICK = 200;
/** Seconds between two questions for the log of the chosen task, while it runs and its log is read. */
const LOG_PAUSE = 1;
/** What a flow may be made of; the first two turn into each other, the last one leaves runs that cells start themselves. */
const BASES: readonly (readonly [Basis, string])[] = [
  ["document", "All cells"],
  ["tasks", "Task cells only"],
  ["nothing", "No cells"],
];
/** The picture's share of the room, in percent. */
const PICTURE = 38;

/** Show what the desk knows in `host`, until it is disposed of. */
export function mountPanel(host: HTMLElement, desk: Desk): { dispose(): void } {
  return new Panel(host, desk);
}

class Panel {
  private readonly page: Document;
  private readonly root: HTMLElement;
  private readonly welcome: Welcome;
  private readonly work: HTMLElement;
  private readonly bar: RunBar;
  private readonly form: ParameterForm;
  private readonly picture: PicturePane;
  private readonly problems: ProblemList;
  private readonly table: TaskTable;
  private readonly inspector: Inspector;
  private readonly others: HTMLElement;
  private readonly basis: HTMLSelectElement;
  private readonly conversion: Conversion;
  private readonly announcer: Announcer;
  private readonly book = new RowBook();
  private readonly stops: (() => void)[] = [];
  private rows: readonly Row[] = [];
  private isSeen = true;
  /** The run that was the latest one when our orders went out, while they are out. */
  private before: string | null = null;
  private ticker: ReturnType<typeof setInterval> | null = null;
  /** When the log was last asked for. */
  private asked = 0;

  constructor(
    private readonly host: HTMLElement,
    private readonly desk: Desk,
  ) {
    const page = host.ownerDocument;
    this.page = page;
    const make = maker(page);
    const reveal = (cell: string): void => desk.reveal(cell);
    const choose = (node: number | null): void => desk.choose(node);
    this.welcome = new Welcome(make, desk);
    this.bar = new RunBar(make, (name) => this.press(name));
    this.form = new ParameterForm(make, () => this.paintBar());
    this.picture = new PicturePane(make, desk);
    this.problems = new ProblemList(make, { reveal, mend: (fix) => desk.rewrite(fix.cell, fix.source) });
    this.table = new TaskTable(make, { choose, reveal });
    this.inspector = new Inspector(make, {
      choose,
      reveal,
      retry: (node) => desk.command("retry", node),
      mend: (fix) => desk.rewrite(fix.cell, fix.source),
      turn: () => this.follow(),
    });
    this.others = make("p", "fp-others");
    this.basis = make("select", "fp-basis", ...BASES.map(([basis, text]) => new Option(text, basis)));
    this.basis.setAttribute("aria-label", "What the flow is made of");
    this.basis.addEventListener("change", () => void desk.open(this.basis.value as Basis));
    this.conversion = new Conversion(make, () => desk.convert());
    this.announcer = new Announcer(page);
    this.work = this.arrange(make);
    this.root = make("div", "fb-root fp-root", this.welcome.element, this.work, this.announcer.element);
    const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    shadow.adoptedStyleSheets = [sheetOf()];
    shadow.replaceChildren(this.root);
    this.listen();
    this.paint();
  }

  dispose(): void {
    for (const stop of this.stops) stop();
    this.picture.dispose();
    this.table.dispose();
    this.announcer.dispose();
    this.work.remove();
    if (this.ticker !== null) clearInterval(this.ticker);
    this.host.shadowRoot?.replaceChildren();
  }

  private arrange(make: Maker): HTMLElement {
    const main = make("div", "fp-main-column");
    const line = splitter(make, () => main.getBoundingClientRect(), PICTURE, (share, isWanted) => {
      main.style.setProperty("--fp-share", `${share}%`);
      main.toggleAttribute("data-split", isWanted);
    });
    const foot = make("footer", "fp-foot", this.others, this.conversion.element, this.basis);
    main.append(this.picture.element, line, this.problems.element, this.table.element, foot);
    const body = make("div", "fp-body-columns", main, this.inspector.element);
    return make("div", "fp-work", this.bar.element, this.form.element, body);
  }

  private listen(): void {
    this.stops.push(this.desk.listen(() => this.paint()));
    this.stops.push(watchTheme(this.page, (theme) => this.root.setAttribute("data-theme", theme)));
    const sight = new IntersectionObserver((entries) => {
      this.isSeen = entries.at(-1)?.isIntersecting ?? true;
      this.paint();
    });
    sight.observe(this.host);
    const window = this.page.defaultView;
    const onSight = (): void => this.paint();
    this.page.addEventListener("visibilitychange", onSight);
    window?.addEventListener("keydown", this.onAnyKey, true);
    this.stops.push(() => {
      sight.disconnect();
      this.page.removeEventListener("visibilitychange", onSight);
      window?.removeEventListener("keydown", this.onAnyKey, true);
    });
  }

  /** Bring everything up to the desk. Out of sight nothing is painted; the desk folds all the same. */
  private paint(): void {
    if (!this.isSeen || this.page.hidden) return this.keepTicking();
    const { state } = this.desk;
    const empty = emptyOf(state);
    this.welcome.paint(empty);
    this.work.hidden = empty !== null || state.look === null;
    if (empty !== null || state.look === null) {
      this.rows = [];
      this.picture.dispose();
      this.keepTicking();
      return;
    }
    this.rows = this.book.read(state);
    this.form.paint(state.look.fields, state.title);
    this.paintBar();
    this.desk.lend?.(() => this.form.take());
    this.picture.paint();
    this.problems.paint(state.look.problems, state.look.cells);
    this.table.paint(this.rows, state.chosen, this.time());
    setText(this.others, othersText(state.look));
    setAttribute(this.others, "title", this.others.textContent ?? "");
    this.basis.value = state.look.basis;
    this.conversion.paint(state.look, !state.busy && !isLive(state));
    this.inspect();
    const isEnded = isOver(state.model.flow);
    if (isLive(state) || isEnded) this.announcer.say(() => summary(state.model), isEnded);
    this.keepTicking();
  }

  private paintBar(): void {
    const { state } = this.desk;
    const run = state.look?.run ?? "";
    if (!state.busy) this.before = null;
    else this.before ??= run;
    const bar = { chosen: this.chosen(), isStarting: this.before === run, edited: this.form.edited };
    this.bar.paint(barOf(state, this.rows, now(), bar));
  }

  private inspect(): void {
    const { state } = this.desk;
    const row = this.chosen();
    this.work.toggleAttribute("data-inspecting", row !== undefined);
    if (row === undefined || state.look === null) {
      this.inspector.paint(null);
      return;
    }
    // The answer about the task chosen before is not about this one.
    const details = state.details?.node === row.node && state.details.run === state.look.run ? state.details : null;
    this.inspector.paint({ row, rows: this.rows, look: state.look, details, isLive: isLive(state), time: this.time() });
  }

  /** Ask for the log of the chosen task again while it grows and is read. What changes its state, the desk asks itself. */
  private follow(): void {
    if (!this.inspector.isGrowing || now() < this.asked + LOG_PAUSE) return;
    this.asked = now();
    this.desk.refresh?.();
  }

  private chosen(): Row | undefined {
    const { chosen } = this.desk.state;
    return chosen === null ? undefined : this.rows.find((row) => row.node === chosen);
  }

  private press(name: ButtonName): void {
    const { desk } = this;
    switch (name) {
      case "run":
        return this.run("", false);
      case "resume-failed":
        return this.run("", true);
      case "run-to":
        return this.run(this.chosen()?.cell ?? "", false);
      case "hold":
        return desk.command(desk.state.model.flow.paused ? "resume" : "pause");
      case "step":
      case "cancel":
        return desk.command(name);
      case "interrupt":
        return void desk.interrupt();
      default:
        return name satisfies never;
    }
  }

  private run(to: string, fromFailed: boolean): void {
    const parameters = this.form.take();
    if (parameters !== null) void this.desk.run({ to, from_failed: fromFailed, parameters });
  }

  private time(): number {
    return kernelTime(this.desk.state.model, now());
  }

  /** Tick while something runs and somebody looks. */
  private keepTicking(): void {
    const isMoving = isLive(this.desk.state) || this.rows.some(moves);
    const isWanted = this.isSeen && !this.page.hidden && isMoving && !this.work.hidden;
    if (isWanted && this.ticker === null) this.ticker = setInterval(() => this.tick(), TICK);
    if (!isWanted && this.ticker !== null) {
      clearInterval(this.ticker);
      this.ticker = null;
    }
  }

  private tick(): void {
    this.paintBar();
    this.table.tick(this.time());
    this.inspector.tick(this.time());
    this.follow();
  }

  /**
   * JupyterLab takes keys from the document before we see them, and sees the panel as one plain element: what is typed
   * or walked here must not be a command there. It leaves alone what carries this attribute; Ctrl+S stays its own.
   */
  private readonly onAnyKey = (event: KeyboardEvent): void => {
    const isInside = event.composedPath().includes(this.host);
    const isCommand = event.ctrlKey || event.metaKey || event.altKey || event.key === "Tab" || /^F\d+$/.test(event.key);
    this.host.toggleAttribute("data-lm-suppress-shortcuts", isInside && !isCommand);
  };
}

let sheet: CSSStyleSheet | null = null;

/** All panels of a page share one parsed stylesheet. */
function sheetOf(): CSSStyleSheet {
  if (sheet !== null) return sheet;
  sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE + chrome);
  return sheet;
}

function now(): number {
  return Date.now() / 1000;
}
