// What this page has seen since it was opened: the seconds that its runs saved, and the reasons that it has told.

import { app } from "../../scripts/app.js";
import { isOn } from "./settings.js";

const LIFE = 10_000; // ms that a message stays

const saved = new Map(); // prompt and node of a run -> seconds
const reasons = new Set();

/** Count a run, again where more is known of it; returns how many there were and the seconds saved by all. */
export function count(record) {
  saved.set(`${record.prompt} ${record.data.node}`, record.saved_seconds);
  return { runs: saved.size, seconds: [...saved.values()].reduce((sum, one) => sum + one, 0) };
}

/** A message that nothing was accelerated, and why: once for each reason. */
export function warn(summary, detail) {
  if (!detail || reasons.has(detail) || !isOn("Jano.toasts")) return;
  reasons.add(detail);
  app.extensionManager?.toast?.add({ severity: "info", summary, detail, life: LIFE });
}
