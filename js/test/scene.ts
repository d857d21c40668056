/**
 * Flows of any size, drawn by the rules of the DOM contract, and a run of them as messages: for tests, for the demo
 * page and for the bench. The kernel's own drawings look alike; these need no Python.
 */

import type { Bundle, Changes, NodeCard, NodeLook, Picture, RunLook, Snapshot } from "../src/protocol";
import { PROTOCOL } from "../src/protocol";

export interface Scene {
  readonly cards: readonly NodeCard[];
  readonly picture: Picture;
}

/** A small generator with a seed (mulberry32), so that each scene is always the same. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const VERBS = ["read", "clean", "join", "count", "plot", "fit", "score", "split", "store", "check"];
const NOUNS = ["flights", "planes", "weather", "airports", "delays", "routes", "tails", "carriers", "months", "model"];
const WIDTH = 176;
const HEIGHT = 48;

/** A flow of `count` tasks in ranks of about `tall`, each fed by one to three of the rank before. */
export function makeScene(count: number, tall = Math.max(2, Math.round(Math.sqrt(count / 1.6))), run = "run-1"): Scene {
  const chance = random(count);
  const upstream: number[][] = [];
  for (let node = 0; node < count; node += 1) {
    const rank = Math.floor(node / tall);
    const fed = new Set<number>();
    const edges = rank === 0 ? 0 : 1 + Math.floor(chance() * 1.6);
    for (let edge = 0; edge < edges; edge += 1) {
      const near = (node % tall) + Math.floor(chance() * 5) - 2;
      fed.add((rank - 1) * tall + Math.min(tall - 1, Math.max(0, near)));
    }
    upstream.push([...fed].sort((a, b) => a - b));
  }
  const cards = upstream.map((fed, node): NodeCard => {
    const name = `${VERBS[node % 10]}_${NOUNS[Math.floor(node / 10 + node) % 10]}${count > 60 ? `_${node}` : ""}`;
    const downstream = upstream.flatMap((from, other) => (from.includes(node) ? [other] : []));
    return { node, slug: `${name}-1`, name, kind: "task", upstream: fed, downstream, attempts: node % 4 === 0 ? 3 : 1, mapped: false, cell: "" };
  });
  const svg = draw(cards, tall);
  const controls = ["cancel", "pause", "resume", "step"];
  const picture: Picture = {
    type: "picture", protocol: PROTOCOL, flow: "flights", run, svg, nodes: cards, controls, notice: "",
  };
  return { cards, picture };
}

function draw(cards: readonly NodeCard[], tall: number): string {
  const place = (node: number): [number, number] => [
    24 + Math.floor(node / tall) * (WIDTH + 72),
    96 + (node % tall) * (HEIGHT + 22) + (Math.floor(node / tall) % 2) * 12,
  ];
  const edges = cards.flatMap((card) => card.upstream.map((from) => [from, card.node] as const));
  const lines = edges.map(([from, to], edge) => {
    const [x1, y1] = [place(from)[0] + WIDTH, place(from)[1] + HEIGHT / 2];
    const [x2, y2] = [place(to)[0] - 7, place(to)[1] + HEIGHT / 2];
    const middle = (x1 + x2) / 2;
    const label = edge % 3 === 0 && cards.length < 60 ? `<g class="fb-label"><rect x="${middle - 22}" y="${(y1 + y2) / 2 - 8}" width="44" height="15" rx="4"/><text x="${middle}" y="${(y1 + y2) / 2 + 3}">${NOUNS[from % 10]}</text></g>` : "";
    return `<g class="fb-edge" data-edge="${edge}" data-from="${from}" data-to="${to}" data-kind="${edge % 7 === 6 ? "state" : "data"}"><path class="fb-line" d="M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}"/><path class="fb-arrow" d="M${x2} ${y2 - 4}L${x2 + 7} ${y2}L${x2} ${y2 + 4}Z"/>${label}</g>`;
  });
  const nodes = cards.map((card) => {
    const [x, y] = place(card.node);
    return `<g class="fb-node" data-node="${card.node}" data-kind="task" data-state="Pending" data-family="waiting" transform="translate(${x},${y})"><title>${card.name}</title><rect class="fb-halo" x="-3" y="-3" width="${WIDTH + 6}" height="${HEIGHT + 6}" rx="11" pathLength="100"/><rect class="fb-card" width="${WIDTH}" height="${HEIGHT}" rx="8"/><rect class="fb-inner" x="3" y="3" width="${WIDTH - 6}" height="${HEIGHT - 6}" rx="6"/><path class="fb-stripe" d="M6 0A6 6 0 0 0 0 6V${HEIGHT - 6}A6 6 0 0 0 6 ${HEIGHT}Z"/><circle class="fb-badge" cx="24" cy="24" r="10"/><text class="fb-glyph" x="24" y="28.5">○</text><text class="fb-name" x="42" y="20">${card.name}</text><text class="fb-state" x="42" y="36">Pending</text><text class="fb-time" x="${WIDTH - 10}" y="20"></text><rect class="fb-track" x="42" y="41" width="124" height="3" rx="1.5"/><rect class="fb-bar" x="42" y="41" width="0" height="3" rx="1.5"/></g>`;
  });
  const width = 48 + Math.ceil(cards.length / tall) * (WIDTH + 72) - 72;
  const height = 140 + tall * (HEIGHT + 22);
  return `<svg xmlns="http://www.w3.org/2000/svg" class="fb-picture" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="flights"><g class="fb-header"><text class="fb-title" x="24" y="32">flights</text></g><g class="fb-edges">${lines.join("")}</g><g class="fb-nodes">${nodes.join("")}</g></svg>`;
}

