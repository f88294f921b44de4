// What was classified in this tab. In: answers. Out: a list that outlives a reload, not the tab. Next: about.js

import * as tasks from "./tasks.js";
import { clock, el, percent, t } from "./words.js";

const KEY = "tellapart_history";
const MOST = 60;
const SIDE = 56; // pixels of a small copy, on screens with two for one

let entries = [];

/** Show what an earlier visit of this tab left. */
export function open() {
  try {
    entries = JSON.parse(sessionStorage.getItem(KEY)) ?? [];
  } catch {
    entries = []; // no storage here, or not ours
  }
  document.getElementById("clear-history").addEventListener("click", () => {
    entries = [];
    keep();
    render();
    document.getElementById("history").querySelector("h2").scrollIntoView({ block: "nearest" });
  });
  render();
}

/** Add the answer of a card. */
export async function add({ image, previewFailed, name, answer, model, written }) {
  const thumbnail = previewFailed || !image ? null : await shrink(image);
  const { label, probability } = tasks.of(model).brief(answer);
  entries = [{ name, label, probability, unknown: answer.unknown, thumbnail, written: written !== null, time: Date.now() }, ...entries].slice(0, MOST);
  keep();
  render();
}

/** Draw the list in the chosen language. */
export function render() {
  document.getElementById("history-none").hidden = entries.length > 0;
  document.getElementById("clear-history").hidden = entries.length === 0;
  document.getElementById("history-list").replaceChildren(...entries.map((entry) => el("li", {},
    entry.thumbnail ? el("img", { src: entry.thumbnail, alt: "" }) : el("span", { class: entry.written ? "quote" : "gone", "aria-hidden": "true" }, entry.written && "“"),
    el("div", {},
      el("strong", {}, entry.label || t("page_none_of_them")), " ",
      el("span", { class: entry.unknown ? "warn small" : "soft small" },
        entry.unknown ? t("page_history_unknown") : entry.probability !== null && percent(entry.probability)),
      el("p", { class: "soft small" }, el("span", { class: "file-name" }, entry.name), " · ", el("time", { datetime: new Date(entry.time).toISOString() }, clock(entry.time)))))));
}

function keep() {
  // The storage of a tab holds some 5 MB; what does not fit goes, the oldest first.
  for (let kept = entries; ; kept = kept.slice(0, -5)) {
    try {
      sessionStorage.setItem(KEY, JSON.stringify(kept));
      return;
    } catch {
      if (kept.length === 0) return;
    }
  }
}

async function shrink(image) {
  try {
    await image.decode();
  } catch {
    return null;
  }
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 2 * SIDE;
  const shorter = Math.min(image.naturalWidth, image.naturalHeight);
  const left = (image.naturalWidth - shorter) / 2;
  const top = (image.naturalHeight - shorter) / 2;
  canvas.getContext("2d").drawImage(image, left, top, shorter, shorter, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL("image/jpeg", 0.7);
}
