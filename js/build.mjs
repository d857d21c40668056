/**
 * Builds what the wheel carries: the widget and the page script for `flowbook/notebook/static`, and the labextension.
 *
 * `node build.mjs` writes all of it in a fraction of a second; `--pages` also builds the scripts of demo/ and of the
 * benches into `.built` (`--only-pages`: nothing but these), and `--watch` builds again whenever a source changes.
 */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGE = join(HERE, "..", "flowbook");
const STATIC = join(PACKAGE, "notebook", "static");
const LAB = join(PACKAGE, "labextension");
const { name, version, description, license } = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));

/** A stylesheet imported by a script becomes its text, minified. */
export const styleText = {
  name: "style-text",
  setup(build) {
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

async function bundle(entry, format, { minify = true } = {}) {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: HERE,
    entryPoints: [entry],
    bundle: true,
    write: false,
    minify,
    charset: "utf8",
    format,
    target: "es2022",
    legalComments: "none",
    plugins: [styleText],
    define: { NAME: JSON.stringify(name), VERSION: JSON.stringify(version) },
  });
  return outputFiles[0].text;
}

async function buildAll() {
  const [widget, page, lab] = await Promise.all([
    bundle("src/host/widget.ts", "esm"),
    bundle("src/host/page.ts", "iife"),
    bundle("src/host/lab.ts", "iife"),
  ]);
  write(join(STATIC, "widget.js"), widget);
  write(join(STATIC, "page.js"), page);
  writeLabextension(lab);
}

/** Pages for those who work on the view; plain scripts, so that they open from the disk. */
async function buildPages() {
  for (const page of ["demo/demo", "demo/panel", "test/bench", "test/panelbench"]) {
    write(join(HERE, ".built", `${page.split("/").at(-1)}.js`), await bundle(`${page}.ts`, "iife", { minify: false }));
  }
}

/** A prebuilt extension is a folder with two manifests and a script that sets a module-federation container. */
function writeLabextension(script) {
  // JupyterLab's server lets browsers keep files of extensions, so a changed script needs a changed name.
  for (const part of ["static", "schemas"]) rmSync(join(LAB, part), { recursive: true, force: true });
  const hash = createHash("sha256").update(script).digest("hex").slice(0, 12);
  const load = `static/remoteEntry.${hash}.js`;
  // The server looks for the settings of plugin `name:plugin` here.
  write(join(LAB, "schemas", name, "plugin.json"), readFileSync(join(HERE, "schema", "plugin.json"), "utf8"));
  write(join(LAB, "schemas", name, "package.json.orig"), JSON.stringify({ name, version })); // for their version
  const manifest = {
    name,
    version,
    description,
    license,
    keywords: ["jupyterlab-extension"],
    jupyterlab: { extension: true, outputDir: ".", schemaDir: "schemas", _build: { load, extension: "./extension" } },
  };
  const install = {
    packageManager: "python",
    packageName: name,
    uninstallInstructions: `Use your Python package manager (pip, conda, …) to uninstall the package ${name}`,
  };
  write(join(LAB, load), script);
  write(join(LAB, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  write(join(LAB, "install.json"), `${JSON.stringify(install, null, 2)}\n`);
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

async function main() {
  const build = async () => {
    const isPagesOnly = process.argv.includes("--only-pages");
    if (!isPagesOnly) await buildAll();
    if (isPagesOnly || process.argv.includes("--pages")) await buildPages();
  };
  await build();
  if (!process.argv.includes("--watch")) return;
  let timer;
  for (const sources of ["src", "schema"]) {
    watch(join(HERE, sources), { recursive: true }, () => {
      clearTimeout(timer);
      timer = setTimeout(() => build().catch((error) => console.error(error.message)), 50);
    });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