export function look(node: number, state: string, more: Partial<NodeLook> = {}): NodeLook {
  return { node, state, message: "", attempt: 0, started: null, ended: null, due: null, result: "", width: null, counts: null, ...more };
}

export function runLook(state: string, more: Partial<RunLook> = {}): RunLook {
  return { state, message: "", started: null, ended: null, paused: false, sentence: "", due: null, ...more };
}

export function bundleOf(scene: Scene, snapshot: Snapshot, live: boolean): Bundle {
  return { protocol: PROTOCOL, run: scene.picture.run, live, picture: scene.picture, snapshot, children: [] };
}

/** What one tick of a run does to its nodes. The messages are those that a kernel would send. */
export class Play {
  seq = 0;
  flow: RunLook;
  readonly looks: NodeLook[];
  private readonly chance: () => number;

  constructor(
    private readonly scene: Scene,
    private at: number,
    private readonly slots = 4,
  ) {
    this.chance = random(7);
    this.looks = scene.cards.map((card) => look(card.node, "Pending"));
    this.flow = runLook("Running", { started: at });
  }

  snapshot(at = this.at): Snapshot {
    return { type: "snapshot", run: this.scene.picture.run, seq: this.seq, at, flow: this.flow, nodes: [...this.looks] };
  }

  /** Let the run go on until `at`; `share` of the running tasks end. */
  step(at: number, share = 0.4): Changes {
    this.at = at;
    const changed = new Map<number, NodeLook>();
    const set = (next: NodeLook): void => {
      this.looks[next.node] = next;
      changed.set(next.node, next);
    };
    for (const now of [...this.looks]) {
      if (now.state === "Running" && this.chance() < share) set(this.end(now, at));
      else if (now.state === "Retrying" && (now.due ?? 0) <= at) set({ ...now, state: "Running", due: null, started: at });
    }
    let running = this.looks.filter((now) => now.state === "Running").length;
    for (const now of this.looks) {
      if (now.state !== "Pending") continue;
      const fed = (this.scene.cards[now.node]?.upstream ?? []).map((from) => this.looks[from]?.state ?? "");
      if (fed.some((state) => state === "Failed" || state === "TriggerFailed")) {
        set({ ...now, state: "TriggerFailed", message: "all_successful", started: at, ended: at });
      } else if (running < this.slots && fed.every((state) => state === "Success" || state === "Cached")) {
        running += 1;
        set({ ...now, state: "Running", attempt: 1, started: at });
      }
    }
    if (this.looks.every((now) => now.ended !== null)) this.finish(at);
    const since = this.seq;
    this.seq += changed.size + 1;
    const { run } = this.scene.picture;
    return { type: "changes", run, seq: this.seq, since, at, flow: this.flow, nodes: [...changed.values()] };
  }

  get isOver(): boolean {
    return this.flow.ended !== null;
  }

  cancel(at: number): void {
    this.looks.forEach((now, node) => {
      if (now.ended === null) this.looks[node] = { ...now, state: "Cancelled", ended: at };
    });
    this.flow = { ...this.flow, state: "Cancelled", ended: at };
    this.seq += 1;
  }

  private end(now: NodeLook, at: number): NodeLook {
    const attempts = this.scene.cards[now.node]?.attempts ?? 1;
    const luck = this.chance();
    if (luck > 0.12 || this.scene.cards.length > 60) {
      const isCached = luck > 0.9;
      return { ...now, state: isCached ? "Cached" : "Success", ended: at, result: isCached ? "from 10:42" : "1,204 rows" };
    }
    if (now.attempt < attempts) {
      return { ...now, state: "Retrying", attempt: now.attempt + 1, started: at, due: at + 3, message: "HTTPError: 503" };
    }
    return { ...now, state: "Failed", ended: at, message: "HTTPError: 503" };
  }

  private finish(at: number): void {
    const failed = this.looks.find((now) => now.state === "Failed");
    const name = failed === undefined ? "" : (this.scene.cards[failed.node]?.name ?? "");
    const sentence = failed === undefined ? "" : `${name} failed on attempt ${failed.attempt}: ${failed.message}.`;
    this.flow = { ...this.flow, state: failed === undefined ? "Success" : "Failed", ended: at, sentence };
  }
}
