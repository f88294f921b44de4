// What is asked of the server. In: files. Out: answers, or a Problem that says which phrase fits. Next: models.js

import { settings, size } from "./words.js";

const KEY = "tellapart_key";
const AT_A_TIME = 2;
const FORM_BYTES = 4096; // of a form around a file
const PATIENCE = 60_000; // milliseconds for an answer
const LONG_PATIENCE = 120_000; // for a heatmap
const SLOWEST = 50; // bytes a millisecond on their way there, below which it is the connection that hangs
const SENDABLE = /^[\x21-\x7e]+$/; // printable ASCII without blanks: what the server takes for a key
const SIDE = 4096; // pixels of the longer side of what is sent smaller
const LEAST_PIXELS = 1_000_000; // every server takes these

/** What went wrong, for people: a phrase, a longer one with its values, the server's own words; `retry` where asking again may help.
 * For us: the HTTP `status`, and `pixels`, how many the server takes where the picture had more. */
export class Problem extends Error {
  constructor(kind, { more = null, detail = "", retry = false, status = 0, pixels = 0 } = {}) {
    super(kind);
    Object.assign(this, { kind, more, detail, retry, status, pixels });
  }
}

/** Nobody waits for the answer any more. */
export class Cancelled extends Error {}

let askForKey = async () => null;
let asking = null; // one dialog for all requests that wait for a key

// One that cannot be sent, or that an earlier page kept, must not lock the tab.
function kept() {
  try {
    const found = sessionStorage.getItem(KEY);
    return found && sendable(found) ? found : null;
  } catch {
    return null; // no storage here
  }
}

// Only one that the server took.
function keep(accepted) {
  try {
    sessionStorage.setItem(KEY, accepted);
  } catch {
    // It is asked for again on the next visit.
  }
}

/** Whether a key can be the server's at all. */
export const sendable = (text) => SENDABLE.test(text);

/** `ask(wrong)` shows the dialog and gives the key, or null. */
export function onKeyWanted(ask) {
  askForKey = ask;
}

/** Every model that is served. */
export async function models() {
  return (await request("models")).models;
}

/** Classes of a picture, and the `version` that they came from. `more`: further parameters, such as explain. */
export async function predict(file, model, more, signal) {
  const query = new URLSearchParams({ model, ...more });
  const patience = (more.explain ? LONG_PATIENCE : PATIENCE) + file.size / SLOWEST;
  const answer = await request(`predict?${query}`, { method: "POST", body: form({ file }), signal, patience });
  const count = answer.predictions.length; // of a table one a row
  if (count > 1) throw new Problem("page_bad_text", { more: ["page_bad_text_table", { count }] });
  return { ...answer.predictions[0], version: answer.version };
}

/** Keep a picture and what it shows, `fields` of the model's task, in classes of that version of the model. */
export function correct(file, model, version, fields) {
  const patience = PATIENCE + file.size / SLOWEST;
  return request("corrections", { method: "POST", body: form({ file, model, version, ...fields }), patience });
}

/** The file as it is, or where the server takes no such body a smaller JPEG: {file, width, height}. */
export async function fit(file) {
  const most = settings.body_bytes - FORM_BYTES;
  if (file.size <= most) return { file };
  const found = await shrink(file, most, SIDE * SIDE);
  if (!found) throw new Problem("page_too_large", { more: ["page_too_large_more", { size: size(most) }] });
  return found;
}

/** The same picture with at most so many pixels, or null where this browser cannot make it. */
export const withFewer = (file, pixels) => shrink(file, settings.body_bytes - FORM_BYTES, pixels);

async function shrink(file, bytes, pixels) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    return null;
  }
  const { width, height } = picture;
  const canvas = document.createElement("canvas");
  try {
    for (let side = SIDE; side >= 512; side /= 2) {
      const scale = Math.min(1, side / Math.max(width, height), Math.sqrt(pixels / (width * height)));
      canvas.width = Math.max(1, Math.floor(width * scale));
      canvas.height = Math.max(1, Math.floor(height * scale));
      canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
      if (blob && blob.size <= bytes) {
        return { file: new File([blob], file.name, { type: "image/jpeg" }), width: canvas.width, height: canvas.height };
      }
    }
  } finally {
    picture.close();
  }
  return null;
}

