// Jano in ComfyUI's editor: the nodes that accelerate show their run while it goes on, and keep it with the workflow.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addView, chain, isCopy, putInPlace, watchMode } from "./node_view.js";
import { PROPERTY, RunRecord } from "./run_record.js";
import { RunView } from "./run_view.js";
import { TableView } from "./table_view.js";
import { isTold } from "./told.js";
import { wordsFor } from "./words.js";
import { isOnCanvas, loaded, nodeOf, openWorkflow, rewrite, watchQueue, workflowOf } from "./workflows.js";

const RUNS = new Set(["JanoScheduler", "JanoModelLoader", "JanoAnalyzer"]);
const TABLES = new Set(["JanoReport", "JanoCompare", "FlashVAEDCompare", "FlashVAEDCompress"]);
// Pixels that a new node has at least: a line of the run's text, two columns of a table, a map and its outputs.
const WIDTHS = {
  JanoReport: 360,
  JanoCompare: 320,
  JanoConvergenceMap: 300,
  FlashVAEDCompare: 360,
  FlashVAEDCompress: 360,
};
const RUN_WIDTH = 300;

const views = new WeakMap(); // node -> RunView or TableView
const memory = new WeakMap(); // workflow -> Map: the server's id of a node -> its RunRecord, or its table
const NO_TABS = {}; // stands for the workflow where the host has no tabs
let running = null; // { workflow, path, record } of the last step: previews belong to it

app.registerExtension({
  name: "Jano.RunView",
  setup() {
    const style = document.createElement("link");
    style.rel = "stylesheet";
    style.href = new URL("./jano.css", import.meta.url).href;
    document.head.append(style);
    watchQueue();
    api.addEventListener("jano.step", ({ detail }) => onStep(detail));
    api.addEventListener("jano.end", ({ detail }) => onEnd(detail));
    api.addEventListener("executed", ({ detail }) => onExecuted(detail));
    api.addEventListener("b_preview_with_metadata", ({ detail }) => onPreview(detail));
    for (const stop of ["execution_interrupted", "execution_error"]) {
      api.addEventListener(stop, ({ detail }) => onStopped(detail));
    }
  },
  nodeCreated(node) {
    const { comfyClass } = node;
    if (RUNS.has(comfyClass)) attachRun(node);
    if (TABLES.has(comfyClass)) attachTable(node);
    const width = WIDTHS[comfyClass] ?? (RUNS.has(comfyClass) ? RUN_WIDTH : 0);
    if (width) node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], node.computeSize()[1])]);
  },
  afterConfigureGraph() {
    comeBack(); // not awaited: the host does not go on before this returns
  },
});

/** Give a node its run view, as its last widget; it is no input and saves no widget value. */
function attachRun(node) {
  const view = attach(node, "jano_run", (onResize) => new RunView(words(), onResize));
  watchMode(node, () => view.setMode(node.mode));
  chain(node, "onConfigure", (saved) => {
    const record = isCopy(saved) ? null : RunRecord.from(node.properties?.[PROPERTY], node.id);
    if (!record) delete node.properties?.[PROPERTY];
    view.load(record);
  });
}

/** Give a node the table that it makes. */
function attachTable(node) {
  attach(node, "jano_table", (onResize) => new TableView(words(), onResize));
}

function attach(node, name, make) {
  const view = addView(node, name, make);
  views.set(node, view);
  chain(node, "onRemoved", () => views.delete(node));
  return view;
}

function words() {
  return wordsFor(app.extensionManager?.setting?.get("Comfy.Locale"));
}

function onStep(event) {
  const workflow = workflowOf(event.prompt_id);
  if (workflow === undefined) return;
  const record = recordOf(workflow, event);
  record.add(event);
  running = { workflow, path: event.node, record };
  show(workflow, event.node, record);
}

function onPreview({ blob, jobId }) {
  if (!running || (jobId && jobId !== running.record.prompt)) return;
  const { workflow, path, record } = running;
  record.addPicture(blob);
  show(workflow, path, record);
}

function onEnd(event) {
  const workflow = workflowOf(event.prompt_id);
  if (workflow === undefined) return;
  const record = recordOf(workflow, event); // a new one for a run that was native from the start
  record.end(event);
  keep(workflow, event.node, record);
}

function onStopped({ prompt_id }) {
  const workflow = workflowOf(prompt_id);
  for (const [path, record] of workflow === undefined ? [] : memoryOf(workflow)) {
    if (record.prompt !== prompt_id || record.ended) continue;
    record.stop();
    keep(workflow, path, record);
  }
}

/** What a Report or Compare says of its run, wherever the host would show it. */
function onExecuted({ prompt_id, node, display_node, output }) {
  const workflow = workflowOf(prompt_id);
  if (workflow === undefined || !output?.text?.length) return;
  const [path, text] = [display_node ?? node, [output.text].flat().join("")];
  const shown = { text, table: areRows(output.jano_table) ? output.jano_table : null };
  memoryOf(workflow).set(path, shown);
  show(workflow, path, shown);
}

function areRows(table) {
  return Array.isArray(table) && table.every((row) => Array.isArray(row) && row.length === 2 && row.every((told) => isTold(told)));
}

function memoryOf(workflow) {
  const key = workflow ?? NO_TABS;
  if (!memory.has(key)) memory.set(key, new Map());
  return memory.get(key);
}

/** The record that an event belongs to. */
function recordOf(workflow, event) {
  const records = memoryOf(workflow);
  if (!records.has(event.node) || records.get(event.node).isOver(event)) {
    records.set(event.node, new RunRecord(event.prompt_id, event.node.split(":").at(-1)));
  }
  return records.get(event.node);
}

/** Show what belongs to a node, if it is on the canvas. */
function show(workflow, path, shown) {
  if (isOnCanvas(workflow)) views.get(nodeOf(path))?.update(shown);
}

/** Put a run that is over into its workflow, on the canvas or not, so that it comes back with it. */
async function keep(workflow, path, record) {
  if (running?.record === record) running = null;
  show(workflow, path, record);
  await record.keepPicture();
  await loaded();
  const run = { [PROPERTY]: record.saved() };
  const node = isOnCanvas(workflow) ? nodeOf(path) : null;
  if (RUNS.has(node?.comfyClass)) Object.assign(node.properties, run);
  const isRun = ({ type }) => RUNS.has(type);
  rewrite(workflow, path, (saved) => (isRun(saved) ? { ...saved, properties: { ...saved.properties, ...run } } : saved));
}

/** After a workflow was loaded, which undo does too: what goes on in it, and what its nodes showed before. */
async function comeBack() {
  await loaded();
  const workflow = openWorkflow();
  for (const [path, shown] of memoryOf(workflow)) {
    const saved = nodeOf(path)?.properties?.[PROPERTY];
    const isOther = shown.ended && JSON.stringify(saved) !== JSON.stringify(shown.saved());
    if (!isOther) show(workflow, path, shown);
  }
  putInPlace(views);
}
