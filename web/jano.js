// Jano in ComfyUI's editor: the nodes that accelerate show their run while it goes on, and keep it with the workflow.

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { CompareView } from "./compare_view.js";
import { against, keepFull, queuedAs, watchSamplers } from "./full_runs.js";
import { told } from "./headline.js";
import { qualityOf, watchKnobs, watchQuality } from "./knobs.js";
import { addView, chain, dropPreviews, isCopy, keepRoom, makeRoom, putInPlace, watchMode } from "./node_view.js";
import { duration } from "./numbers.js";
import { tellRejected } from "./rejected.js";
import { ReportView } from "./report_view.js";
import { PROPERTY, RunRecord } from "./run_record.js";
import { RunView } from "./run_view.js";
import { count, warn } from "./session.js";
import { isOn, settings } from "./settings.js";
import { ShownTable, TABLE_PROPERTY } from "./shown_table.js";
import { TableView } from "./table_view.js";
import { colourTitle, redraw } from "./title.js";
import { wordsFor } from "./words.js";
import { isOnCanvas, loaded, nodeOf, openWorkflow, rewrite, watchQueue, workflowOf } from "./workflows.js";
import { watchZoom } from "./zoom.js";

const RUNS = new Set(["JanoScheduler", "JanoModelLoader", "JanoAnalyzer"]);
const TABLES = new Set(["JanoReport", "JanoCompare", "JanoSweep", "FlashVAEDCompare", "FlashVAEDCompress"]);
// Pixels that a new node has at least: a line of the run's text, two columns of a table, a map and its outputs.
const WIDTHS = {
  JanoReport: 400,
  JanoCompare: 320,
  JanoSweep: 420,
  JanoConvergenceMap: 300,
  FlashVAEDCompare: 360,
  FlashVAEDCompress: 360,
};
const RUN_WIDTH = 300;

const STYLES = ["./jano.css", "./headline.css", "./far.css"];
const VIEWS = { JanoCompare: CompareView, JanoReport: ReportView };

const views = new WeakMap(); // node -> its view
const memory = new WeakMap(); // workflow -> Map: the server's id of a node -> its RunRecord, or its table and what it compares
const NO_TABS = {}; // stands for the workflow where the host has no tabs
let running = null; // { workflow, path, record } of the last step: previews belong to it

