// What the server refuses of this pack's nodes before anything runs. The host says of such an input that it was rejected,
// and no more: here the sentence is told that the node gave with it.

import { app } from "../../scripts/app.js";
import { nodeOf } from "./workflows.js";

const OURS = /^(Jano|FlashVAED)/; // classes of nodes
const told = []; // messages that stand until the next prompt is queued

/** `errors` by the server's id of a node, as its answer has them; nothing where all was accepted. */
export function tellRejected(errors) {
  const { toast } = app.extensionManager ?? {};
  for (const message of told.splice(0)) toast?.remove?.(message);
  for (const [summary, detail] of complaintsIn(errors)) {
    const message = { severity: "error", summary, detail };
    told.push(message);
    toast?.add(message);
  }
}

/** [name of the node, sentence], each sentence once: the host repeats it for every input that was asked about. */
function complaintsIn(errors) {
  const ours = Object.entries(errors ?? {}).filter(([, { class_type: kind }]) => OURS.test(kind));
  return ours.flatMap(([id, { class_type: kind, errors }]) => {
    const sentences = new Set((errors ?? []).map(({ details }) => sentenceIn(details)).filter(Boolean));
    return [...sentences].map((sentence) => [nodeOf(id)?.title ?? kind, sentence]);
  });
}

/** "qualities - Jano: what is wrong." An input's name stays as the node has it. */
function sentenceIn(details) {
  const sentence = /\bJano: (.+)/s.exec(String(details ?? ""))?.[1] ?? "";
  return /^\w*_/.test(sentence) ? sentence : sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
