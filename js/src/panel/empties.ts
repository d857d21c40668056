/** What the panel says while there is no flow to show, for somebody who has never seen one. Pure. */

import type { Basis } from "../protocol";
import type { DeskState } from "./desk";

export interface Empty {
  readonly title: string;
  readonly text: string;
  /** Code to copy. */
  readonly code: string;
  /** What the one button says, and what the flow is then made of. */
  readonly button: { readonly label: string; readonly basis: Basis; readonly note: string } | null;
  /** Somebody is at work; nothing to do but wait. */
  readonly isWaiting: boolean;
}

const MISSING = /has no flowbook|No module named ['"]?flowbook|flowbook(\.\w+)*['"]? is not (installed|found)/i;
const PLAIN = { text: "", code: "", button: null, isWaiting: false };
const SHOW = { label: "Show as flow", basis: "document", note: "Nothing runs, and no cell is changed." } as const;
const AGAIN = { ...SHOW, label: "Try again" };

/** The empty state, or null when there is a flow to show. */
export function emptyOf(state: DeskState): Empty | null {
  const title = state.title === "" ? "This notebook" : state.title;
  switch (state.status) {
    case "nothing":
      return { ...PLAIN, title: "No notebook is open", text: "Open one, and its cells can be seen here as a flow: which cell needs which, and how each one is doing." };
    case "no-kernel":
      return { ...PLAIN, title: `${title} has no kernel`, text: "Choose one at the top right of the notebook. It reads the cells to find out which one needs which." };
    case "off":
      return notYet(state.said);
    case "opening":
      return { ...PLAIN, title: "Reading the cells …", text: state.said, isWaiting: true };
    case "broken":
      return broken(state.said);
    case "on":
      return whenOn(state);
    default:
      return state.status satisfies never;
  }
}

function whenOn(state: DeskState): Empty | null {
  const { look } = state;
  if (look === null) return { ...PLAIN, title: "Reading the cells …", isWaiting: true };
  // A run that a cell has started itself is shown, whatever the notebook's cells are to each other.
  if (look.basis === "nothing") return look.run === "" ? notYet(state.said) : null;
  if (look.cells.some((cell) => cell.role === "task") || (look.bundle?.picture.nodes.length ?? 0) > 0) return null;
  if (look.run !== "" || look.problems.length > 0) return null;
  if (look.basis === "tasks") {
    const text = "So there is nothing to run. Write %%task as the first line of a cell to make it a task, or take all cells as they are.";
    return { ...PLAIN, title: "No task yet", text, code: "%%task", button: { ...SHOW, label: "Take all cells" } };
  }
  return { ...PLAIN, title: "No code yet", text: "As soon as a cell holds code, it is shown here." };
}

function notYet(said: string): Empty {
  const text = "See which cell needs which before you run anything. Then run them as a flow: in parallel where they may, and after a failure from there on.";
  return { ...PLAIN, title: "This notebook is not shown as a flow", text: said === "" ? text : said, button: SHOW };
}

function broken(said: string): Empty {
  if (!MISSING.test(said)) {
    return { ...PLAIN, title: "The flow can’t be shown", text: said === "" ? "The kernel does not answer." : said, button: AGAIN };
  }
  const text = "The kernel of this notebook has no flowbook. Run this in a cell, then try again:";
  return { ...PLAIN, title: "flowbook is not installed here", text, code: "%pip install jupyter-flowbook", button: AGAIN };
}
