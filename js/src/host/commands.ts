/** What a person can have done, as JupyterLab's commands: for the palette, the tool bars, the menus and shortcuts. */

import { familyOf, hasEnded } from "../model";
import type { Basis, Verb } from "../protocol";
import { soon } from "../turns";
import { asTask, documentOf, isTaskCell } from "./cells";
import type { NotebookDesk } from "./desk";
import type { Desks } from "./desks";
import type { Icons } from "./icon";
import type { Sidebar } from "./sidebar";
import { cellLook, isLive, nodeOf } from "./standing";
import { leaveWish } from "./wishes";

export const COMMANDS = {
  run: "flowbook:run",
  runToHere: "flowbook:run-to-here",
  resume: "flowbook:resume",
  cancel: "flowbook:cancel",
  pause: "flowbook:pause",
  step: "flowbook:step",
  retry: "flowbook:retry-task",
  explain: "flowbook:explain-task",
  toggle: "flowbook:toggle-panel",
  show: "flowbook:show-as-flow",
  makeTask: "flowbook:make-task",
  convert: "flowbook:convert-notebook",
} as const;

/** Menus and tool bars give it, to be left out where it has no use; the palette shows all, some greyed. */
type From = "toolbar" | "cell" | "files" | undefined;

interface World {
  readonly app: Application;
  readonly desks: Desks;
  readonly sidebar: Sidebar;
  readonly icons: Icons;
  readonly files: FileBrowserFactory | null;
  readonly trans: { __(text: string): string };
}

export function addCommands(world: World, palette: CommandPalette | null): void {
  const { app, trans } = world;
  for (const [id, options] of Object.entries({ ...runCommands(world), ...cellCommands(world), ...showCommands(world) })) {
    app.commands.addCommand(id, options);
    palette?.addItem({ command: id, category: trans.__("Flow") });
  }
  tellChanges(world);
}

/** The commands about the flow of the notebook and its run. */
function runCommands({ desks, icons, sidebar, trans }: World): Record<string, CommandOptions> {
  const hasFlow = (): boolean => isFlow(desks.current);
  /** A run that a cell started with flow.run() has buttons too. */
  const hasButtons = (): boolean => hasFlow() || (desks.current !== null && isLive(desks.current.state));
  const order = (fromFailed: boolean): Promise<void> | undefined => runAs(desks.current, sidebar, "", fromFailed);
  const button = (verb: Verb): void => desks.current?.command(verb);
  const isPaused = (): boolean => desks.current?.state.model.flow.paused === true;
  return {
    [COMMANDS.run]: {
      label: trans.__("Run Flow"),
      caption: trans.__("Run all tasks of this notebook as a flow"),
      icon: icons.run,
      isEnabled: () => hasFlow() && isFree(desks.current),
      isVisible: (args) => from(args) !== "toolbar" || hasFlow(),
      execute: () => order(false),
    },
    [COMMANDS.resume]: {
      label: trans.__("Resume Flow Where It Failed"),
      caption: trans.__("Keep the tasks that ended well, and run the others"),
      isEnabled: () => hasFlow() && isFree(desks.current) && hasTrouble(desks.current),
      execute: () => order(true),
    },
    [COMMANDS.pause]: {
      label: () => (isPaused() ? trans.__("Go On with Paused Flow") : trans.__("Pause Flow")),
      caption: () => (isPaused() ? trans.__("Let the flow go on") : trans.__("Start no more tasks until it goes on")),
      icon: (args: CommandArguments) => (from(args) === "toolbar" && isPaused() ? icons.run : icons.pause),
      isEnabled: () => may(desks.current, "pause"), // who may pause may go on
      isVisible: (args) => from(args) !== "toolbar" || hasButtons(),
      isToggled: isPaused,
      execute: () => button(isPaused() ? "resume" : "pause"),
    },
    [COMMANDS.step]: {
      label: trans.__("Run One Task of Paused Flow"),
      caption: trans.__("Run one more task, then wait again"),
      icon: icons.step,
      isEnabled: () => may(desks.current, "step"),
      isVisible: (args) => from(args) !== "toolbar" || hasButtons(),
      execute: () => button("step"),
    },
    [COMMANDS.cancel]: {
      label: trans.__("Cancel Flow Run"),
      caption: trans.__("Start no more tasks, and stop those that run where that can be done"),
      icon: icons.cancel,
      isEnabled: () => may(desks.current, "cancel"),
      isVisible: (args) => from(args) !== "toolbar" || hasButtons(),
      execute: () => button("cancel"),
    },
  };
}