let key = kept();
const queue = [];
let running = 0;

/** Run a task when fewer than two others are under way: the server's queue is for everybody. Once cancelled, it is not begun. */
export function inTurn(task, signal) {
  return new Promise((resolve) => {
    const turn = () => task().finally(() => (running -= 1, next())).then(resolve);
    queue.push(turn);
    signal.addEventListener("abort", () => {
      if (queue.includes(turn)) queue.splice(queue.indexOf(turn), 1);
      resolve();
    });
    next();
  });
}

function next() {
  while (running < AT_A_TIME && queue.length) {
    running += 1;
    queue.shift()();
  }
}

function form(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    if (value instanceof Blob) data.append(name, value, value.name || "picture");
    else data.append(name, value);
  }
  return data;
}

async function request(path, { signal, ...options } = {}) {
  for (let wrong = false; ; wrong = true) {
    if (signal?.aborted) throw new Cancelled();
    const sent = key;
    const answer = await send(path, { ...options, signal, headers: sent ? { "X-API-Key": sent } : {} });
    if (answer.status !== 401) {
      if (sent && answer.ok) keep(sent);
      return read(answer);
    }
    if (key === sent) { // another request may have asked meanwhile
      asking ??= askForKey(wrong || sent !== null).finally(() => (asking = null));
      const given = await asking;
      if (given === null) throw new Problem("page_refused", { retry: true });
      key = given;
    }
  }
}

/** {status, ok, body}; the body {} where it is no JSON. Raises: Cancelled; Problem when none comes, or not in time. */
async function send(path, { signal, patience = PATIENCE, ...options }) {
  const own = new AbortController();
  const cancel = () => own.abort();
  let late = false;
  const timer = setTimeout(() => ((late = true), own.abort()), patience);
  signal?.addEventListener("abort", cancel);
  try {
    const answer = await fetch(path, { ...options, signal: own.signal });
    const text = await answer.text();
    return { status: answer.status, ok: answer.ok, body: parse(text) };
  } catch {
    if (signal?.aborted) throw new Cancelled();
    if (late) throw new Problem("page_late", { more: ["page_late_more"], retry: true });
    throw new Problem("page_offline", { more: ["page_offline_more"], retry: true });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

function parse(text) {
  try {
    const body = JSON.parse(text);
    return body && typeof body === "object" ? body : {};
  } catch {
    return {}; // a proxy's own page of HTML, or nothing
  }
}

function read({ status, ok, body }) {
  if (ok) return body;
  const detail = body.error || `HTTP ${status}`;
  const unreadable = body.predictions?.[0]?.error;
  if (status === 400 && unreadable) throw badPicture(unreadable);
  if (status === 413) throw new Problem("page_too_large", { detail });
  if (status === 429 || status === 503) throw new Problem("page_busy", { more: ["page_busy_more"], retry: true });
  throw new Problem("page_failed", { detail, retry: true, status });
}

// How the server's reasons begin, and what the page says to them in the visitor's language.
const REASONS = [
  ["empty file", "page_bad_file_empty"],
  ["damaged or truncated", "page_bad_file_damaged"],
];

const TEXT_REASONS = [
  ["empty: nothing is left", "page_bad_text_empty"],
  ["not a text in UTF-8", "page_bad_text_encoding"],
];

function badPicture(detail) {
  const [, ofText] = TEXT_REASONS.find(([reason]) => detail.startsWith(reason)) ?? [];
  if (ofText) return new Problem("page_bad_text", { more: [ofText], detail });
  if (!/pixels.*\blimit\b/.test(detail)) {
    const [, more = "page_bad_file_more"] = REASONS.find(([reason]) => detail.startsWith(reason)) ?? [];
    return new Problem("page_bad_file", { more: [more], detail });
  }
  const limit = Number(/limit is ([\d,]+)/.exec(detail)?.[1].replaceAll(",", ""));
  return new Problem("page_too_many_pixels", { detail, pixels: limit || LEAST_PIXELS });
}
