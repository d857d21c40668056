/**
 * What the panel, the marks of the cells and the tool bars know of one notebook, and what they can ask of it.
 *
 * The host (`js/src/host`) brings the notebook and its kernel; everything shown is a fold of what the kernel told.
 */

import type { Channel } from "../channel";
import type { Model } from "../model";
import type { Basis, NotebookLook, Orders, TaskDetails, Verb } from "../protocol";

/**
 * `nothing`: no notebook is open. `no-kernel`: it has none. `off`: its kernel has not heard of flowbook, and nothing is
 * run there unasked. `opening`, `on`: linked. `broken`: it could not be; `said` tells why.
 */
export type DeskStatus = "nothing" | "no-kernel" | "off" | "opening" | "on" | "broken";

/** What a person orders; the desk adds of which notebook. */
export type Wish = Omit<Orders, "notebook">;

export interface DeskState {
  readonly status: DeskStatus;
  /** The notebook's title, e.g. "flights.ipynb". */
  readonly title: string;
  readonly look: NotebookLook | null;
  /** The fold of the run that is looked at: the latest one. */
  readonly model: Model;
  /** The node a person looks at, in the panel or by the cell that is selected. */
  readonly chosen: number | null;
  /** The last answer about the chosen node. */
  readonly details: TaskDetails | null;
  /** Whether our orders run in the kernel now, from the click on. */
  readonly busy: boolean;
  /** One sentence for the person: why something did not work. */
  readonly said: string;
}

export interface Desk {
  readonly state: DeskState;
  /** Be called, at most once a frame, after the state has changed; the returned function ends it. */
  listen(ear: () => void): () => void;
  /** A person wants to see this notebook as a flow: load flowbook in its kernel and tell it the document. */
  open(basis: Basis): Promise<void>;
  /** Have the flow run, in the kernel's main shell as a cell would; resolves when it has ended. */
  run(orders: Wish): Promise<void>;
  /** Press a button of the run that goes on. */
  command(verb: Verb, node?: number): void;
  /** Look at a node, or at none; asks for its details. */
  choose(node: number | null): void;
  /** Ask for the details of the chosen node once more: a log may have grown. When its state changes the desk does so itself. */
  refresh?(): void;
  /** Lend what is typed into the form, for those who have the flow run elsewhere; null after a wrong field was shown. */
  lend?(form: () => Readonly<Record<string, string>> | null): void;
  /** Bring a cell into sight in the notebook, and put the focus there. */
  reveal(cell: string): void;
  /** Give a cell another source, as one step that undo takes back. */
  rewrite(cell: string, source: string): void;
  /** Give all cells the text they would have as task cells, where the kernel proposed one, and look at these. */
  convert(): void;
  /** The channel of a run, for the picture. */
  channel(run: string): Channel | null;
  interrupt(): Promise<void>;
}
