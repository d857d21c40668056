/** What both languages must read alike: the vectors in tests/protocol at the root of the project. */

import { readdirSync, readFileSync } from "node:fs";

const FOLDER = `${process.cwd()}/../tests/protocol`;

export function golden(name: string): unknown {
  return JSON.parse(readFileSync(`${FOLDER}/${name}.json`, "utf8"));
}

export function goldenMessages(): ReadonlyMap<string, unknown> {
  const files = readdirSync(`${FOLDER}/messages`).filter((file) => file.endsWith(".json"));
  return new Map(files.map((file) => [file.replace(".json", ""), golden(`messages/${file.replace(".json", "")}`)]));
}
