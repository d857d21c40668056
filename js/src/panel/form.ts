/** The parameters of the flow as a form. What is typed stays until the flow has other fields or it is reset. */

import { clean } from "../measure";
import type { Field } from "../protocol";
import { setAttribute, setText } from "../touch";
import { button, idOf, type Maker } from "./dom";
import { fieldError, firstError, isEdited, isTrue, parametersOf, textOf, truths, unsent } from "./fields";

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface Line {
  readonly element: HTMLElement;
  readonly control: Control;
  readonly reset: HTMLButtonElement;
  readonly wrong: HTMLElement;
  field: Field;
}

export class ParameterForm {
  readonly element: HTMLDetailsElement;
  private readonly title: HTMLElement;
  private readonly list: HTMLElement;
  private readonly lines = new Map<string, Line>();
  private edits = new Map<string, string>();
  private fields: readonly Field[] = [];
  private shape = "";
  private notebook = "";
  /** Wrong texts are pointed at once somebody has left the field or tried to run. */
  private readonly left = new Set<string>();

  /** `onType`: something was typed or put back. */
  constructor(
    private readonly make: Maker,
    private readonly onType: () => void = () => undefined,
  ) {
    this.title = make("span", "fp-heading");
    this.list = make("div", "fp-fields");
    this.element = make("details", "fp-form", make("summary", "fp-summary", this.title), this.list);
    this.element.hidden = true;
  }

  /** `notebook`: whose parameters these are; what was typed for another one is forgotten. */
  paint(fields: readonly Field[], notebook: string): void {
    if (fields === this.fields) return;
    if (notebook !== this.notebook) {
      this.edits.clear();
      this.left.clear();
      this.shape = "";
    }
    this.notebook = notebook;
    this.fields = fields;
    this.edits = unsent(fields, this.edits);
    this.element.hidden = fields.length === 0;
    // A field of another kind needs another control; a new value of the same one does not, and keeps what was typed.
    const shape = JSON.stringify(fields.map(({ name, kind, choices, hidden }) => [name, kind, choices, hidden]));
    if (shape !== this.shape) this.build(fields);
    this.shape = shape;
    for (const field of fields) {
      const line = this.lines.get(field.name);
      if (line !== undefined) line.field = field;
    }
    this.refresh();
  }

  /** The names of the parameters whose values are others than those of the last run. */
  get edited(): readonly string[] {
    return this.fields.filter((field) => isEdited(field, this.edits)).map((field) => field.name);
  }

  /** What the run is given, or null after the first field that is wrong has been shown. */
  take(): Readonly<Record<string, string>> | null {
    const error = firstError(this.fields, this.edits);
    if (error === null) return parametersOf(this.fields, this.edits);
    for (const field of this.fields) this.left.add(field.name);
    this.refresh();
    this.element.open = true;
    this.lines.get(error.field.name)?.control.focus();
    return null;
  }

  private build(fields: readonly Field[]): void {
    const known = new Set(fields.map((field) => field.name));
    this.edits = new Map([...this.edits].filter(([name]) => known.has(name)));
    this.lines.clear();
    for (const field of fields) this.lines.set(field.name, this.line(field));
    this.list.replaceChildren(...[...this.lines.values()].map((line) => line.element));
    if (firstError(fields, this.edits) !== null) this.element.open = true; // nothing runs without it: show it
  }

  private line(field: Field): Line {
    const { make } = this;
    const id = idOf("field", field.name);
    const control = this.control(field);
    control.id = id;
    const label = make("label", "fp-label", clean(field.name));
    label.htmlFor = id;
    if (field.required) label.append(" ", make("span", "fp-required", "required"));
    const reset = button(make, "fp-reset", "Reset", () => this.type(field.name, null));
    reset.setAttribute("aria-label", `Reset ${field.name} to its default`);
    const wrong = make("p", "fp-wrong");
    wrong.id = `${id}-wrong`;
    const about = make("p", "fp-about", clean(field.about));
    about.id = `${id}-about`;
    about.hidden = field.about === "";
    control.setAttribute("aria-describedby", `${wrong.id} ${about.id}`);
    if (field.required) control.setAttribute("aria-required", "true");
    const type = (): void => this.type(field.name, readControl(control, field));
    control.addEventListener("input", type);
    control.addEventListener("change", type);
    control.addEventListener("blur", () => {
      this.left.add(field.name);
      this.refresh();
    });
    const element = make("div", "fp-field", label, make("div", "fp-set", control, reset), wrong, about);
    element.setAttribute("data-kind", field.kind);
    return { element, control, reset, wrong, field };
  }

  private control(field: Field): Control {
    const { make } = this;
    if (field.kind === "choice" && !field.hidden) {
      const offered = field.choices.map((choice) => new Option(clean(choice), choice));
      return make("select", "fp-input", ...(field.choices.includes(field.value) ? [] : [new Option("", field.value)]), ...offered);
    }
    if (field.kind === "json" && !field.hidden) return Object.assign(make("textarea", "fp-input fp-code"), { rows: 2, spellcheck: false });
    const input = make("input", "fp-input");
    input.autocomplete = "off";
    input.spellcheck = false;
    if (field.hidden) input.type = "password";
    else if (field.kind === "boolean") input.type = "checkbox";
    // Not type=number: it hides what it cannot read, and a person should see what they have typed.
    else if (field.kind === "integer") input.inputMode = "numeric";
    else if (field.kind === "number") input.inputMode = "decimal";
    if (field.hidden && field.value === "" && !field.required) input.placeholder = "kept as it is";
    return input;
  }

  private type(name: string, text: string | null): void {
    if (text === null) this.edits.delete(name);
    else this.edits.set(name, text);
    this.refresh();
    this.onType();
  }

  private refresh(): void {
    const edited = this.fields.filter((field) => isEdited(field, this.edits)).length;
    const count = this.fields.length === 1 ? "1 parameter" : `${this.fields.length} parameters`;
    setText(this.title, edited === 0 ? count : `${count}, ${edited} changed`);
    for (const [name, line] of this.lines) {
      const text = textOf(line.field, this.edits);
      writeControl(line.control, line.field, text);
      line.reset.hidden = !isEdited(line.field, this.edits);
      const wrong = this.left.has(name) ? fieldError(line.field, text) : "";
      setText(line.wrong, wrong);
      line.wrong.hidden = wrong === "";
      setAttribute(line.control, "aria-invalid", String(wrong !== ""));
    }
  }
}

function readControl(control: Control, field: Field): string {
  if (control instanceof HTMLInputElement && control.type === "checkbox") return truths(field)[control.checked ? 0 : 1];
  return control.value;
}

/** Written only where it differs: the caret would jump to the end. */
function writeControl(control: Control, field: Field, text: string): void {
  if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = isTrue(text);
  else if (readControl(control, field) !== text) control.value = text;
}
