// Inputs that do nothing as the others are set are hidden, or greyed where setting another one would bring them back.

import { app } from "../../scripts/app.js";
import { chain } from "./node_view.js";

const [SHOWN, GREYED, HIDDEN] = ["shown", "greyed", "hidden"];
const FIRST_TARGET = 2; // of whoever chooses "target" and has set none: half of the steps
const LEVELS = ["static_threshold", "moderate_threshold", "static_interval", "moderate_interval", "active_interval"];

/** What each input of Jano Scheduler is good for, given what the others say. */
const USES = {
  ...Object.fromEntries(LEVELS.map((name) => [name, ofLevels])),
  cooldown: ({ quality }) => (["custom", "target"].includes(quality) ? SHOWN : HIDDEN),
  target_speedup: ({ quality }) => (["custom", "target"].includes(quality) ? SHOWN : HIDDEN),
  cache: ({ references }) => (references === "every step" ? GREYED : SHOWN),
  cache_budget_gb: ({ references, cache }) => (references === "every step" || cache !== "auto" ? GREYED : SHOWN),
};
// Inputs that Nodes 2.0 is not to hide among the advanced ones: those that the choice of a quality is about.
const MAIN = { target: ["target_speedup"], custom: [...LEVELS, "cooldown", "target_speedup"] };
const ASKED = ["quality", "target_speedup", "references", "cache"]; // what those uses depend on

function ofLevels({ quality, target_speedup: target }) {
  if (quality !== "custom") return HIDDEN;
  return target > 0 ? GREYED : SHOWN;
}

/** The quality that a node asks for; null where it has none, or that comes from another node. */
export function qualityOf(node) {
  const widget = widgetOf(node, "quality");
  return widget && !isLinked(node, widget) ? widget.value : null;
}

/** `after` is called when another quality may be asked for. */
export function watchQuality(node, after) {
  const widget = widgetOf(node, "quality");
  if (widget) chain(widget, "callback", after);
  chain(node, "onConnectionsChange", after);
}

/** Keep the inputs of a Jano Scheduler as its settings are; `onResize` is told when there are more or fewer. */
export function watchKnobs(node, onResize) {
  const show = () => showKnobs(node) && onResize();
  const quality = widgetOf(node, "quality");
  if (quality) followQuality(node, quality);
  for (const name of ASKED) {
    const widget = widgetOf(node, name);
    if (widget) chain(widget, "callback", show);
  }
  for (const hook of ["onConfigure", "onConnectionsChange"]) chain(node, hook, show);
  showKnobs(node);
}

/**
 * Whoever chooses "target" gets one to begin with, so that the choice says something by itself; whoever chooses "custom"
 * gets the levels that it shows: a target that was left from before would go on acting in their place.
 */
function followQuality(node, quality) {
  let [before, last] = [quality.value, FIRST_TARGET];
  chain(node, "onConfigure", () => (before = quality.value)); // what a workflow says of both counts
  chain(quality, "callback", (chosen) => {
    const target = widgetOf(node, "target_speedup");
    const isNew = chosen !== before;
    before = chosen;
    if (!target || !isNew || isLinked(node, target)) return;
    if (chosen === "target" && !(target.value > 0)) target.value = last;
    if (chosen !== "custom" || !(target.value > 0)) return;
    last = target.value;
    target.value = 0;
  });
}

/** Whether any input came or went. */
function showKnobs(node) {
  const linked = (name) => isLinked(node, widgetOf(node, name));
  const said = Object.fromEntries(ASKED.map((name) => [name, widgetOf(node, name)?.value]));
  let changed = false;
  for (const [name, useOf] of Object.entries(USES)) {
    const widget = widgetOf(node, name);
    if (!widget) continue;
    const use = linked("quality") || linked(name) ? SHOWN : useOf(said); // what is linked is known when it runs
    changed = setUse(widget, use, MAIN[said.quality]?.includes(name)) || changed;
  }
  return changed;
}

/** Both renderers: the canvas reads the widget, Nodes 2.0 its options. */
function setUse(widget, use, isMain) {
  const isHidden = use === HIDDEN;
  const changed = Boolean(widget.hidden) !== isHidden;
  widget.options ??= {};
  widget.janoAdvanced ??= Boolean(widget.options.advanced);
  widget.hidden = isHidden;
  widget.disabled = use === GREYED;
  Object.assign(widget.options, { hidden: isHidden, disabled: use === GREYED, advanced: widget.janoAdvanced && !isMain });
  return changed;
}

function widgetOf(node, name) {
  return node.widgets?.find((widget) => widget.name === name);
}

function isLinked(node, widget) {
  return Boolean(widget) && (node.inputs ?? []).some((input) => input.widget?.name === widget.name && input.link != null);
}
