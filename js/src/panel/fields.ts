/** The parameters of a flow as a person types them: what is wrong with a text, and what is sent. Pure. */

import type { Field } from "../protocol";

/** What was typed, by the parameter's name; what was not touched is not in it. */
export type Edits = ReadonlyMap<string, string>;

/** What a field holds now. */
export function textOf(field: Field, edits: Edits): string {
  return edits.get(field.name) ?? field.value;
}

export function isEdited(field: Field, edits: Edits): boolean {
  const edit = edits.get(field.name);
  return edit !== undefined && edit !== field.value;
}

/** What was typed without what the kernel holds by now: another value there is news, and not something to put back. */
export function unsent(fields: readonly Field[], edits: Edits): Map<string, string> {
  const held = new Map(fields.map((field) => [field.name, field.value]));
  return new Map([...edits].filter(([name, text]) => held.get(name) !== text));
}

/** What is wrong with this text, in a sentence; "" when nothing is. The kernel reads it again, and has the last word. */
export function fieldError(field: Field, text: string): string {
  if (text.trim() === "" && field.kind !== "text") return field.required ? `${field.name} is required.` : "";
  if (text === "" && field.required) return `${field.name} is required.`;
  switch (field.kind) {
    case "integer":
      return /^\s*[+-]?\d[\d_]*\s*$/.test(text) ? "" : `${field.name} takes a whole number, e.g. 30.`;
    case "number":
      return isNumber(text) ? "" : `${field.name} takes a number, e.g. 0.5.`;
    case "choice":
      return field.choices.includes(text) ? "" : `${field.name} is one of ${field.choices.join(", ")}.`;
    case "text":
    case "boolean":
    case "json":
      return "";
    default:
      return field.kind satisfies never;
  }
}

/** The first field that keeps the flow from running, if one does. */
export function firstError(fields: readonly Field[], edits: Edits): { readonly field: Field; readonly text: string } | null {
  for (const field of fields) {
    const text = fieldError(field, textOf(field, edits));
    if (text !== "") return { field, text };
  }
  return null;
}

/** What `Orders.parameters` says: only what a person has typed. What is hidden stays where it is. */
export function parametersOf(fields: readonly Field[], edits: Edits): Record<string, string> {
  const typed = fields.filter((field) => isEdited(field, edits));
  return Object.fromEntries(typed.map((field) => [field.name, textOf(field, edits)]));
}

/** Words for yes and no in the way this field has them. */
export function truths(field: Field): readonly [string, string] {
  return /^(true|false)$/.test(field.value) ? ["true", "false"] : ["True", "False"];
}

export function isTrue(text: string): boolean {
  return /^(true|yes|on|1)$/i.test(text.trim());
}

function isNumber(text: string): boolean {
  return text.trim() !== "" && (Number.isFinite(Number(text.replaceAll("_", ""))) || /^\s*[+-]?(inf|nan)\s*$/i.test(text));
}
