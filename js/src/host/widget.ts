/** The anywidget adapter, for every host that knows anywidget and has no labextension of ours. */

import type { AnyModel, Render } from "@anywidget/types";
import { acceptBundle, acceptMessage } from "../accept";
import type { Channel, Ear } from "../channel";
import { type Bundle, PROTOCOL, type ToKernel } from "../protocol";
import { mount } from "../view";

/** The synced traits: the bundle as it would be saved, or null until Python sets it. */
interface Traits extends Record<string, unknown> {
  bundle?: unknown;
}

const render: Render<Traits> = ({ model, el }) => {
  const host = document.createElement("div");
  el.append(host);
  const view = mount(host, bundleOf(model));
  const onBundle = (): void => {
    const bundle = bundleOf(model);
    if (bundle !== null) view.update(bundle);
  };
  model.on("change:bundle", onBundle);
  // A view that joins late has missed everything: connecting asks for the picture and a snapshot.
  view.connect(channelOf(model));
  return () => {
    model.off("change:bundle", onBundle);
    view.dispose();
    host.remove();
  };
};

/**
 * Speak through the widget's comm. It always counts as open: the buttons wait for a first answer anyway, and a widget
 * whose kernel is gone gives none.
 */
function channelOf(model: AnyModel<Traits>): Channel {
  const send = (message: ToKernel): void => model.send(message);
  return {
    send,
    listen(ear: Ear) {
      const hear = (data: unknown): void => {
        const message = acceptMessage(data);
        if (message !== null) ear.hear(message);
      };
      const part = (): void => ear.turn("closed");
      model.on("msg:custom", hear);
      model.on("comm_live_update", part);
      send({ type: "hello", protocol: PROTOCOL, view: crypto.randomUUID() });
      ear.turn("open");
      return () => {
        model.off("msg:custom", hear);
        model.off("comm_live_update", part);
      };
    },
  };
}

function bundleOf(model: AnyModel<Traits>): Bundle | null {
  return acceptBundle(model.get("bundle"));
}

export default { render };
