// The network in this browser, in place of a server: nothing is sent anywhere. In: files. Out: answers as a server gives them.

import { answer } from "../sample/answer.js";
import { network, pixels } from "./local.js";
import { parts, prepare } from "../sample/preprocess.js";
import { answerText } from "./texts.js";
import { settings } from "./words.js";

const MOST_PIXELS = 50_000_000; // of a picture

/** What went wrong, for people: a phrase, a longer one with its values, more for those who look closer. */
export class Problem extends Error {
  constructor(kind, { more = null, detail = "", retry = false, status = 0, pixels: count = 0 } = {}) {
    super(kind);
    Object.assign(this, { kind, more, detail, retry, status, pixels: count });
  }
}

/** Nobody waits for the answer any more. */
export class Cancelled extends Error {}

export const sendable = () => true;
export const onKeyWanted = () => {}; // there is no key

/** The one model; its file begins to load. */
export async function models() {
  network().catch(() => {}); // who asks it is told
  return [settings.card];
}

/** What the model says of a picture, or of a text. */
export async function predict(file, model, more, signal) {
  return settings.model.texts ? ofText(file, more, signal) : ofPicture(file, signal);
}

async function ofText(file, more, signal) {
  let said;
  try {
    said = await answerText(await file.text(), more.explain, () => signal?.aborted);
  } catch (error) {
    throw new Problem("page_failed", { detail: String(error.message ?? error), retry: true });
  }
  if (signal?.aborted) throw new Cancelled();
  if (!said) throw new Problem("page_bad_text", { more: ["page_bad_text_empty"] });
  return { ...said, version: settings.card.version, error: null, warning: null };
}

async function ofPicture(file, signal) {
  let run;
  let decoded;
  try {
    run = await network();
  } catch (error) {
    throw new Problem("page_failed", { detail: String(error.message ?? error), retry: true });
  }
  try {
    decoded = await pixels(file, settings.model.preprocessing, MOST_PIXELS);
  } catch (error) {
    if (error instanceof RangeError) throw new Problem("page_too_many_pixels", { detail: error.message });
    throw new Problem("page_bad_file", { more: ["page_bad_file_more"] });
  }
  const { width, height, picture } = decoded;
  const places = parts(width, height, settings.model.preprocessing);
  const outputs = [];
  for (const place of places) {
    if (signal?.aborted) throw new Cancelled();
    outputs.push(await run(prepare(picture, place, settings.model.preprocessing)));
    await new Promise((resolve) => setTimeout(resolve)); // the page may draw in between
  }
  const said = answer(outputs, places, { width, height }, settings.model);
  return { ...said, ...(said.mask ? painted(said) : {}), version: settings.card.version, error: null, warning: null };
}

/** Nothing is kept here. */
export async function correct() {
  throw new Problem("page_failed");
}

export const fit = async (file) => ({ file });
export const withFewer = async () => null;

let running = Promise.resolve();

/** One picture after the other: the processor is this device's own. */
export function inTurn(task, signal) {
  running = running.then(() => (signal.aborted ? null : task()));
  return running;
}

/** The mask in its colours, and how certain it is in grey, as PNG files in base64. */
function painted({ mask, certainty, areas, width, height }) {
  const colours = areas.map(({ colour }) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));
  return {
    mask: png(width, height, (at) => colours[mask[at]]),
    certainty: png(width, height, (at) => [certainty[at], certainty[at], certainty[at]]),
  };
}

function png(width, height, colourOf) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(width, height);
  for (let at = 0; at < width * height; at += 1) image.data.set([...colourOf(at), 255], 4 * at);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}
