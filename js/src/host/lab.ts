/**
 * The labextension for JupyterLab and Notebook 7: one plugin that draws our MIME type and brings the flow of a notebook
 * to its cells, tool bars, menus, side panel, status bar and list of what is running.
 *
 * The file is a module-federation container written by hand: `init` keeps JupyterLab's share scope, `get` takes the
 * few shared modules out of it and gives them to the plugin. So the bundle needs nothing of JupyterLab to be built.
 */

import { addRenderer } from "./renderer";
import { type Services, startWorkbench, type Toolkit } from "./workbench";

type Module = Readonly<Record<string, unknown>>;

/** What an application must share with us, and what makes more of us visible where it is there. */
const NEEDED = ["@lumino/widgets", "@jupyterlab/rendermime", "@jupyterlab/notebook"];
const USEFUL = [
  "@jupyterlab/application",
  "@jupyterlab/apputils",
  "@jupyterlab/filebrowser",
  "@jupyterlab/running",
  "@jupyterlab/settingregistry",
  "@jupyterlab/statusbar",
  "@jupyterlab/translation",
  "@jupyterlab/ui-components",
];

/** Services by the names of their tokens, which are members of the modules. */
const SERVICES = {
  tracker: "INotebookTracker",
  palette: "ICommandPalette",
  restorer: "ILayoutRestorer",
  translator: "ITranslator",
  toolbars: "IToolbarWidgetRegistry",
  statusBar: "IStatusBar",
  running: "IRunningSessionManagers",
  settings: "ISettingRegistry",
  files: "IFileBrowserFactory",
} as const satisfies Record<keyof Services, string>;

let scope: ShareScope = {};

const container: Container = {
  init(shared) {
    scope = shared;
  },
  async get(module) {
    if (module !== "./extension") throw new Error(`${NAME} has no module '${module}'`);
    const needed = await Promise.all(NEEDED.map(load));
    const useful = await Promise.all(USEFUL.map((name) => load(name).catch((error: unknown) => missing(error))));
    const plugin = makePlugin(Object.assign({}, ...useful, ...needed) as Module);
    return () => ({ __esModule: true, default: plugin });
  },
};

(window._JUPYTERLAB ??= {})[NAME] = container;

/** The newest version of a shared module. */
async function load(name: string): Promise<Module> {
  const versions = Object.entries(scope[name] ?? {}).sort(([a], [b]) => compareVersions(a, b));
  const newest = versions.at(-1)?.[1];
  if (newest === undefined) throw new Error(`${NAME} needs '${name}', which this page does not share`);
  return (await newest.get())() as Module;
}

function missing(error: unknown): Module {
  console.info("flowbook: one piece of the page is left out.", error);
  return {};
}

function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

function makePlugin(shared: Module): LabPlugin {
  // Only what the page knows can be asked for.
  const asked = Object.entries(SERVICES).filter(([, token]) => shared[token] !== undefined);
  return {
    id: `${NAME}:plugin`,
    description: "Shows flows and their runs, live and saved, and notebooks as flows.",
    autoStart: true,
    requires: [shared["IRenderMimeRegistry"]],
    optional: asked.map(([, token]) => shared[token]),
    activate(app, registry, ...given) {
      const services = Object.fromEntries(asked.map(([name], place) => [name, given[place] ?? null]));
      const all = { ...Object.fromEntries(Object.keys(SERVICES).map((name) => [name, null])), ...services };
      const { tracker } = all as unknown as Services;
      addRenderer(shared["Widget"] as new () => LuminoWidget, app, registry as RenderMimeRegistry, tracker);
      if (tracker !== null) startWorkbench(app, shared as unknown as Toolkit, all as unknown as Services, tracker);
    },
  };
}
