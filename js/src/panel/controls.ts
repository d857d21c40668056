/** What the run bar says and which buttons it has. Pure. */

import { clean } from "../measure";
import { doneOf, familyCounts, familyOf, glyphOf, isDone, kernelTime } from "../model";
import type { Family } from "../look";
import { countdown, duration, requestText } from "../words";
import type { DeskState } from "./desk";
import { isIdleValue, isLive, type Row, toResume } from "./rows";

export type ButtonName = "run" | "resume-failed" | "run-to" | "hold" | "step" | "cancel" | "interrupt";

export interface Button {
  readonly name: ButtonName;
  readonly label: string;
  /** Said instead where there is little room. */
  readonly short?: string;
  readonly title: string;
  readonly isMain: boolean;
  /** It is there, but does nothing now. */
  readonly isInert: boolean;
}

export interface Bar {
  readonly flow: string;
  readonly state: string;
  readonly family: Family;
  /** "7/12, 1 failed". */
  readonly progress: string;
  readonly elapsed: string;
  readonly buttons: readonly Button[];
  /** One sentence below the buttons. */
  readonly said: string;
  /** How many tasks each family has, for the bar; null before the first run. */
  readonly counts: Readonly<Record<Family, number>> | null;
}

/** What only the panel knows. */
export interface Around {
  readonly chosen?: Row | undefined;
  /** Our orders are with the kernel, and the run that they make is not known yet. */
  readonly isStarting?: boolean;
  /** The parameters for which another value is typed than the last run had. */
  readonly edited?: readonly string[];
}

export function barOf(state: DeskState, rows: readonly Row[], now: number, around: Around = {}): Bar {
  const { chosen, isStarting = false, edited = [] } = around;
  const live = isLive(state);
  const standing = live ? running(state) : resting(isStarting, rows);
  const buttons = live ? whileRunning(state) : whileResting(state, rows, chosen);
  const request = live ? requestText(state.model.request, state.model.flow, true) : "";
  const sentence = live || state.look?.bundle != null ? "" : clean(state.model.flow.sentence);
  const values = live || isStarting ? "" : valuesText(rows, edited);
  return {
    flow: clean(state.look?.flow || state.title),
    ...standing,
    elapsed: elapsedOf(state, now),
    buttons,
    said: [[state.said, request].filter(Boolean).join(" ") || sentence, values].filter(Boolean).join(" "),
  };
}

/** That what is shown is from other values than those in the form; nothing is wrong with it, so no mark is changed. */
function valuesText(rows: readonly Row[], edited: readonly string[]): string {
  if (edited.length === 0 || !rows.some((row) => row.look.state !== "" && row.cell !== "")) return "";
  const names = edited.map(clean).join(", ");
  return edited.length === 1 ? `Not run with this ${names} yet: results are from another value.` : `Not run with these values yet: ${names}.`;
}

function running(state: DeskState): Pick<Bar, "state" | "family" | "progress" | "counts"> {
  const { model } = state;
  const word = model.flow.paused ? "Paused" : clean(model.flow.state);
  const counts = familyCounts(model);
  const missed = model.counts.get("TriggerFailed") ?? 0;
  return { state: `${glyphOf(word)} ${word}`, family: familyOf(word), progress: progressText(doneOf(model), counts, missed), counts };
}

/** How the rows stand while nothing runs: cells may have been run one by one, so the rows are counted, not the run. */
function resting(isStarting: boolean, rows: readonly Row[]): Pick<Bar, "state" | "family" | "progress" | "counts"> {
  const tasks = rows.length === 1 ? "1 task" : `${rows.length} tasks`;
  if (isStarting) return { state: "◌ Starting", family: "active", progress: tasks, counts: null };
  const stand = standOf(rows);
  if (stand === null) return { state: "Not run yet", family: "waiting", progress: tasks, counts: null };
  const { word, family, counts, done, total, missed } = stand;
  return { state: `${stand.glyph} ${word}`, family, progress: progressText([done, total], counts, missed), counts };
}

/** How the tasks of a flow stand while nothing runs. */
export interface Stand {
  readonly word: string;
  readonly glyph: string;
  readonly family: Family;
  readonly counts: Readonly<Record<Family, number>>;
  readonly done: number;
  readonly total: number;
  /** How many were not run because of a failure before them. */
  readonly missed: number;
}

