/** What the inspector says of the chosen task. Pure. */

import { clean } from "../measure";
import { familyOf, glyphOf } from "../model";
import type { Family } from "../look";
import type { NotebookLook, Problem, TaskDetails } from "../protocol";
import { detailText, duration } from "../words";
import type { Row } from "./rows";

/** One line of the history of a task. */
export interface Line {
  readonly time: string;
  /** How long it stayed so; "" for the last one. */
  readonly stayed: string;
  readonly glyph: string;
  readonly family: Family;
  readonly state: string;
  readonly said: string;
}

/** The history in lines; a state that was left at once is told all the same. */
export function historyOf(details: TaskDetails): readonly Line[] {
  return details.moments.map((moment, place) => {
    const next = details.moments[place + 1];
    return {
      time: clock(moment.at),
      stayed: next === undefined ? "" : duration(next.at - moment.at),
      glyph: glyphOf(moment.state),
      family: familyOf(moment.state),
      state: clean(moment.state),
      said: detailText(moment.state, moment.message),
    };
  });
}

/** The time of day as it is where the reader is. */
export function clock(at: number): string {
  const time = new Date(at * 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const tenth = Math.floor(time.getMilliseconds() / 100);
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${tenth}`;
}

/** A dependency as the inspector lists it: the other task, and why. */
export interface Link {
  readonly name: string;
  readonly node: number;
  readonly cell: string;
  readonly why: string;
}

/** What a task runs after and what runs after it; edges of the picture that have no reason are listed all the same. */
export function linksOf(look: NotebookLook, row: Row, rows: readonly Row[]): { before: readonly Link[]; after: readonly Link[] } {
  const byNode = new Map(rows.map((other) => [other.card.node, other]));
  const byCell = new Map(rows.filter((other) => other.cell !== "").map((other) => [other.cell, other]));
  const gather = (nodes: readonly number[], reasons: readonly (readonly [string, string])[]): Link[] => {
    const links = new Map<string, { other: Row; texts: string[] }>();
    const add = (other: Row | undefined, text: string): void => {
      if (other === undefined || other.key === row.key) return;
      const link = links.get(other.key) ?? { other, texts: [] };
      if (text !== "") link.texts.push(text);
      links.set(other.key, link);
    };
    for (const [cell, text] of reasons) add(byCell.get(cell), clean(text));
    for (const node of nodes) add(byNode.get(node), "");
    return [...links.values()].map(({ other, texts }) => ({
      name: clean(other.card.name),
      node: other.node,
      cell: other.cell,
      why: texts.join("; "),
    }));
  };
  const to = look.reasons.filter((reason) => reason.downstream === row.cell && row.cell !== "");
  const from = look.reasons.filter((reason) => reason.upstream === row.cell && row.cell !== "");
  return {
    before: gather(row.card.upstream, to.map((reason) => [reason.upstream, reason.text])),
    after: gather(row.card.downstream, from.map((reason) => [reason.downstream, reason.text])),
  };
}

/** The problems, those first that keep something from running; else as they came. */
export function sorted(problems: readonly Problem[]): readonly Problem[] {
  return [...problems.filter((problem) => problem.grave), ...problems.filter((problem) => !problem.grave)];
}

/** "2 problems, 1 keeps its cell from running". */
export function problemsTitle(problems: readonly Problem[]): string {
  const grave = problems.filter((problem) => problem.grave).length;
  const notes = problems.length - grave;
  const parts = [
    grave === 0 ? "" : `${grave} ${grave === 1 ? "problem" : "problems"}`,
    notes === 0 ? "" : `${notes} ${notes === 1 ? "note" : "notes"}`,
  ];
  return parts.filter(Boolean).join(", ");
}

/** The most that is shown of a text: browsers stand still over megabytes. Its end is what was said last. */
const LONGEST = 100_000;
const COLOURS = /\x1b\[[0-9;]*[A-Za-z]/g;

/** A text as it can be shown: without the codes that colour it in a terminal, and not without end. */
export function plain(text: string): string {
  const shown = text.slice(-LONGEST).replace(COLOURS, "");
  return text.length > LONGEST ? `… ${text.length - LONGEST} characters before\n${shown}` : shown;
}

/** What else stands in the notebook, in a line: the cells that are no task. */
export function othersText(look: NotebookLook): string {
  const named = (role: string): readonly string[] => look.cells.filter((cell) => cell.role === role).map((cell) => clean(cell.name));
  const outside = named("outside").length;
  const parts = [
    listed("Shared by all", named("shared")),
    listed("Settings", named("settings")),
    outside === 0 ? "" : `Not in the flow: ${outside === 1 ? "1 cell" : `${outside} cells`}`,
  ];
  return parts.filter(Boolean).join(" · ");
}

function listed(title: string, names: readonly string[]): string {
  const known = names.filter(Boolean);
  if (names.length === 0) return "";
  if (known.length === 0) return `${title}: ${names.length === 1 ? "1 cell" : `${names.length} cells`}`;
  const rest = names.length - Math.min(3, known.length);
  return `${title}: ${known.slice(0, 3).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
