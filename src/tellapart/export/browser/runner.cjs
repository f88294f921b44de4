// The network as a browser runs it, in Node. In: a line of JSON and numbers, again and again. Out: a line of JSON and numbers.
//   node runner.cjs FOLDER_OF_ONNX_RUNTIME MODEL

const fs = require("node:fs");
const path = require("node:path");
const { pathToFileURL } = require("node:url");

const [, , folder, model] = process.argv;
const NAME = "ort-wasm-simd-threaded";

/** Bytes as they come, handed out in the lengths that are asked for. */
class Bytes {
  constructor(stream) {
    this.parts = stream[Symbol.asyncIterator]();
    this.rest = Buffer.alloc(0);
  }

  async more() {
    const { value, done } = await this.parts.next();
    if (!done) this.rest = Buffer.concat([this.rest, value]);
    return !done;
  }

  async line() {
    while (!this.rest.includes(10)) if (!(await this.more())) return null;
    return (await this.take(this.rest.indexOf(10) + 1)).toString();
  }

  async take(count) {
    while (this.rest.length < count) if (!(await this.more())) throw new Error("the numbers are cut short");
    const found = this.rest.subarray(0, count);
    this.rest = this.rest.subarray(count);
    return found;
  }
}

async function main() {
  const ort = require(path.join(folder, "ort.wasm.min.js"));
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmBinary = fs.readFileSync(path.join(folder, `${NAME}.wasm`));
  ort.env.wasm.wasmPaths = { mjs: pathToFileURL(path.join(folder, `${NAME}.mjs`)).href };
  const session = await ort.InferenceSession.create(fs.readFileSync(model), { executionProviders: ["wasm"] });
  const bytes = new Bytes(process.stdin);
  for (let line = await bytes.line(); line !== null; line = await bytes.line()) {
    const { name, type, shape } = JSON.parse(line);
    const Numbers = { uint8: Uint8Array, int32: Int32Array }[type];
    const length = shape.reduce((one, other) => one * other, Numbers.BYTES_PER_ELEMENT);
    const given = Uint8Array.from(await bytes.take(length)); // a copy of its own, whose place in memory fits its numbers
    const found = Object.entries(await session.run({ [name]: new ort.Tensor(type, new Numbers(given.buffer), shape) }));
    process.stdout.write(`${JSON.stringify(found.map(([name, { type, dims }]) => ({ name, type, shape: dims })))}\n`);
    for (const [, { data }] of found) process.stdout.write(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  }
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
