// The page: files come in, cards go up. In: what people do. Out: cards, history, the model card. Next: words.js

import { about } from "./about.js";
import * as camera from "./camera.js";
import { Card } from "./card.js";
import * as history from "./history.js";
import { Problem, models, onKeyWanted } from "./server.js";
import { el, isDark, settings, switchLanguage, switchTheme, t, translate } from "./words.js";

const $ = (id) => document.getElementById(id);

let known = []; // models
let loading = null; // the first look at them
let cards = [];

const chosen = () => known.find((model) => model.name === $("model").value) ?? known[0];

function relabel() {
  translate();
  $("theme").setAttribute("aria-label", t(isDark() ? "page_to_light" : "page_to_dark"));
  $("theme").title = $("theme").getAttribute("aria-label");
  $("privacy").textContent = t(settings.corrections ? "page_privacy_corrections" : "page_privacy");
  about(chosen());
  history.render();
  for (const card of cards) card.render();
}

async function take(files) {
  if (!files.length) return;
  try {
    await (loading ??= load());
  } catch (error) {
    loading = null;
    return complain(error, () => take(files));
  }
  $("cards").querySelector(".complaint")?.remove();
  const fresh = files.map((file) => new Card(file, chosen(), { several: known.length > 1, answered: history.add, removed: remove }));
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
  (cards[Math.min(at, cards.length - 1)]?.element.querySelector('[data-key="remove"]') ?? $("choose")).focus();
}

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
    problem.detail && el("p", { class: "soft small", lang: "en" }, problem.detail),
    el("p", { class: "buttons" }, el("button", { type: "button", "data-t": "page_retry", onclick: (event) => {
      event.target.closest(".complaint").remove();
      count();
      again();
    } }, t("page_retry"))))));
  count();
}

async function load() {
  known = await models();
  if (!known.length) throw new Problem("page_busy", { more: ["page_busy_more"], retry: true });
  $("model").replaceChildren(...known.map((model) => el("option", { value: model.name }, model.name)));
  $("model-choice").hidden = known.length < 2;
  about(chosen());
}

function begin() {
  loading = load();
  loading.catch((error) => {
    loading = null;
    complain(error, begin);
  });
}

function wireFiles() {
  $("choose").addEventListener("click", () => $("files").click());
  $("files").addEventListener("change", () => {
    take([...$("files").files]); // a copy: the next line empties the list
    $("files").value = ""; // the same file may be chosen again
  });
  document.addEventListener("paste", (event) => take([...(event.clipboardData?.files ?? [])]));
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

function wireKey() {
  let settle = null;
  const finish = (key) => {
    settle?.(key);
    settle = null;
    $("key-box").close();
  };
  onKeyWanted((wrong) => new Promise((resolve) => {
    settle = resolve;
    $("key-wrong").hidden = !wrong;
    $("key").value = "";
    $("key-box").showModal();
    $("key").focus();
  }));
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("key").value.trim()) finish($("key").value.trim());
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
$("model").addEventListener("change", () => about(chosen()));
$("clear-results").addEventListener("click", () => {
  for (const card of cards) card.free();
  cards = [];
  $("cards").replaceChildren();
  count();
  $("choose").focus();
});
wireFiles();
wireKey();
camera.wire((file) => take([file]));
history.open();
relabel();
begin();