/** Null as long as nothing has run. A parameter that no run has taken yet is neither done nor missing. */
export function standOf(all: readonly Row[]): Stand | null {
  if (!all.some((row) => row.look.state !== "")) return null;
  const rows = all.filter((row) => !isIdleValue(row));
  const counts: Record<Family, number> = { good: 0, bad: 0, active: 0, warn: 0, waiting: 0 };
  let [done, missed] = [0, 0];
  for (const row of rows) {
    const isOld = row.dirty || row.stale;
    counts[isOld ? "warn" : familyOf(row.look.state)] += 1;
    if (isDone(row.look.state) && !isOld) done += 1;
    if (row.look.state === "TriggerFailed" && !isOld) missed += 1;
  }
  const [word, family] = restingWord(counts, rows);
  return { word, glyph: glyphOf(word) === "·" ? "◇" : glyphOf(word), family, counts, done, total: rows.length, missed };
}

function restingWord(counts: Readonly<Record<Family, number>>, rows: readonly Row[]): readonly [string, Family] {
  if (counts.bad > 0) return ["Failed", "bad"];
  if (counts.active > 0) return ["Running", "active"];
  if (rows.some((row) => row.look.state === "Cancelled" && !row.dirty && !row.stale)) return ["Cancelled", "warn"];
  return counts.good === rows.length ? ["Success", "good"] : ["Not up to date", "warn"];
}

/** What was not run because of a failure is no failure of its own to somebody who looks for what to mend. */
function progressText([done, total]: readonly [number, number], counts: Readonly<Record<Family, number>>, missed: number): string {
  const failed = counts.bad - missed;
  return `${done}/${total}${failed > 0 ? `, ${failed} failed` : ""}${missed > 0 ? `, ${missed} not run` : ""}`;
}

function elapsedOf(state: DeskState, now: number): string {
  const { model, look } = state;
  if (look === null || model.picture?.run !== look.run || look.run === "") return "";
  const { started, ended, due } = model.flow;
  const time = kernelTime(model, now);
  if (started === null) return due === null || ended !== null ? "" : countdown(due - time);
  return duration((ended ?? time) - started);
}

function whileRunning(state: DeskState): readonly Button[] {
  const { flow, request } = state.model;
  const isAsked = request?.phase === "asked";
  const isCancelling = (request?.verb === "cancel" && request.phase !== "refused") || flow.state === "Cancelling";
  const hold = flow.paused
    ? { label: "Resume", title: "Go on with the tasks that wait" }
    : { label: "Pause", title: "Start no further task; what runs goes on to its end" };
  const isInert = isAsked || isCancelling;
  const buttons: Button[] = [
    { name: "hold", ...hold, isMain: flow.paused, isInert },
    { name: "step", label: "Step", title: "Start the next task, then stand still again", isMain: false, isInert },
    { name: "cancel", label: "Cancel", title: "End the run now", isMain: false, isInert: isCancelling },
  ];
  if (request?.phase !== "unanswered") return buttons;
  const title = "Stop what the kernel is doing, as its stop button does";
  return [...buttons, { name: "interrupt", label: "Interrupt", title, isMain: false, isInert: false }];
}

function whileResting(state: DeskState, rows: readonly Row[], chosen: Row | undefined): readonly Button[] {
  if (state.look?.basis === "nothing") return ofFunctions(state, rows);
  const isInert = state.busy || rows.length === 0;
  const again = toResume(rows);
  const isPartial = again.length > 0 && again.length < rows.length;
  const buttons: Button[] = [
    { name: "run", label: "Run flow", title: `Run ${cells(rows.length)}`, isMain: !isPartial, isInert },
  ];
  if (again.length > 0) {
    const isFailed = again.some((row) => familyOf(row.look.state) === "bad");
    const why = isFailed ? "What failed, what is out of date, and what follows" : "What is out of date, and what follows";
    const label = `${isFailed ? "Resume from failed" : "Bring up to date"} (${again.length})`;
    const short = `${isFailed ? "Resume" : "Update"} (${again.length})`;
    buttons.push({ name: "resume-failed", label, short, title: `${why}: ${cells(again.length)}`, isMain: isPartial, isInert });
  }
  if (chosen !== undefined && chosen.cell !== "") {
    const name = clean(chosen.card.name);
    buttons.push({ name: "run-to", label: `Run to ${name}`, title: `Run ${name}, and what it needs that is out of date`, isMain: false, isInert });
  }
  return buttons;
}

/** A flow that a cell built from functions: it is run again as a whole, or goes on where its run failed. */
function ofFunctions(state: DeskState, rows: readonly Row[]): readonly Button[] {
  const isInert = state.busy || rows.length === 0;
  const isFailed = familyOf(state.model.flow.state) === "bad" || state.model.flow.state === "Cancelled";
  const run: Button = { name: "run", label: "Run flow", title: "Run this flow again, all of it", isMain: !isFailed, isInert };
  const title = "What ended well is kept; all else runs again";
  const resume: Button = { name: "resume-failed", label: "Resume from failed", short: "Resume", title, isMain: true, isInert };
  return isFailed ? [run, resume] : [run];
}

function cells(count: number): string {
  return count === 1 ? "1 cell" : `${count} cells`;
}
