/** The settings of a person, as js/schema/plugin.json declares them. */

import { Bell } from "./bell";
import type { Side } from "./sidebar";

export interface Settings {
  readonly cellMarks: boolean;
  readonly panelSide: Side;
  readonly statusBar: boolean;
  readonly notifyHidden: boolean;
  readonly motion: boolean;
}

const DEFAULTS: Settings = { cellMarks: true, panelSide: "right", statusBar: true, notifyHidden: true, motion: true };

export class SettingsKeeper {
  readonly changed = new Bell<Settings>();
  private kept = DEFAULTS;

  get now(): Settings {
    return this.kept;
  }

  /** Without a registry, or with a page that knows nothing of our schema, the defaults stay. */
  async load(registry: SettingRegistry | null, plugin: string): Promise<void> {
    if (registry === null) return;
    try {
      const settings = await registry.load(plugin);
      const read = (): void => {
        this.kept = settingsOf(settings.composite);
        this.changed.ring(this.kept);
      };
      settings.changed.connect(read);
      read();
    } catch (error) {
      console.warn("flowbook: its settings can't be read; the defaults hold.", error);
    }
  }
}

export function settingsOf(composite: Readonly<Record<string, unknown>>): Settings {
  const flag = (name: "cellMarks" | "statusBar" | "notifyHidden" | "motion"): boolean => {
    const value = composite[name];
    return typeof value === "boolean" ? value : DEFAULTS[name];
  };
  return {
    cellMarks: flag("cellMarks"),
    panelSide: composite["panelSide"] === "left" ? "left" : "right",
    statusBar: flag("statusBar"),
    notifyHidden: flag("notifyHidden"),
    motion: flag("motion"),
  };
}
