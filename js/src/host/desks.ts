/** All desks of a page, one for each notebook, and the one that a person looks at. */

import type { Channel } from "../channel";
import { EMPTY } from "../model";
import type { Desk, DeskState, Wish } from "../panel/desk";
import type { Basis, Verb } from "../protocol";
import { soon } from "../turns";
import { Bell } from "./bell";
import { type Around, type Ending, NotebookDesk } from "./desk";

const NOTHING: DeskState = {
  status: "nothing",
  title: "",
  look: null,
  model: EMPTY,
  chosen: null,
  details: null,
  busy: false,
  said: "",
};

export class Desks {
  /** Rung when something changed at any desk, or another one is current. */
  readonly changed = new Bell<NotebookDesk | null>();
  readonly ended = new Bell<Ending>();
  /** Rung when another cell or notebook is selected. */
  readonly moved = new Bell();
  readonly added = new Bell<NotebookDesk>();
  private readonly known = new Map<NotebookPanel, NotebookDesk>();

  constructor(
    private readonly tracker: NotebookTracker,
    private readonly around: Around,
  ) {
    tracker.forEach((panel) => this.of(panel));
    tracker.widgetAdded.connect((_, panel) => this.of(panel));
    tracker.currentChanged.connect(() => {
      this.changed.ring(this.current);
      this.moved.ring();
    });
    tracker.activeCellChanged.connect(() => this.moved.ring());
  }

  /** The desk of the notebook that has, or had last, the focus. */
  get current(): NotebookDesk | null {
    const panel = this.tracker.currentWidget;
    return panel === null ? null : (this.known.get(panel) ?? null);
  }

  all(): NotebookDesk[] {
    return [...this.known.values()];
  }

  /** The desk of a notebook; a tool bar asks for it before the tracker tells of the notebook. */
  of(panel: NotebookPanel): NotebookDesk {
    return this.known.get(panel) ?? this.add(panel);
  }

  executed(notebook: NotebookWidget): void {
    for (const desk of this.all()) if (desk.panel.content === notebook) desk.executed();
  }

  private add(panel: NotebookPanel): NotebookDesk {
    const desk = new NotebookDesk(panel, this.around);
    this.known.set(panel, desk);
    desk.changed.connect(() => this.changed.ring(desk));
    desk.ended.connect((_, ending) => this.ended.ring(ending));
    panel.disposed.connect(() => {
      this.known.delete(panel);
      desk.dispose();
      this.changed.ring(null);
    });
    this.added.ring(desk);
    this.changed.ring(desk);
    return desk;
  }
}

/** The current desk, whichever that is, for a panel that follows it. While nobody sees the panel, it hears nothing. */
export class FollowingDesk implements Desk {
  private readonly ears = new Set<() => void>();
  private readonly turn = soon(() => this.tell());
  private isSeen = false;

  constructor(private readonly desks: Desks) {
    desks.changed.connect((_, desk) => {
      if (this.isSeen && (desk === null || desk === desks.current)) this.turn.want();
    });
  }

  get state(): DeskState {
    return this.desks.current?.state ?? NOTHING;
  }

  /** Folding goes on at the desk; what was missed here is in its state. */
  seen(isSeen: boolean): void {
    this.isSeen = isSeen;
    if (isSeen) this.turn.want();
  }

  listen(ear: () => void): () => void {
    this.ears.add(ear);
    return () => this.ears.delete(ear);
  }

  open(basis: Basis): Promise<void> {
    return this.desks.current?.open(basis) ?? Promise.resolve();
  }

  run(orders: Wish): Promise<void> {
    return this.desks.current?.run(orders) ?? Promise.resolve();
  }

  command(verb: Verb, node?: number): void {
    this.desks.current?.command(verb, node);
  }

  choose(node: number | null): void {
    this.desks.current?.choose(node);
  }

  refresh(): void {
    this.desks.current?.refresh();
  }

  lend(form: () => Readonly<Record<string, string>> | null): void {
    const { current } = this.desks;
    for (const desk of this.desks.all()) desk.form = desk === current ? form : null;
  }

  reveal(cell: string): void {
    this.desks.current?.reveal(cell);
  }

  convert(): void {
    this.desks.current?.convert();
  }

  rewrite(cell: string, source: string): void {
    this.desks.current?.rewrite(cell, source);
  }

  channel(run: string): Channel | null {
    return this.desks.current?.channel(run) ?? null;
  }

  interrupt(): Promise<void> {
    return this.desks.current?.interrupt() ?? Promise.resolve();
  }

  private tell(): void {
    for (const ear of [...this.ears]) ear();
  }
}
