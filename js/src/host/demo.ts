/** A channel whose other end is in this page: for the demo page and the bench, where no kernel is. */

import type { Channel, Ear } from "../channel";
import type { ToKernel, ToView } from "../protocol";

export class LocalChannel implements Channel {
  private readonly ears = new Set<Ear>();

  constructor(private readonly answer: (message: ToKernel) => readonly ToView[]) {}

  /** Let everybody hear a message, as if the kernel had sent it. */
  tell(message: ToView): void {
    for (const ear of this.ears) ear.hear(message);
  }

  send(message: ToKernel): void {
    // A kernel never answers within the same call.
    setTimeout(() => this.answer(message).forEach((answer) => this.tell(answer)), 20);
  }

  listen(ear: Ear): () => void {
    this.ears.add(ear);
    ear.turn("open");
    return () => this.ears.delete(ear);
  }
}
