/** What keeps cells from running, or makes them run less freely than they could, with what would mend it. */

import { clean } from "../measure";
import type { CellLook, Fix, Problem } from "../protocol";
import { setText } from "../touch";
import { button, type Maker } from "./dom";
import { problemsTitle, sorted } from "./story";

export interface ProblemMoves {
  reveal(cell: string): void;
  mend(fix: Fix): void;
}

export class ProblemList {
  readonly element: HTMLDetailsElement;
  private readonly title: HTMLElement;
  private readonly list: HTMLElement;
  private told = "";
  private wasTouched = false;

  constructor(
    private readonly make: Maker,
    private readonly act: ProblemMoves,
  ) {
    this.title = make("span", "fp-heading");
    this.list = make("ul", "fp-problem-list");
    const summary = make("summary", "fp-summary", this.title);
    summary.addEventListener("click", () => (this.wasTouched = true));
    this.element = make("details", "fp-problems", summary, this.list);
    this.element.hidden = true;
  }

  paint(problems: readonly Problem[], cells: readonly CellLook[]): void {
    const names = new Map(cells.map((cell) => [cell.cell, cell.name]));
    // Each look brings the list anew; drawn again, it would take the focus from its buttons.
    const told = JSON.stringify([problems, problems.map((problem) => names.get(problem.cell) ?? "")]);
    if (told === this.told) return;
    this.told = told;
    this.element.hidden = problems.length === 0;
    const isGrave = problems.some((problem) => problem.grave);
    this.element.setAttribute("data-family", isGrave ? "bad" : "warn");
    if (!this.wasTouched) this.element.open = isGrave;
    setText(this.title, problemsTitle(problems));
    this.list.replaceChildren(...sorted(problems).map((problem) => this.item(problem, names.get(problem.cell) ?? "")));
  }

  private item(problem: Problem, name: string): HTMLElement {
    const { make, act } = this;
    const sign = make("span", "fp-mark", problem.grave ? "✗" : "◇");
    sign.setAttribute("role", "img");
    sign.setAttribute("aria-label", problem.grave ? "Problem" : "Note");
    const where = [clean(name), problem.line === null ? "" : `line ${problem.line}`].filter(Boolean).join(", ");
    const text = make("p", "fp-problem-text", make("span", "", clean(problem.text)));
    if (where !== "") text.append(" ", make("span", "fp-where", where));
    const buttons = make("div", "fp-problem-buttons");
    for (const fix of problem.fixes) buttons.append(button(make, "fp-fix", clean(fix.label), () => act.mend(fix)));
    if (problem.cell !== "") buttons.append(button(make, "fp-quiet", "Show cell", () => act.reveal(problem.cell)));
    const item = make("li", "fp-problem", sign, text, buttons);
    item.setAttribute("data-family", problem.grave ? "bad" : "warn");
    return item;
  }
}
