// The network and the pictures of this browser. In: files. Out: outputs by name; upright RGB. Next: server.js
/* global ort */

import { shrinking, shrunk } from "../sample/preprocess.js";

const RUNTIME = "page/ort-wasm-simd-threaded";

let opened = null;

/** The network as a function to its outputs by name, from a picture's bytes or from {name, type, data, dims}. It is opened once; where
 * that failed, tried again. */
export function network() {
  return (opened ??= open().catch((error) => {
    opened = null;
    throw error;
  }));
}

async function open() {
  ort.env.wasm.numThreads = 1; // more need headers that a plain web server does not send
  const alone = location.protocol === "file:"; // opened by a double click: scripts may be read then, other files not
  if (alone) await runtimeInScripts();
  else ort.env.wasm.wasmPaths = { mjs: new URL(`${RUNTIME}.mjs`, location.href).href, wasm: new URL(`${RUNTIME}.wasm`, location.href).href };
  const model = alone ? await fromScript("model") : "model.onnx";
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  return async (input) => {
    const side = Math.sqrt(input.length / 3);
    const { name, type, data, dims } = input.dims ? input : { name: "image", type: "uint8", data: input, dims: [1, side, side, 3] };
    const found = await session.run({ [name]: new ort.Tensor(type, data, dims) });
    return Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, data]));
  };
}

async function runtimeInScripts() {
  ort.env.wasm.wasmBinary = await fromScript("runtime");
  const glue = new Blob([await fromScript("glue")], { type: "text/javascript" });
  ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(glue) };
}

/** The bytes of a file beside the page. */
export async function fileBytes(name) {
  if (location.protocol === "file:") return fromScript(name);
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name} is not there (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

/** The bytes that a script of file/ holds as text. */
async function fromScript(name) {
  const script = Object.assign(document.createElement("script"), { src: `file/${name}.js` });
  await new Promise((resolve, reject) => {
    script.onload = resolve;
    script.onerror = () => reject(new Error(`file/${name}.js is not there: keep it beside index.html, or use a web server`));
    document.head.append(script);
  });
  script.remove();
  const text = atob(globalThis.tellapart[name]);
  delete globalThis.tellapart[name];
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

/** {picture, width, height, note} of a picture's file, upright; the picture may be smaller. Raises: RangeError for too many pixels. */
export async function pixels(file, settings, most = Infinity) {
  const image = await createImageBitmap(file, {
    imageOrientation: "from-image", premultiplyAlpha: "none", colorSpaceConversion: settings.colour === "srgb" ? "default" : "none",
  });
  const { width, height } = image;
  if (width * height > most) throw new RangeError(`${width} x ${height} pixels; here at most ${most} can be looked at`);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0);
  image.close();
  const { data: found } = context.getImageData(0, 0, width, height);
  const data = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; to < data.length; from += 4) {
    data[to++] = found[from];
    data[to++] = found[from + 1];
    data[to++] = found[from + 2];
  }
  const [first, second] = new Uint8Array(await file.slice(0, 2).arrayBuffer());
  const times = first === 0xff && second === 0xd8 ? shrinking(width, height, settings) : 1;
  return { width, height, picture: shrunk({ width, height, data }, times), note: times > 1 ? "not decoded smaller, but averaged" : "" };
}
