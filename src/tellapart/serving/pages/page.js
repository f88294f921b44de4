// The page: files come in, cards go up. In: what people do. Out: cards, history, the model card. Next: words.js

import * as camera from "./camera.js";
import { Card } from "./card.js";
import * as history from "./history.js";
import * as live from "./live.js";
import * as models from "./models.js";
import { Problem, onKeyWanted, sendable } from "./server.js";
import * as writing from "./writing.js";
import { el, isDark, reason, settings, switchLanguage, switchTheme, t, translate } from "./words.js";

const $ = (id) => document.getElementById(id);

let cards = [];

function relabel() {
  translate();
  $("theme").setAttribute("aria-label", t(isDark() ? "page_to_light" : "page_to_dark"));
  $("theme").title = $("theme").getAttribute("aria-label");
  $("privacy").textContent = t(settings.corrections ? "page_privacy_corrections" : "page_privacy");
  models.show();
  history.render();
  for (const card of cards) card.render();
}

async function take(files) {
  if (!files.length) return;
  try {
    await models.ready();
  } catch (error) {
    return complain(error, () => take(files));
  }
  if (writing.takesTexts(models.chosen()) && files.some((file) => file.written === undefined)) files = await writing.opened(files);
  $("cards").querySelector(".complaint")?.remove();
  const fresh = files.map((file) => new Card(file, models.chosen(), { answered: history.add, removed: remove }));
  cards = [...fresh, ...cards];
  $("cards").prepend(...fresh.map((card) => card.element));
  count();
  fresh[0].element.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
  for (const card of fresh) card.classify();
}

function remove(card) {
  card.free();
  const at = cards.indexOf(card);
  cards.splice(at, 1);
  card.element.remove();
  count();
  (cards[Math.min(at, cards.length - 1)]?.element.querySelector('[data-key="remove"]') ?? entrance()).focus();
}

/** Where the next one is given. */
const entrance = () => ($("write").hidden ? $("choose") : $("text"));


function count() {
  $("empty").hidden = cards.length > 0 || $("cards").childElementCount > 0;
  $("clear-results").hidden = cards.length < 2;
}

/** The server cannot even be asked what it serves. */
function complain(error, again) {
  const problem = error instanceof Problem ? error : new Problem("page_failed", { detail: String(error) });
  $("cards").querySelector(".complaint")?.remove();
  $("cards").prepend(el("div", { class: "card result failed complaint", role: "alert" }, el("div", { class: "says" },
    el("h3", { "data-t": problem.kind }, t(problem.kind)),
    problem.more && el("p", { "data-t": problem.more[0] }, t(...problem.more)),
    problem.detail && reason(problem.detail),
    el("p", { class: "buttons" }, el("button", { type: "button", "data-t": "page_retry", onclick: (event) => {
      event.target.closest(".complaint").remove();
      count();
      again();
    } }, t("page_retry"))))));
  count();
}

function begin() {
  models.look().catch((error) => complain(error, begin));
}

function wireFiles() {
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => {
    take([...$("files").files]); // a copy: the next line empties the list
    $("files").value = ""; // the same file may be chosen again
  });
  document.addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])])); // text is pasted into its box
  let depth = 0; // dragenter and dragleave come for every element on the way
  const holdsFiles = (event) => event.dataTransfer?.types.includes("Files");
  const veil = (change) => {
    depth = change === 0 ? 0 : depth + change;
    $("veil").hidden = depth <= 0;
  };
  document.addEventListener("dragenter", (event) => holdsFiles(event) && veil(1));
  document.addEventListener("dragleave", (event) => holdsFiles(event) && veil(-1));
  document.addEventListener("dragover", (event) => holdsFiles(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    veil(0);
    take([...event.dataTransfer.files]);
  });
}

function sayOfKey(why) {
  $("key-wrong").hidden = why === null;
  if (why) $("key-wrong").dataset.t = why; // for a switch of the language
  if (why) $("key-wrong").textContent = t(why);
}

function wireKey() {
  let settle = null;
  const finish = (key) => {
    settle?.(key);
    settle = null;
    $("key-box").close();
  };
  onKeyWanted((wrong) => new Promise((resolve) => {
    settle = resolve;
    sayOfKey(wrong ? "page_key_wrong" : null);
    $("key").value = "";
    $("key-box").showModal();
    $("key").focus();
  }));
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const key = $("key").value.trim();
    if (sendable(key)) finish(key);
    else if (key) sayOfKey("page_key_letters");
  });
  $("key-cancel").addEventListener("click", () => finish(null));
  $("key-box").addEventListener("close", () => finish(null)); // Escape
}

$("language").addEventListener("click", () => {
  switchLanguage();
  relabel();
});
$("theme").addEventListener("click", () => {
  switchTheme();
  relabel();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", relabel);
$("model").addEventListener("change", models.show);
$("clear-results").addEventListener("click", () => {
  for (const card of cards) card.free();
  cards = [];
  $("cards").replaceChildren();
  count();
  entrance().focus();
});
wireFiles();
writing.wire(take);
wireKey();
camera.wire((file) => take([file]));
live.wire();
history.open();
relabel();
begin();
