/**
 * One link per kernel connection, shared by all pictures of that kernel and by the desk of its notebook.
 *
 * Two comms, both opened from here: on one only the browser writes, on the other only the kernel. A kernel answers a
 * comm on the (sub)shell from which it last wrote on it; since it never writes on the command comm, commands keep to
 * their subshell and are heard while a cell runs.
 */

import { acceptMessage } from "../accept";
import type { Channel, Ear, Status } from "../channel";
import { COMMAND_TARGET, FEED_TARGET, type Hello, PROTOCOL, type ToKernel, type ToView } from "../protocol";
import { speaker } from "./kernel";

/** Without pictures a link closes after this many milliseconds; a cell that runs again needs it at once. */
const LINGER = 5000;

/** Ears that hear of everything, whatever run it is about. */
const EVERYTHING = " everything"; // no run is called so

const links = new WeakMap<KernelConnection, KernelLink>();

/** The link to this kernel. One is made when there is none, which sends nothing yet. */
export function linkTo(kernel: KernelConnection): KernelLink {
  const link = links.get(kernel) ?? new KernelLink(kernel);
  links.set(kernel, link);
  return link;
}

export class KernelLink {
  private readonly ears = new Map<string, Set<Ear>>();
  private status: Status = "closed";
  /** The connection that the comms belong to: the page's own, or one beside it. */
  private speaking: KernelConnection | null = null;
  private comms: { readonly command: Comm; readonly feed: Comm } | null = null;
  private wasOpened = false;
  private attempt = 0;
  private closing: ReturnType<typeof setTimeout> | null = null;

  constructor(private readonly kernel: KernelConnection) {
    kernel.statusChanged.connect((_, status) => this.onStatus(status));
    kernel.connectionStatusChanged.connect((_, status) => this.onConnection(status));
    kernel.disposed.connect(() => this.lose());
  }

  /** The channel for one run; listening opens the link. */
  channel(run: string): Channel {
    return {
      send: (message) => this.send(message),
      listen: (ear) => this.listen(run, ear),
      interrupt: () => this.kernel.interrupt(),
    };
  }

  /** The channel for all there is to say about a kernel's notebook and its runs. */
  everything(): Channel {
    return { ...this.channel(""), listen: (ear) => this.listen(EVERYTHING, ear) };
  }

  /** Try again to open a link that is closed: the kernel may have learnt of flowbook since. */
  knock(): void {
    if (this.status === "closed" && this.ears.size > 0) void this.open();
  }

  private listen(run: string, ear: Ear): () => void {
    const ears = this.ears.get(run) ?? new Set();
    this.ears.set(run, ears.add(ear));
    if (this.closing !== null) clearTimeout(this.closing);
    const before = this.status;
    if (before === "closed") void this.open();
    if (this.status === before) ear.turn(before); // opening has told it already
    return () => {
      ears.delete(ear);
      if (ears.size === 0 && this.ears.get(run) === ears) this.ears.delete(run);
      if (this.ears.size === 0) this.closing = setTimeout(() => this.close(), LINGER);
    };
  }

  private send(message: ToKernel): void {
    if (this.status === "open" && this.comms !== null && !this.comms.command.isDisposed) {
      this.comms.command.send(message);
    }
  }

  private turn(status: Status): void {
    if (status === this.status) return;
    this.status = status;
    for (const ears of this.ears.values()) for (const ear of [...ears]) ear.turn(status);
  }

  private async open(): Promise<void> {
    const { kernel } = this;
    if (kernel.isDisposed || !kernel.handleComms) return;
    const attempt = ++this.attempt;
    this.turn("opening");
    try {
      const speaking = await speaker(kernel);
      if (attempt !== this.attempt) return this.leave(speaking);
      this.speaking = speaking;
      const command = speaking.createComm(COMMAND_TARGET);
      const feed = speaking.createComm(FEED_TARGET);
      this.comms = { command, feed };
      command.onClose = feed.onClose = () => this.lose();
      feed.onMsg = (message) => this.dispatch(message.content.data);
      // Opened before its subshell is there, a comm would go to the main shell and wait for the running cell.
      await Promise.all([subshellOf(speaking, command), subshellOf(speaking, feed)]);
      const hello: Hello = { type: "hello", protocol: PROTOCOL, view: crypto.randomUUID() };
      await command.open(hello).done;
      if (command.isDisposed || attempt !== this.attempt) return;
      await feed.open(hello).done;
      // Only now does the kernel know both, so that an answer has a way back.
      if (feed.isDisposed || attempt !== this.attempt) return;
      this.wasOpened = true;
      this.turn("open");
    } catch (error) {
      if (attempt !== this.attempt) return;
      console.warn("flowbook: no link to this kernel.", error);
      this.lose();
    }
  }

  private dispatch(data: unknown): void {
    const message: ToView | null = acceptMessage(data);
    if (message === null) return;
    for (const whose of [message.run, EVERYTHING]) {
      for (const ear of [...(this.ears.get(whose) ?? [])]) ear.hear(message);
    }
  }

  /** A kernel that restarts or dies has forgotten our comms; JupyterLab disposes of them. */
  private onStatus(status: string): void {
    if (["restarting", "autorestarting", "dead", "terminating"].includes(status)) this.lose();
  }

  /** After a break of the wire the comms are still good, but messages may be lost: open again, so that views ask. */
  private onConnection(status: string): void {
    if (this.comms === null || this.status === "closed") return;
    const isWhole = !this.comms.command.isDisposed && !this.comms.feed.isDisposed;
    if (status !== "connected") this.turn("opening");
    else if (this.status === "opening" && isWhole && this.wasOpened) this.turn("open");
  }

  /** The comms are gone, or nobody at the other end knows of flowbook. The next picture that is live tries again. */
  private lose(): void {
    this.attempt += 1;
    this.comms = null;
    this.wasOpened = false;
    if (this.speaking !== null) this.leave(this.speaking);
    this.speaking = null;
    this.turn("closed");
  }

  private leave(connection: KernelConnection): void {
    if (connection !== this.kernel && !connection.isDisposed) connection.dispose();
  }

  /** Nobody listens any more: tell the kernel, so that it does not draw for nobody. */
  private close(): void {
    const { comms, speaking } = this;
    if (comms !== null && speaking?.isDisposed === false) {
      for (const comm of [comms.command, comms.feed]) {
        comm.onClose = () => undefined; // of this end
        if (!comm.isDisposed) comm.close();
      }
    }
    this.lose();
  }
}

/** Wait until the comm has a subshell, where kernel and page have such a thing. */
async function subshellOf(kernel: KernelConnection, comm: Comm): Promise<void> {
  const isOver = kernel.supportsSubshells === true && comm.commsOverSubshells !== "disabled";
  if (isOver) await comm.subshellStarted?.catch(() => undefined);
}
