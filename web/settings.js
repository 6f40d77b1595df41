// What the user can switch off: Settings > Jano.

import { app } from "../../scripts/app.js";

const SWITCHES = {
  "Jano.live": ["Show a run on its node while it goes on", "Off: the node shows the result alone, without a map."],
  "Jano.map": ["Show the map over the preview", "Off: the preview alone, and the steps below it."],
  "Jano.keep": ["Keep the last run in the workflow", "Off: it is gone with the page, and the workflow's file stays small."],
  "Jano.toasts": ["Say when a run was not accelerated", "A message with the reason, once for each reason."],
};

/** For registerExtension; `onChange` hears of every change. */
export function settings(onChange) {
  return Object.entries(SWITCHES).map(([id, [name, tooltip]]) => ({
    id,
    name,
    tooltip,
    category: ["Jano", "Runs", id],
    type: "boolean",
    defaultValue: true,
    onChange,
  }));
}

export function isOn(id) {
  return app.extensionManager?.setting?.get(id) ?? true;
}
