/** Brings together what a notebook's flow has in JupyterLab around the cells' own outputs; each piece where it can be. */

import { addCommands, basisOf } from "./commands";
import type { NotebookDesk } from "./desk";
import { Desks, FollowingDesk } from "./desks";
import { watchEndings } from "./endings";
import { type IconClass, makeIcons } from "./icon";
import { CellMarks } from "./marks";
import css from "./marks.css";
import { dressPage } from "./palette";
import { addStatusItem, progressWidget } from "./progress";
import { addRunning } from "./running";
import { recallPanel } from "./remembered";
import { SettingsKeeper } from "./settings";
import { makeSidebar, PANEL_ID, type Sidebar } from "./sidebar";
import { nodeOf } from "./standing";
import { takeWish } from "./wishes";

/** What we take from the shared modules, beside the tokens of services. */
export interface Toolkit {
  readonly Widget: new () => LuminoWidget;
  readonly NotebookActions?: { readonly executed: Signal<unknown, ExecutedCell> };
  readonly Notification?: NotificationApi;
  readonly LabIcon?: IconClass;
}

/** Services of the application; an application need not have any of them. */
export interface Services {
  readonly tracker: NotebookTracker | null;
  readonly palette: CommandPalette | null;
  readonly restorer: LayoutRestorer | null;
  readonly translator: Translator | null;
  readonly toolbars: ToolbarRegistry | null;
  readonly statusBar: StatusBar | null;
  readonly running: RunningManagers | null;
  readonly settings: SettingRegistry | null;
  readonly files: FileBrowserFactory | null;
}

const PLAIN: { __(text: string): string } = { __: (text) => text };

export function startWorkbench(app: Application, toolkit: Toolkit, services: Services, tracker: NotebookTracker): void {
  dressPage(document, css);
  const trans = services.translator?.load("jupyter_flowbook") ?? PLAIN;
  const icons = makeIcons(toolkit.LabIcon ?? null);
  const settings = new SettingsKeeper();
  const desks = new Desks(tracker, { show: (panel) => app.shell.activateById(panel.id) });
  toolkit.NotebookActions?.executed.connect((_, { notebook }) => desks.executed(notebook));
  const title = { label: trans.__("Flow"), icon: icons.flow };
  const wasOpen = recallPanel(); // before the panel is made, which is closed at first
  const sidebar = makeSidebar(toolkit.Widget, app.shell, new FollowingDesk(desks), title);
  sidebar.stand(settings.now.panelSide);
  services.restorer?.add(sidebar.widget, PANEL_ID);
  // JupyterLab has restored its side bars by then; Notebook 7 leaves them closed.
  if (wasOpen) void app.restored?.then(() => sidebar.reopen());
  addCommands({ app, desks, sidebar, icons, files: services.files, trans }, services.palette);
  markCells(desks, settings, sidebar);
  grantWishes(desks, sidebar);
  services.toolbars?.addFactory("Notebook", "flowbook-progress", (panel) => {
    return progressWidget(toolkit.Widget, desks.of(panel), () => sidebar.open());
  });
  const show = (desk: NotebookDesk): void => {
    app.shell.activateById(desk.panel.id);
    sidebar.open();
  };
  if (services.running !== null) addRunning(services.running, desks, trans, icons.flow, show);
  watchEndings(desks, settings, toolkit.Notification ?? null, ({ desk }) => show(desk), trans);
  const status = addStatus(toolkit, services, desks, settings, sidebar);
  settings.changed.connect((_, { panelSide, motion }) => {
    sidebar.stand(panelSide);
    document.body.toggleAttribute("data-flowbook-calm", !motion);
    status?.look();
  });
  void settings.load(services.settings, `${NAME}:plugin`);
}

function addStatus(
  { Widget }: Toolkit,
  { statusBar }: Services,
  desks: Desks,
  settings: SettingsKeeper,
  sidebar: Sidebar,
): { look(): void } | null {
  if (statusBar === null) return null;
  return addStatusItem(Widget, statusBar, desks, () => settings.now.statusBar, () => sidebar.open());
}

/** Each notebook's cells have their marks; a click on one shows its node. */
function markCells(desks: Desks, settings: SettingsKeeper, sidebar: Sidebar): void {
  const mark = (desk: NotebookDesk): void => {
    const marks = new CellMarks(desk, (cell) => {
      desk.reveal(cell);
      desk.choose(nodeOf(desk.state, cell));
      sidebar.open();
    });
    const look = (): void => marks.show(settings.now.cellMarks);
    look();
    settings.changed.connect(look);
    desk.panel.disposed.connect(() => {
      settings.changed.disconnect(look);
      marks.dispose();
    });
  };
  desks.all().forEach(mark);
  desks.added.connect((_, desk) => mark(desk));
}

/** Notebooks that were opened from a list of files to be seen as flows. */
function grantWishes(desks: Desks, sidebar: Sidebar): void {
  const grant = async (desk: NotebookDesk): Promise<void> => {
    await desk.panel.context.ready;
    if (!takeWish(desk.panel.context.path)) return;
    sidebar.open();
    await desk.open(basisOf(desk));
  };
  desks.all().forEach((desk) => void grant(desk));
  desks.added.connect((_, desk) => void grant(desk));
}
