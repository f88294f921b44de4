// The steps of one golden picture, each from the right result of the one before. In: a picture. Out: what differs. Next: faults.js
// Runs in Node and in browsers.

import { answer } from "./answer.js";
import { difference, judge } from "./faults.js";
import { parts, prepare } from "./preprocess.js";

const DECODED = 3; // levels on average that decoders of the same JPEG may differ by
const OTHERWISE = 16; // and where one says of itself that it does something else
const NETWORK = 1e-3; // of an output, relative where it is over 1
const STEPS = ["decode", "input", "network", "answer", "whole way"];

/** A PPM file's {width, height, data}. */
export function readPpm(file) {
  const end = file.indexOf(10);
  const [, width, height] = new TextDecoder().decode(file.subarray(0, end)).split(" ").map(Number);
  return { width, height, data: file.subarray(end + 1) };
}

/** `use`: bytes(file), decode(bytes, settings), run(input) or null, and `found`, another program's first input, or null. */
export async function testPicture(one, model, { bytes, decode, run, found }) {
  const settings = model.preprocessing;
  const right = readPpm(bytes(one.decoded.file));
  const input = readPpm(bytes(one.inputs[0].file)).data;
  const steps = {};
  if (found) {
    steps.input = told(judge(input, numbers(found, input.length), right, one.parts[0], settings));
  } else {
    const decoded = await decode(bytes(one.source.file), settings).catch((error) => error);
    steps.decode = decoding(one, right, decoded);
    steps.input = told(inputs(one, right, bytes, model));
    if (run) await running(one, steps, { bytes, run, input, model, decoded, right });
  }
  const line = STEPS.filter((step) => steps[step]).map((step) => `${step}: ${steps[step].says}`).join("   ");
  return { name: one.name, steps, line: `${one.name}  ${line}` };
}

/** The first step that differs, over all pictures, and its faults in words. */
export function conclude(results) {
  for (const step of STEPS) {
    const wrong = results.filter(({ steps }) => steps[step] && !steps[step].same);
    if (!wrong.length) continue;
    const faults = [...new Set(wrong.map(({ steps }) => steps[step].fault).filter(Boolean))];
    const why = faults.length ? `It looks like this: ${faults.join("; or ")}.` : "No usual fault explains it: compare with preprocessing.json.";
    return { failed: true, text: `The first step that differs is "${step}", in ${wrong.length} of ${results.length} pictures. ${why}` };
  }
  return { failed: false, text: `All steps that were tested give what they should, for ${results.length} pictures.` };
}

function decoding(one, right, decoded) {
  if (decoded instanceof Error) return { same: true, says: `not tested (${decoded.message})` };
  const { picture, note } = decoded;
  if (picture.width !== right.width || picture.height !== right.height) {
    const turned = picture.width === right.height && one.turned;
    return { same: false, says: `${picture.width} x ${picture.height}`, fault: turned ? "EXIF's orientation is not followed" : "the size is another" };
  }
  const own = difference(right.data, picture.data);
  if (own.most === 0) return { same: true, says: "same" };
  const swapped = difference(right.data, picture.data.map((_, at) => picture.data[at - (at % 3) + 2 - (at % 3)]));
  const says = `${own.most} levels at most, ${own.mean.toFixed(2)} on average${note ? ` (${note})` : ""}`;
  const fault = swapped.mean < own.mean / 2 ? "red and blue are swapped (BGR)" : "";
  return { same: !fault && own.mean <= (note ? OTHERWISE : DECODED), says, fault };
}

/** The inputs that this sample makes of the right pixels. */
function inputs(one, right, bytes, { preprocessing }) {
  const places = parts(one.width, one.height, preprocessing);
  if (places.length !== one.parts.length) return { most: Infinity, fault: `there are ${places.length} tiles, not ${one.parts.length}` };
  const each = one.inputs.map(({ file }, at) =>
    judge(readPpm(bytes(file)).data, prepare(right, places[at], preprocessing), right, places[at], preprocessing));
  return each.reduce((worst, next) => (next.most > worst.most ? next : worst));
}

async function running(one, steps, { bytes, run, input, model, decoded, right }) {
  const outputs = await run(input);
  const most = apart(outputs, one, bytes);
  steps.network = { same: most <= NETWORK, says: `outputs differ by ${most.toExponential(0)}` };
  if (!(decoded instanceof Error)) {
    const [place] = parts(decoded.width, decoded.height, model.preprocessing);
    const own = apart(await run(prepare(decoded.picture, place, model.preprocessing)), one, bytes);
    steps["whole way"] = { same: true, says: `outputs differ by ${own.toExponential(0)}` };
  }
  const every = [outputs];
  for (const part of one.parts.slice(1)) every.push(await run(prepare(right, part, model.preprocessing)));
  const said = toldBy(answer(every, one.parts, { width: one.width, height: one.height }, model));
  const wanted = toldBy(JSON.parse(new TextDecoder().decode(bytes(one.answer))));
  steps.answer = { same: said === wanted, says: said === wanted ? said : `${said}, not ${wanted}` };
}

/** The largest difference of an output, relative where it is over 1; NaN where one is missing. */
function apart(outputs, one, bytes) {
  let most = 0;
  for (const [name, { file }] of Object.entries(one.outputs)) {
    const right = new Float32Array(bytes(file).slice().buffer);
    for (let at = 0; at < right.length; at += 1) {
      const own = Math.abs(Number(outputs[name]?.[at]) - right[at]) / Math.max(1, Math.abs(right[at]));
      if (!(own <= most)) most = own;
    }
  }
  return most;
}

/** What an answer says, without its digits. */
function toldBy({ label, labels, counts, areas, unknown }) {
  const told = label ?? labels?.join(", ") ?? (counts ? Object.entries(counts).map(([name, n]) => `${n} ${name}`).join(", ") : null) ??
    areas.map((one) => `${one.label} ${(100 * one.share).toFixed(1)} %`).join(", ");
  return `${told || "nothing"}${unknown ? " (unknown)" : ""}`;
}

function told({ most, mean, fault }) {
  if (most === 0) return { same: true, says: "same" };
  if (most <= 1) return { same: true, says: `a level at most, ${mean.toExponential(0)} on average` };
  return { same: false, fault, says: Number.isFinite(most) ? `${most.toFixed(0)} levels at most, ${mean.toFixed(2)} on average` : "of another size" };
}

/** Another program's numbers, bytes or single precision. */
function numbers(file, count) {
  const own = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
  return file.byteLength === 4 * count ? new Float32Array(own) : new Uint8Array(own);
}
