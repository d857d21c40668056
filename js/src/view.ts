/**
 * One view of one flow or run: folds what it hears, and brings the page up to it at most once a frame.
 *
 * Hosts mount it in an element of theirs, give it the saved bundle if there is one, and a channel if somebody may be
 * at the other end. Everything stands in a shadow root, so the page's CSS and ours never meet.
 */

import type { Channel, Status } from "./channel";
import { ChildrenList, MOST_ROWS } from "./children";
import { Details } from "./details";
import { CALM, followed, LEFT_ALONE } from "./follow";
import type { Box } from "./geometry";
import { Header, type Situation } from "./header";
import { STYLE } from "./look";
import {
  dismissed,
  EMPTY,
  fold,
  foldBundle,
  isOver,
  isRunning,
  type Model,
  pressed,
  speaksOurProtocol,
  unanswered,
} from "./model";
import { Announcer, claims, Navigator } from "./navigate";
import { Painter, readDrawing } from "./paint";
import { type Bundle, type Children, type Picture, PROTOCOL, type Snapshot, type ToView, type Verb, type Which } from "./protocol";
import { Stage } from "./stage";
import { stillHtml } from "./still";
import { watchTheme } from "./theme";
import { setText } from "./touch";
import { soon } from "./turns";
import chrome from "./view.css";
import { beginning } from "./walk";
import { sentenceParts, summary } from "./words";

/** A kernel that listens answers in a few hundredths of a second; after this many milliseconds it does not listen. */
const ANSWER_TIME = 700;
/** Milliseconds before an unanswered question is asked again; doubled each time, up to the last. */
const FIRST_PATIENCE = 300;
const LAST_PATIENCE = 10_000;
/** How long a refusal stays to be read, in milliseconds. */
const READING_TIME = 8000;
/** Clocks move five times a second. */
const TICK = 200;

export interface View {
  /** Take the bundle of the output again; a running picture is never turned back by an older one. */
  update(bundle: Bundle): void;
  /**
   * Listen to another channel, or to none; `run` is the one it tells of, when that is not what is shown. `known`: the host's
   * fold of all that this channel has told until now, so that nothing needs to be asked for.
   */
  connect(channel: Channel | null, run?: string, known?: Model): void;
  /** Choose a node, or none, on behalf of the host: it is brought into sight, and the host is not told. */
  select(node: number | null): void;
  /** What a host should save of a run that has ended, or null while there is nothing better than its bundle. */
  ending(): Ending | null;
  dispose(): void;
}

export interface Ending {
  readonly picture: Picture;
  readonly snapshot: Snapshot;
  readonly children: readonly Children[];
  readonly html: string;
}

/** A host that says everything else itself, and wants the picture alone. */
export interface Surroundings {
  /** A person chose this node, or none. */
  choose(node: number | null): void;
  /** A person wants to go where this node comes from: Enter or a double click. */
  open(node: number): void;
  /** The picture would be read at this height without scrolling; it is told again when that changes. */
  room(height: number): void;
}

/** `onEnd` is called when a channel tells that the run has ended. */
export function mount(
  host: HTMLElement,
  bundle: Bundle | null = null,
  onEnd: () => void = () => undefined,
  around: Surroundings | null = null,
): View {
  const view = new LiveView(host, onEnd, around);
  if (bundle !== null) view.update(bundle);
  return view;
}