app.registerExtension({
  name: "Jano.RunView",
  settings: settings(showAgain),
  setup() {
    STYLES.forEach(addStyle);
    watchZoom();
    watchQueue(queuedAs, tellRejected);
    watchSamplers(onSampled);
    api.addEventListener("jano.step", ({ detail }) => onStep(detail));
    api.addEventListener("jano.end", ({ detail }) => onEnd(detail));
    api.addEventListener("executed", ({ detail }) => onExecuted(detail));
    api.addEventListener("b_preview_with_metadata", ({ detail }) => onPreview(detail));
    for (const stop of ["execution_interrupted", "execution_error"]) {
      api.addEventListener(stop, ({ detail }) => onStopped(detail, stop === "execution_error"));
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

function addStyle(file) {
  const style = document.createElement("link");
  style.rel = "stylesheet";
  style.href = new URL(file, import.meta.url).href;
  document.head.append(style);
}

/** A setting has changed. */
function showAgain() {
  for (const node of app.canvas?.graph?.nodes ?? []) views.get(node)?.show?.();
}

/** A run with an Accelerator is shown there: the Analyzer before it does not wait for one. */
function wordsOf(node) {
  return node.comfyClass === "JanoAnalyzer" ? { ...words(), waiting: words().waiting_analyzer } : words();
}

/** Give a node its run view, as its last widget; it is no input and saves no widget value. */
function attachRun(node) {
  const view = attach(node, "jano_run", (onResize) => new RunView(wordsOf(node), onResize, () => isOn("Jano.map"), () => qualityOf(node)));
  watchMode(node, () => view.setMode(node.mode));
  watchQuality(node, () => view.show());
  colourTitle(node, () => view.state);
  if (node.comfyClass === "JanoScheduler") watchKnobs(node, () => LiteGraph.vueNodesMode || makeRoom(node, view)); // Nodes 2.0 makes it
  chain(node, "onConfigure", (saved) => {
    const record = isCopy(saved) ? null : RunRecord.from(node.properties?.[PROPERTY], node.id);
    if (!record) delete node.properties?.[PROPERTY];
    view.load(record);
  });
}

/** Give a node the table that it makes, Jano Compare its pictures, and Jano Report its chart. */
function attachTable(node) {
  const View = VIEWS[node.comfyClass] ?? TableView;
  const view = attach(node, "jano_table", (onResize) => new View(words(), onResize));
  keepRoom(node, view);
  chain(node, "onConfigure", (saved) => {
    const shown = isCopy(saved) ? null : ShownTable.from(node.properties?.[TABLE_PROPERTY], node.id);
    if (!shown) delete node.properties?.[TABLE_PROPERTY];
    view.update(shown);
  });
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
  if (workflow === undefined || !isOn("Jano.live")) return;
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
  countIn(record);
  keep(workflow, event.node, record);
  if (event.verdict !== "native" || !event.accelerates) return;
  const { big, line } = told(words(), record.data);
  warn(`Jano: ${big}`, line);
}

/** A node has sampled: with Jano, in full, or both, where nothing could be left out. */
function onSampled(prompt, node, run) {
  const workflow = workflowOf(prompt);
  if (workflow === undefined) return;
  const records = [...memoryOf(workflow)].filter(([, shown]) => shown instanceof RunRecord && shown.ended);
  const own = records.find(([, record]) => record.prompt === prompt && record.sampler === node)?.[1];
  if (own) own.sampled = run;
  if (own ? own.data.result && own.data.verdict !== "accelerated" : !run.accelerates) keepFull(run);
  for (const [path, record] of records) {
    if (record.sampled?.signature !== run.signature || record.data.verdict !== "accelerated") continue;
    const seconds = against(record.sampled);
    if (!seconds) continue;
    record.compare(seconds);
    countIn(record);
    keep(workflow, path, record);
    tellReports(workflow, record);
  }
}

/** What a run measured, its reports say too. */
function tellReports(workflow, { run, data }) {
  for (const [path, shown] of memoryOf(workflow)) {
    if (!(shown instanceof ShownTable) || !run || shown.run !== run) continue;
    shown.compare(data.result);
    keepTable(workflow, path, shown);
  }
}

/** Into the session's total, which is told from the second run on. */
function countIn(record) {
  const { runs, seconds } = count(record);
  record.remarks = runs > 1 && seconds >= 1 ? [words().headline.session(runs, duration(words(), seconds))] : [];
}

function onStopped({ prompt_id }, failed) {
  const workflow = workflowOf(prompt_id);
  for (const [path, record] of workflow === undefined ? [] : memoryOf(workflow)) {
    if (record.prompt !== prompt_id || record.ended) continue;
    record.stop(failed);
    keep(workflow, path, record);
  }
}

/** What a Report or Compare says of its run, wherever the host would show it. */
function onExecuted({ prompt_id, node, display_node, output }) {
  const workflow = workflowOf(prompt_id);
  if (workflow === undefined || !output?.text?.length) return;
  const [path, text] = [display_node ?? node, [output.text].flat().join("")];
  const { a_images: a, b_images: b, frames, worst, jano_table: table, jano_run: run, jano_steps: steps } = output;
  catchUp(workflow, prompt_id, output.jano_shown?.[0]);
  const pictures = a?.length ? { a, b, frames, worst: worst[0] } : null;
  const shown = new ShownTable(String(path).split(":").at(-1), text, table, { run: run?.[0], pictures, steps });
  const records = [...memoryOf(workflow).values()].filter((record) => record instanceof RunRecord);
  const { result } = records.find((record) => record.run && record.run === shown.run)?.data ?? {};
  shown.compare(result?.full_seconds ? result : null);
  const sweep = isOnCanvas(workflow) ? nodeOf(path) : null;
  if (sweep?.comfyClass === "JanoSweep") dropPreviews(sweep);
  memoryOf(workflow).set(path, shown);
  keepTable(workflow, path, shown);
}

/** The host has kept what a sampler made, and asks it no more: what its Report tells, a node that waits for it shows too. */
function catchUp(workflow, prompt, known) {
  const node = isOnCanvas(workflow) && known ? nodeOf(known.node) : null;
  if (!RUNS.has(node?.comfyClass) || memoryOf(workflow).has(known.node) || views.get(node)?.record) return;
  const record = recordOf(workflow, { prompt_id: prompt, node: known.node });
  if (known.step) record.add(known.step);
  record.end(known.end);
  keep(workflow, known.node, record);
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
  redraw();
}

/** Put a run that is over into its workflow, on the canvas or not, so that it comes back with it. */
async function keep(workflow, path, record) {
  if (running?.record === record) running = null;
  show(workflow, path, record);
  await record.keepPicture();
  await loaded();
  put(workflow, path, RUNS, { [PROPERTY]: isOn("Jano.keep") ? record.saved() : undefined });
}

/** The same of a table. */
async function keepTable(workflow, path, shown) {
  show(workflow, path, shown);
  await loaded();
  put(workflow, path, TABLES, { [TABLE_PROPERTY]: isOn("Jano.keep") ? shown.saved() : undefined });
}

/** Give a node properties, on the canvas and in all that its workflow remembers; it must be one of these classes. */
function put(workflow, path, classes, properties) {
  const node = isOnCanvas(workflow) ? nodeOf(path) : null;
  if (classes.has(node?.comfyClass)) Object.assign(node.properties, properties);
  const changed = (saved) => ({ ...saved, properties: { ...saved.properties, ...properties } });
  rewrite(workflow, path, (saved) => (classes.has(saved.type) ? changed(saved) : saved));
}

/** After a workflow was loaded, which undo does too: what goes on in it, and what its nodes showed before. */
async function comeBack() {
  await loaded();
  const workflow = openWorkflow();
  for (const [path, shown] of memoryOf(workflow)) {
    const saved = nodeOf(path)?.properties?.[shown instanceof RunRecord ? PROPERTY : TABLE_PROPERTY];
    const isOther = shown.ended && isOn("Jano.keep") && JSON.stringify(saved) !== JSON.stringify(shown.saved());
    if (!isOther) show(workflow, path, shown);
  }
  putInPlace(views);
}
