// Tests every step against the golden pictures, in Node. In: the bundle. Out: which step differs first. Next: steps.js
//   node self_test.js                      tests this sample
//   node self_test.js --inputs FOLDER      tests what another program made: FOLDER/01.bin ..., bytes or float32 of its first input
//   node self_test.js --no-network         pixels alone, where there is no onnxruntime-node

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { decode } from "./decode.js";
import { conclude, testPicture } from "./steps.js";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(here);
const bytes = (...names) => new Uint8Array(fs.readFileSync(path.join(root, ...names)));
const json = (...names) => JSON.parse(fs.readFileSync(path.join(root, ...names), "utf8"));

/** The network as a function from one input to its outputs by name; null where it is not to be had. */
async function network(size) {
  if (process.argv.includes("--no-network")) return null;
  const { default: ort } = await import("onnxruntime-node").catch(() => import("onnxruntime-web")).catch(() => ({ default: null }));
  if (!ort) {
    console.log("onnxruntime-node is not installed (npm install --ignore-scripts): pixels are tested, the network is not.");
    return null;
  }
  if (ort.env?.wasm) ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes("model.onnx"));
  return async (input) => {
    const found = await session.run({ image: new ort.Tensor("uint8", input, [1, size, size, 3]) });
    return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
  };
}

const model = json("preprocessing.json");
const given = process.argv.indexOf("--inputs");
const folder = given > 0 ? process.argv[given + 1] : null;
const run = await network(model.preprocessing.size);
const results = [];
for (const one of json("golden", "golden.json").pictures) {
  if (folder && !fs.existsSync(path.join(folder, `${one.name}.bin`))) {
    console.error(`${path.join(folder, `${one.name}.bin`)} is not there; it must hold the input of ${one.source.file}, as bytes or float32.`);
    process.exit(2);
  }
  const found = folder && fs.readFileSync(path.join(folder, `${one.name}.bin`));
  results.push(await testPicture(one, model, { bytes: (file) => bytes("golden", file), decode, run, found }));
  console.log(results.at(-1).line);
}
const { text, failed } = conclude(results);
console.log(text);
process.exitCode = failed ? 1 : 0;