/** The commands about the cell that is selected. */
function cellCommands({ desks, icons, sidebar, trans }: World): Record<string, CommandOptions> {
  const cell = (): CellWidget | null => desks.current?.panel.content.activeCell ?? null;
  const isTask = (): boolean => {
    const [desk, id] = [desks.current, cell()?.model.id];
    return desk !== null && id !== undefined && cellLook(desk.state, id)?.role === "task";
  };
  const node = (): number | null => {
    const [desk, id] = [desks.current, cell()?.model.id];
    return desk === null || id === undefined ? null : nodeOf(desk.state, id);
  };
  /** What the cell would be as a task cell: as the kernel proposes it, which gives it a good name, else simply. */
  const ready = (): string | null => {
    const [desk, model] = [desks.current, cell()?.model];
    if (desk === null || model?.type !== "code") return null;
    return cellLook(desk.state, model.id)?.converted || asTask(model.sharedModel.getSource());
  };
  return {
    [COMMANDS.runToHere]: {
      label: trans.__("Run Flow to This Cell"),
      caption: trans.__("Run this task, and before it what it needs and is out of date"),
      icon: icons.runTo,
      isEnabled: () => isTask() && isFree(desks.current),
      isVisible: (args) => (from(args) !== "toolbar" && from(args) !== "cell") || isTask(),
      execute: () => runAs(desks.current, sidebar, cell()?.model.id ?? "", false),
    },
    [COMMANDS.retry]: {
      label: trans.__("Run Task of This Cell Again"),
      caption: trans.__("While the flow runs: try a task that failed or waits for its next attempt at once"),
      isEnabled: () => isRetryable(desks.current, node()) && (isLive(state(desks.current)) || isFree(desks.current)),
      execute: () => retry(desks.current, cell()?.model.id, node()),
    },
    [COMMANDS.explain]: {
      label: trans.__("Why Did This Task End Like This?"),
      isEnabled: () => node() !== null,
      isVisible: (args) => from(args) !== "cell" || node() !== null,
      execute: () => {
        desks.current?.choose(node());
        sidebar.open();
      },
    },
    [COMMANDS.makeTask]: {
      label: trans.__("Make Task of This Cell"),
      caption: trans.__("Write %%task on top of the cell"),
      icon: icons.flow,
      isEnabled: () => ready() !== null,
      isVisible: (args) => from(args) !== "cell" || !isTaskCell(cell()?.model.sharedModel.getSource() ?? ""),
      execute: () => {
        const [desk, id, source] = [desks.current, cell()?.model.id, ready()];
        if (desk === null || id === undefined || source === null) return undefined;
        desk.rewrite(id, source);
        return isFlow(desk) ? undefined : desk.open("tasks"); // so that the kernel knows %%task
      },
    },
  };
}

/** The commands that show things. */
function showCommands({ app, desks, icons, sidebar, files, trans }: World): Record<string, CommandOptions> {
  const show = async (desk: NotebookDesk | null, basis: Basis | null): Promise<void> => {
    sidebar.open();
    await desk?.open(basis ?? basisOf(desk));
  };
  return {
    [COMMANDS.toggle]: {
      label: trans.__("Flow Panel"),
      isToggled: () => sidebar.isOpen,
      execute: () => (sidebar.isOpen ? sidebar.close() : sidebar.open()),
    },
    [COMMANDS.show]: {
      label: trans.__("Show as Flow"),
      caption: trans.__("Show this notebook as a flow; its kernel loads flowbook for that, and nothing is run"),
      icon: icons.flow,
      isEnabled: (args) => from(args) === "files" || desks.current !== null,
      isVisible: (args) => from(args) !== "toolbar" || !isFlow(desks.current),
      execute: async (args) => {
        if (from(args) !== "files") return show(desks.current, null);
        for (const item of files?.tracker.currentWidget?.selectedItems() ?? []) {
          if (item.type !== "notebook") continue;
          const panel = await app.commands.execute("docmanager:open", { path: item.path });
          if (isOpenHere(panel)) await panel.context.ready.then(() => show(desks.of(panel), null));
          else leaveWish(item.path); // in Notebook 7 it opens in a page of its own, which finds the wish
        }
      },
    },
    [COMMANDS.convert]: {
      label: trans.__("Convert Notebook to Flow…"),
      caption: trans.__("See what flow all cells of this notebook would make; nothing is changed or run"),
      isEnabled: () => desks.current !== null,
      execute: () => show(desks.current, "document"),
    },
  };
}

