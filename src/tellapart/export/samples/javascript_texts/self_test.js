// Whether texts are made ready as tellapart does it, and the network says the same. In: golden.json. Out: what differs first.
//   node self_test.js                tests this sample; with onnxruntime-node or onnxruntime-web the network as well
//   node self_test.js --no-network   texts alone

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { Preparation } from "./prepare_text.js";
import { firstDifference, networkDifference } from "./steps.js";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bytes = (name) => new Uint8Array(fs.readFileSync(path.join(root, name)));
const json = (name) => JSON.parse(fs.readFileSync(path.join(root, name), "utf8"));

/** The network as a function from {data, dims} to its outputs by name; null where it is not to be had. */
async function network() {
  if (process.argv.includes("--no-network")) return null;
  const { default: ort } = await import("onnxruntime-node").catch(() => import("onnxruntime-web")).catch(() => ({ default: null }));
  if (!ort) return null;
  if (ort.env?.wasm) ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes("model.onnx"));
  return async ({ data, dims }) => {
    const found = await session.run({ tokens: new ort.Tensor("int32", data, dims) });
    return Object.fromEntries(Object.entries(found).map(([name, one]) => [name, one.data]));
  };
}

function fail(number, what) {
  console.error(`text ${number}, ${what}`);
  process.exit(1);
}

const told = json("texts.json");
const steps = new Preparation(told, Object.fromEntries(told.parts.map(({ vocabulary }) => [vocabulary, bytes(vocabulary)])));
const golden = json("golden.json");
golden.forEach((one, at) => {
  const what = firstDifference(steps, one);
  if (what) fail(at + 1, what);
});
console.log(`${golden.length} texts: cleaning, parts and numbers are the same`);
const run = await network();
if (run) {
  for (const [at, one] of golden.entries()) {
    const what = networkDifference(await run(steps.tokens(one.text)), one);
    if (what) fail(at + 1, what);
  }
}
console.log(run ? "the network says the same" : "onnxruntime-node is not installed (npm install --ignore-scripts): the network was not asked");
