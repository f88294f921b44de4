// What is asked of the server. In: files. Out: answers, or a Problem that says which phrase fits. Next: card.js

import { settings, size } from "./words.js";

const KEY = "tellapart_key";
const AT_A_TIME = 2;
const FORM_BYTES = 4096; // of a form around a file

/** What went wrong, for people: a phrase, a longer one with its values, the server's own words; `retry` where asking again may help. */
export class Problem extends Error {
  constructor(kind, { more = null, detail = "", retry = false } = {}) {
    super(kind);
    Object.assign(this, { kind, more, detail, retry });
  }
}

let askForKey = async () => null;
let asking = null; // one dialog for all requests that wait for a key

/** `ask(wrong)` shows the dialog and gives the key, or null. */
export function onKeyWanted(ask) {
  askForKey = ask;
}

/** Every model that is served. */
export async function models() {
  return (await request("models")).models;
}

/** Classes of a picture. `more`: further parameters, such as explain. */
export async function predict(file, model, more) {
  const query = new URLSearchParams({ model, ...more });
  const answer = await request(`predict?${query}`, { method: "POST", body: form({ file }) });
  return { ...answer.predictions[0], version: answer.version };
}

/** Keep a picture and its right class. */
export function correct(file, model, label) {
  return request("corrections", { method: "POST", body: form({ file, model, label }) });
}

/** The file as it is, or where the server takes no such body a smaller JPEG: {file, width, height}. */
export async function fit(file) {
  const most = settings.body_bytes - FORM_BYTES;
  if (file.size <= most) return { file };
  const tooLarge = new Problem("page_too_large", { more: ["page_too_large_more", { size: size(most) }] });
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw tooLarge;
  }
  for (let side = 4096; side >= 512; side /= 2) {
    const scale = Math.min(1, side / Math.max(picture.width, picture.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale);
    canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    if (blob && blob.size <= most) {
      picture.close();
      return { file: new File([blob], file.name, { type: "image/jpeg" }), width: canvas.width, height: canvas.height };
    }
  }
  throw tooLarge;
}

const queue = [];
let running = 0;

/** Run a task when fewer than two others are under way: the server's queue is for everybody. */
export function inTurn(task) {
  return new Promise((resolve) => {
    queue.push(() => task().finally(() => (running -= 1, next())).then(resolve));
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

async function request(path, options = {}) {
  for (let wrong = false; ; wrong = true) {
    const key = sessionStorage.getItem(KEY);
    const answer = await send(path, { ...options, headers: key ? { "X-API-Key": key } : {} });
    if (answer.status !== 401) return read(answer);
    if (sessionStorage.getItem(KEY) === key) { // another request may have asked meanwhile
      asking ??= askForKey(wrong || key !== null).finally(() => (asking = null));
      const given = await asking;
      if (given === null) throw new Problem("page_refused", { retry: true });
      sessionStorage.setItem(KEY, given);
    }
  }
}

async function send(path, options) {
  try {
    return await fetch(path, options);
  } catch {
    throw new Problem("page_offline", { more: ["page_offline_more"], retry: true });
  }
}

async function read(answer) {
  let body = {};
  try {
    body = await answer.json();
  } catch {
    // A proxy's own page of HTML, or nothing.
  }
  if (answer.ok && body && typeof body === "object") return body;
  const detail = body.error || `HTTP ${answer.status}`;
  const unreadable = body.predictions?.[0]?.error;
  if (answer.status === 400 && unreadable) throw new Problem("page_bad_file", { more: ["page_bad_file_more"], detail: unreadable });
  if (answer.status === 413) throw new Problem("page_too_large", { detail });
  if (answer.status === 429 || answer.status === 503) throw new Problem("page_busy", { more: ["page_busy_more"], retry: true });
  throw new Problem("page_failed", { detail, retry: true });
}
