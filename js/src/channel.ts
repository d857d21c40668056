/** What a view knows of the world: somebody may be there who speaks the protocol. Hosts bring one each. */

import type { ToKernel, ToView } from "./protocol";

/** `none`: nobody to speak to, ever. `closed`: there was or will be somebody, not now. */
export type Status = "none" | "opening" | "open" | "closed";

export interface Ear {
  hear(message: ToView): void;
  turn(status: Status): void;
}

export interface Channel {
  /** Send if open; a closed channel drops the message, for the view asks again once it opens. */
  send(message: ToKernel): void;
  /** Listen until the returned function is called; the status of now is told at once. */
  listen(ear: Ear): () => void;
  /** Stop whatever the kernel runs, where the host can; for kernels that do not listen while a cell runs. */
  readonly interrupt?: () => Promise<void>;
}