/** What a notebook is as a flow when nobody said: its task cells, else all of it. */
export function basisOf(desk: NotebookDesk): Basis {
  const { basis } = documentOf("", desk.panel.content.model?.cells ?? [], null);
  return basis === "tasks" ? "tasks" : "document";
}

/** Have menus and tool bars look again, but only when something they show is different. */
function tellChanges({ app, desks }: World): void {
  let shown = "";
  const turn = soon(() => {
    const desk = desks.current;
    const cell = desk?.panel.content.activeCell?.model.id ?? "";
    const told = desk === null ? null : (({ status, busy, model, look: at }) => [
      status,
      busy,
      at?.basis,
      at?.run,
      isLive(desk.state),
      model.flow.paused,
      model.picture?.controls,
      hasTrouble(desk),
      cellLook(desk.state, cell)?.role,
      isRetryable(desk, nodeOf(desk.state, cell)),
    ])(desk.state);
    const text = JSON.stringify([desk?.panel.id, cell, told]);
    if (text === shown) return;
    shown = text;
    for (const id of Object.values(COMMANDS)) if (app.commands.hasCommand(id)) app.commands.notifyCommandChanged(id);
  });
  desks.changed.connect(() => turn.want());
  desks.moved.connect(() => turn.want());
}

function from(args: CommandArguments): From {
  const where = args["from"];
  return where === "toolbar" || where === "cell" || where === "files" ? where : undefined;
}

function state(desk: NotebookDesk | null): NotebookDesk["state"] {
  if (desk === null) throw new Error("no notebook is open"); // asked for only where one is
  return desk.state;
}

function isFlow(desk: NotebookDesk | null): boolean {
  const look = desk?.state.status === "on" ? desk.state.look : null;
  if (look === null || look === undefined || look.basis === "nothing") return false;
  return look.basis === "document" || look.run !== "" || look.cells.some((cell) => cell.role !== "outside") || look.problems.length > 0;
}

/** Whether another run may begin. */
function isFree(desk: NotebookDesk | null): boolean {
  return desk !== null && !desk.state.busy && !isLive(desk.state);
}

function may(desk: NotebookDesk | null, verb: Verb): boolean {
  return desk !== null && isLive(desk.state) && desk.state.model.picture?.controls.includes(verb) === true;
}

/** Whether the flow has run, and something of it would run again if it went on. */
function hasTrouble(desk: NotebookDesk | null): boolean {
  const cells = desk?.state.look?.cells ?? [];
  const isBad = (state: string): boolean => state !== "" && familyOf(state) !== "good";
  return cells.some((cell) => cell.state !== "") && cells.some((cell) => cell.again !== "" || isBad(cell.state));
}

function isRetryable(desk: NotebookDesk | null, node: number | null): boolean {
  if (desk === null || node === null) return false;
  const word = desk.state.model.looks.get(node)?.state ?? "";
  return familyOf(word) === "bad" || word === "Retrying" || (word !== "" && hasEnded(word) && familyOf(word) !== "good");
}

/** Run with what is typed into the panel's form; a wrong field is shown there, and nothing runs. */
function runAs(desk: NotebookDesk | null, sidebar: Sidebar, to: string, fromFailed: boolean): Promise<void> | undefined {
  if (desk === null) return undefined;
  const parameters = desk.form === null ? {} : desk.form();
  if (parameters !== null) return desk.run({ to, from_failed: fromFailed, parameters });
  sidebar.open();
  return undefined;
}

function retry(desk: NotebookDesk | null, cell: string | undefined, node: number | null): unknown {
  if (desk === null || cell === undefined || node === null) return undefined;
  if (isLive(desk.state)) return desk.command("retry", node);
  return desk.run({ to: cell, from_failed: false, parameters: {} });
}

function isOpenHere(widget: unknown): widget is NotebookPanel {
  const isNotebook = typeof widget === "object" && widget !== null && "content" in widget && "context" in widget;
  if (!isNotebook) return false;
  const panel = widget as NotebookPanel;
  return !panel.isDisposed && panel.node.isConnected;
}
