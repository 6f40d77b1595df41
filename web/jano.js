// Jano in ComfyUI's editor: the nodes that accelerate show their run while it goes on, and keep it with the workflow.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { PROPERTY, RunRecord } from "./run_record.js";
import { RunView } from "./run_view.js";
import { TableView } from "./table_view.js";
import { wordsFor } from "./words.js";

const NODES = new Set(["JanoScheduler", "JanoModelLoader", "JanoAnalyzer"]);
const TABLES = new Set(["JanoReport", "JanoCompare"]);
const views = new WeakMap(); // node -> RunView
let running = null; // the node whose run goes on: previews belong to it

app.registerExtension({
  name: "Jano.RunView",
  setup() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./jano.css", import.meta.url).href;
    document.head.append(style);
    api.addEventListener("jano.step", ({ detail }) => onStep(detail));
    api.addEventListener("jano.end", ({ detail }) => onEnd(detail));
    api.addEventListener("b_preview_with_metadata", ({ detail }) => views.get(running)?.onPicture(detail.blob));
    for (const stop of ["execution_interrupted", "execution_error"]) api.addEventListener(stop, onStopped);
  },
  nodeCreated(node) {
    if (NODES.has(node.comfyClass)) attachRun(node);
    if (TABLES.has(node.comfyClass)) attachTable(node);
  },
});

/** Give a node its run view, as its last widget; it is no input and saves no widget value. */
function attachRun(node) {
  const view = new RunView(wordsFor(app.extensionManager?.setting?.get("Comfy.Locale")), () => makeRoom(node));
  addView(node, "jano_run", view);
  views.set(node, view);
  chain(node, "onConfigure", () => view.load(RunRecord.from(node.properties?.[PROPERTY])));
  chain(node, "onRemoved", () => {
    if (running === node) running = null;
    views.delete(node);
    view.dispose();
  });
}

/** Give a node the table that it makes. */
function attachTable(node) {
  const view = new TableView();
  addView(node, "jano_table", view);
  chain(node, "onExecuted", (output) => {
    if (!output?.text?.length) return;
    view.show([output.text].flat().join(""));
    makeRoom(node);
  });
}

function addView(node, name, view) {
  const options = { serialize: false, hideOnZoom: false, getMinHeight: () => view.minHeight };
  node.addDOMWidget(name, name, view.element, options).serialize = false;
}

function chain(node, hook, after) {
  const before = node[hook];
  node[hook] = function (...args) {
    const result = before?.apply(this, args);
    after(...args);
    return result;
  };
}

/** Let a node grow where its view no longer fits; it never shrinks below what the user gave it. */
function makeRoom(node) {
  if (!node.graph) return;
  const [width, height] = node.size;
  node.setSize([width, Math.max(height, node.computeSize()[1])]);
  app.canvas?.setDirty(true, true);
}

function onStep(event) {
  const node = nodeOf(event.node);
  if (!node) return;
  running = node;
  views.get(node).onStep(event);
}

async function onEnd(event) {
  const node = nodeOf(event.node);
  if (!node) return;
  if (running === node) running = null;
  await views.get(node).onEnd(event);
  keep(node);
}

function onStopped() {
  const node = running;
  running = null;
  if (!views.has(node)) return;
  views.get(node).onStopped();
  keep(node);
}

/** Put the run into the workflow, so that it comes back with it. */
function keep(node) {
  const record = views.get(node)?.record;
  if (!record) return;
  node.properties[PROPERTY] = record.saved();
  app.extensionManager?.workflow?.activeWorkflow?.changeTracker?.captureCanvasState?.();
}

/** The node that the server means: inside of subgraphs its id is a path such as "3:1:7". */
function nodeOf(id) {
  let graph = app.rootGraph ?? app.graph;
  let node = null;
  for (const part of String(id).split(":")) {
    node = graph?.getNodeById(part) ?? graph?.getNodeById(Number(part)) ?? null;
    graph = node?.subgraph;
  }
  return views.has(node) ? node : null;
}