class LiveView implements View {
  private readonly page: Document;
  private readonly root: HTMLElement;
  private readonly header: Header;
  private readonly notice: HTMLElement;
  private readonly stage: Stage;
  private readonly navigator: Navigator;
  private readonly details: Details;
  private readonly children: ChildrenList;
  private readonly sentence: HTMLElement;
  private readonly announcer: Announcer;
  private readonly sight: IntersectionObserver;
  private readonly stopTheme: () => void;
  private painter: Painter | null = null;
  private drawn: Picture | null = null;
  private model: Model = EMPTY;
  private channel: Channel | null = null;
  private stopListening: () => void = () => undefined;
  private status: Status = "none";
  private hasSpoken = false;
  /** The run that the channel tells of, if the host said so. */
  private wanted = "";
  /** What the host knows of the run that is connected to, until its channel has said how it is. */
  private known: Model | null = null;
  /** The run whose end the picture has followed to, and when it was moved by itself last. */
  private ended = "";
  private moved = 0;
  /** The host has chosen; it need not be told. */
  private isTold = false;
  /** The channel could not be opened in reasonable time: a kernel without subshells is busy with a cell. */
  private isDeaf = false;
  private isSeen = true;
  private readonly painting = soon(() => this.paint());
  private ticker: ReturnType<typeof setInterval> | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly onEnd: () => void,
    private readonly around: Surroundings | null,
  ) {
    const page = host.ownerDocument;
    this.page = page;
    const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    dress(shadow, page);
    this.root = element(page, "section", "fb-root");
    this.header = new Header(page, {
      command: (verb) => this.command(verb),
      interrupt: () => void this.channel?.interrupt?.(),
    });
    this.notice = element(page, "p", "fb-notice");
    this.stage = new Stage(page, (sight, scale) => this.onStage(sight, scale), around !== null);
    this.root.toggleAttribute("data-bare", around !== null);
    const moves = {
      reveal: (box: Box) => {
        this.stage.touch();
        this.stage.reveal(box);
      },
      choose: (node: number | null) => this.choose(node),
      enter: (node: number) => (around === null ? this.children.enter() : around.open(node)),
      zoom: (factor: number) => this.stage.zoomBy(factor),
      fit: () => this.stage.toggleFit(),
    };
    this.navigator = new Navigator(page, moves, around !== null);
    this.details = new Details(page, () => this.navigator.choose(null));
    this.children = new ChildrenList(page, {
      ask: (node, which) => this.askChildren(node, which),
      leave: () => this.navigator.leave(),
    });
    this.sentence = element(page, "p", "fb-sentence");
    this.announcer = new Announcer(page);
    this.stage.element.append(this.navigator.searchBox);
    const parts = [this.header, this.stage, this.details, this.children, this.announcer].map((part) => part.element);
    this.root.append(...parts);
    this.header.element.after(this.notice);
    this.children.element.after(this.sentence);
    shadow.replaceChildren(this.root);
    this.stopTheme = watchTheme(page, (theme) => this.root.setAttribute("data-theme", theme));
    this.sight = new IntersectionObserver((entries) => this.onSight(entries.at(-1)?.isIntersecting ?? true), {
      rootMargin: "200px",
    });
    this.sight.observe(host);
    page.addEventListener("visibilitychange", this.schedule);
    page.defaultView?.addEventListener("keydown", this.onAnyKey, true);
  }

  update(bundle: Bundle): void {
    // Flows that have not run have no events, so none of them is older than another.
    this.model = foldBundle(bundle.run === "" ? EMPTY : this.model, bundle, now());
    // What is saved should be there with the rest of the page, not a frame later.
    this.paint();
  }

  connect(channel: Channel | null, run = "", known: Model | null = null): void {
    this.stopListening();
    this.channel = channel;
    this.wanted = run;
    this.status = "none";
    this.hasSpoken = false;
    this.known = known;
    this.stopListening =
      channel?.listen({ hear: (message) => this.hear(message), turn: (status) => this.turn(status) }) ??
      (() => undefined);
    this.schedule();
  }

  select(node: number | null): void {
    this.quietly(() => this.navigator.select(node));
  }

  ending(): Ending | null {
    const { picture, flow, seq, at, looks, children } = this.model;
    if (picture === null || seq === null || this.painter === null || !isOver(flow)) return null;
    this.paint();
    this.painter.complete();
    const snapshot: Snapshot = { type: "snapshot", run: picture.run, seq, at, flow, nodes: [...looks.values()] };
    return { picture, snapshot, children: [...children.values()], html: stillHtml(this.painter.svg, summary(this.model)) };
  }

  dispose(): void {
    this.stopListening();
    this.stopTheme();
    this.sight.disconnect();
    this.stage.dispose();
    this.announcer.dispose();
    this.children.dispose();
    this.status = "none";
    this.page.removeEventListener("visibilitychange", this.schedule);
    this.page.defaultView?.removeEventListener("keydown", this.onAnyKey, true);
    this.painting.forget();
    this.painter?.dispose();
    if (this.ticker !== null) clearInterval(this.ticker);
    this.host.shadowRoot?.replaceChildren();
  }

  private hear(message: ToView): void {
    const wasOver = isOver(this.model.flow);
    const isFirst = !this.hasSpoken;
    this.hasSpoken = true;
    const { model, ask } = fold(this.model, message, now());
    const isNews = model !== this.model;
    this.model = model;
    if (ask) this.ask();
    if (message.type === "acknowledged" && !message.ok) this.later(READING_TIME, (m) => dismissed(m, message.id));
    if (isNews || isFirst) this.schedule();
    if (!wasOver && isOver(model.flow)) this.onEnd();
  }

  /** The channel opened, closed or lost its kernel. Whoever comes back has missed something, so it asks. */
  private turn(status: Status): void {
    this.status = status;
    this.hasSpoken = false;
    this.isDeaf = false;
    if (this.known !== null) this.takeKnown(this.known, status);
    if (status === "open") this.askUntilAnswered(FIRST_PATIENCE);
    if (status === "opening") setTimeout(() => this.despair(), ANSWER_TIME);
    this.schedule();
  }

  /** A picture of hundreds of tasks is half a megabyte; what the host has of it is not sent a second time. */
  private takeKnown(known: Model, status: Status): void {
    this.known = null;
    this.model = known;
    this.hasSpoken = status === "open" && known.seq !== null;
  }

  private despair(): void {
    this.isDeaf = this.status === "opening";
    this.schedule();
  }

  /**
   * Ask, and again after a while as long as nothing was heard. A message that is sent before its subshell is there goes to
   * the main shell, where it waits for the running cell; the next one does not. Asking twice does no harm.
   */
  private askUntilAnswered(patience: number): void {
    if (this.status !== "open" || this.hasSpoken) return;
    this.ask();
    const { channel } = this;
    if (patience <= LAST_PATIENCE) {
      setTimeout(() => this.channel === channel && this.askUntilAnswered(2 * patience), patience);
    }
  }

  private ask(): void {
    this.channel?.send({ type: "ask", run: this.wanted || (this.model.picture?.run ?? "") });
  }

  private onStage(sight: Box, scale: number): void {
    this.painter?.show(sight, scale);
    this.around?.room(this.stage.wanted);
  }

  private choose(node: number | null): void {
    this.details.choose(node);
    this.children.choose(node);
    if (!this.isTold) this.around?.choose(node);
  }

  /** Do something that chooses a node without telling the host, which knows. */
  private quietly(act: () => void): void {
    this.isTold = true;
    act();
    this.isTold = false;
  }

  private askChildren(node: number, which: Which): boolean {
    const { picture } = this.model;
    if (picture === null || this.channel === null || !this.situation().connected) return false;
    this.channel.send({ type: "ask-children", run: picture.run, node, which, offset: 0, limit: MOST_ROWS });
    return true;
  }

  private command(verb: Verb): void {
    const run = this.model.picture?.run;
    if (run === undefined || this.channel === null) return;
    const id = crypto.randomUUID();
    this.model = pressed(this.model, id, verb);
    if (this.isDeaf) this.model = unanswered(this.model, id);
    this.channel.send({ type: "command", run, id, verb, node: -1 });
    this.later(ANSWER_TIME, (model) => unanswered(model, id));
    this.schedule();
  }

  private later(milliseconds: number, change: (model: Model) => Model): void {
    setTimeout(() => {
      this.model = change(this.model);
      this.schedule();
    }, milliseconds);
  }

  /**
   * JupyterLab takes keys from the document before we see them, and sees our search box as a plain element: typing "dd"
   * there would delete the cell. It leaves alone what carries this attribute, which we set just for keys of ours.
   */
  private readonly onAnyKey = (event: KeyboardEvent): void => {
    const isInside = event.composedPath().includes(this.host);
    this.host.toggleAttribute("data-lm-suppress-shortcuts", isInside && claims(event));
  };

  private onSight(isSeen: boolean): void {
    this.isSeen = isSeen;
    if (isSeen) this.schedule();
    else this.keepTicking();
  }

  /** Paint before the next frame. Out of sight nothing is painted; messages are folded all the same. */
  private readonly schedule = (): void => {
    this.keepTicking();
    if (this.isSeen && !this.page.hidden) this.painting.want();
  };

  private paint(): void {
    const { model } = this;
    this.adopt(model.picture);
    this.painter?.paint(model, now());
    if (this.around === null) this.header.paint(model, this.situation());
    this.root.toggleAttribute("data-abandoned", this.situation().abandoned);
    if (this.around === null) this.details.paint(model, now());
    this.children.paint(model, now());
    this.paintWords();
    this.follow();
    this.keepTicking();
  }

  /** Keep what runs in sight, and show what failed when the run ends; somebody who moves the picture is not disturbed. */
  private follow(): void {
    const { model, painter } = this;
    if (this.around === null || painter === null || model.seq === null) return;
    const end = isOver(model.flow) ? (model.picture?.run ?? "") : "";
    const isDone = end !== "" && end === this.ended;
    if (isDone || now() < this.stage.touched + LEFT_ALONE || (end === "" && now() < this.moved + CALM)) return;
    this.ended = end;
    this.moved = now();
    const box = followed(model, painter.boxes, this.stage.seen);
    if (box !== null) this.stage.reveal(box);
  }

  private adopt(picture: Picture | null): void {
    if (picture === null || picture === this.drawn) return;
    // The same drawing of another run: it is painted anew, and not read again, which takes a frame or two when it is large.
    const isSameText = this.drawn?.svg === picture.svg;
    this.drawn = picture;
    if (isSameText && this.painter !== null) return;
    try {
      const drawing = readDrawing(picture);
      // The final picture of a run differs in its colours only, and those are painted: keep place, zoom and focus.
      if (this.painter?.fits(drawing)) return;
      this.painter?.dispose();
      const painter = new Painter(this.page, drawing, this.model.cards);
      this.painter = painter;
      painter.paint(this.model, now()); // before it is laid out, which is quicker than after
      const sight = { ...painter.sight(), cards: this.model.cards };
      this.stage.show(painter.svg, painter.view, this.navigator.chosenIn(sight.boxes) ?? beginning(sight));
      this.quietly(() => this.navigator.enter(sight, picture.flow));
    } catch (error) {
      this.painter = null;
      // A saved file may hold anything; one unreadable picture must not take the page's other outputs with it.
      console.warn("flowbook: this picture can't be read.", error);
    }
  }

  private paintWords(): void {
    const { model } = this;
    const notice = noticeText(model, this.painter !== null);
    setText(this.notice, notice);
    this.notice.hidden = notice === "";
    if (this.around !== null) return;
    this.sentence.hidden = model.flow.sentence === "";
    const sentence = sentenceParts(model);
    if (this.sentence.textContent !== sentence.subject + sentence.rest) {
      const subject = element(this.page, "strong", "");
      subject.textContent = sentence.subject;
      subject.setAttribute("data-family", sentence.family);
      this.sentence.replaceChildren(subject, sentence.rest);
    }
    if (this.situation().connected) this.announcer.say(() => summary(model), isOver(model.flow));
  }

  private situation(): Situation {
    const connected = this.status === "open" && this.hasSpoken;
    return {
      connected,
      deaf: this.isDeaf && this.channel?.interrupt !== undefined,
      abandoned: isRunning(this.model.flow) && !connected && this.status !== "opening" && this.status !== "open",
      now: now(),
      canInterrupt: this.channel?.interrupt !== undefined,
    };
  }

  /** Tick while something runs, somebody looks, and the kernel is there to say when it ends. */
  private keepTicking(): void {
    const isWanted =
      this.isSeen && !this.page.hidden && this.situation().connected && isRunning(this.model.flow);
    if (isWanted && this.ticker === null) this.ticker = setInterval(() => this.tick(), TICK);
    if (!isWanted && this.ticker !== null) {
      clearInterval(this.ticker);
      this.ticker = null;
    }
  }

  private tick(): void {
    this.painter?.tick(this.model, now());
    if (this.around === null) {
      this.header.tick(this.model, this.situation());
      this.details.paint(this.model, now());
    }
    this.children.tick(this.model, now());
  }
}

function noticeText(model: Model, isDrawn: boolean): string {
  const { picture } = model;
  if (picture === null) return "";
  if (!speaksOurProtocol(picture)) {
    const which = `This picture speaks protocol ${picture.protocol}, this page protocol ${PROTOCOL}.`;
    return `${which} Install the same jupyter-flowbook for kernel and browser, then reload the page.`;
  }
  return isDrawn ? picture.notice : "This output holds a flow whose picture can't be read. Run its cell again.";
}

let sheet: CSSStyleSheet | null = null;

/** All views of a page share one parsed stylesheet. */
function dress(shadow: ShadowRoot, page: Document): void {
  if (sheet === null && page === document) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE + chrome);
  }
  if (sheet !== null) shadow.adoptedStyleSheets = [sheet];
}

function element(page: Document, tag: string, name: string): HTMLElement {
  const made = page.createElement(tag);
  made.className = name;
  return made;
}

function now(): number {
  return Date.now() / 1000;
}
