// The labelling desk: one picture after the other gets its class. In: keys and clicks. Out: labels that the server keeps. Next: desk_choices.js

import { Choices } from "./desk_choices.js";
import { Trouble, ask, forget, open } from "./desk_server.js";
import { el, isDark, joined, percent, settings, speak, switchLanguage, switchTheme, t, translate } from "./words.js";

const $ = (id) => document.getElementById(id);

let far = null; // how far it is, as the server says
let shown = null; // the picture that is looked at: {number, name, ...}; null while none is
let seen = false; // whether its pixels are there: nothing is said of a picture that nobody saw
let busy = false; // an answer is on its way
const aside = new Set(); // pictures that cannot be shown, each told once ahead
let turn = 0; // which of several pictures that were asked for is wanted

const choices = new Choices({ picked: () => (settings.several ? render() : label(choices.names())), saved: () => label(choices.names()) });

/** Take in what the server says of how far it is. */
function learn(told) {
  far = told;
  if (told.classes) choices.know(told.classes);
}

/** `by` is the direction in which somebody looks around, 0 for the next one that waits. */
async function show(number, by = 0) {
  const mine = (turn += 1);
  shown = null;
  seen = false;
  $("picture").classList.add("coming");
  render();
  if (number === null) return choices.begin(null), listProblems();
  try {
    const one = await open(number);
    if (mine !== turn) return;
    shown = one.about;
    choices.begin(shown);
    render();
    $("picture").src = one.address;
    await $("picture").decode().catch(() => null);
    if (mine !== turn) return;
    seen = true;
    $("picture").classList.remove("coming");
    render();
    for (const next of [number + 1, number + 2]) {
      if (next < far.total && !aside.has(next)) open(next).catch((error) => setAside(next, error));
    }
  } catch (error) {
    if (mine === turn) passOver(number, error, by);
  }
}

/** A picture that cannot be shown is told; whether it is such a one. `following`: whether what is next changes by it. */
function setAside(number, error, { following = false } = {}) {
  if (error.status !== 422) return false;
  aside.add(number);
  learn({ ...far, ...error.body, next: following ? error.body.next : far.next });
  tell(t("desk_passed_over", { name: error.picture, reason: error.body.error }));
  render();
  return true;
}

/** The one that was to be shown cannot be: the next one that waits is, or who looks around sees the one beyond. */
function passOver(number, error, by) {
  if (!setAside(number, error, { following: true })) return complain(error);
  const beyond = number + by;
  return by && beyond >= 0 && beyond < far.total ? show(beyond, by) : show(far.next);
}

/** At the end: what could not be labelled, and why. */
async function listProblems() {
  const { problems } = await ask("desk").catch(() => ({ problems: [] }));
  $("problems").replaceChildren(...problems.map((one) => el("li", {}, `${one.name}: ${one.reason}`)));
  render();
}

/** Do something that the server keeps, then show what it says is next. `changed`: whether other pictures than this one are. */
async function step(path, body, said, { changed = false } = {}) {
  if (busy) return;
  busy = true;
  const number = shown?.number;
  try {
    const told = await ask(path, body);
    $("trouble").hidden = true;
    forget(changed ? null : number);
    learn(told);
    speak(said());
    busy = false;
    await show(told.next);
  } catch (error) {
    busy = false;
    complain(error);
  }
}

const left = () => far.total - far.labelled - far.skipped - far.unusable;

function label(names) {
  if (!shown || !seen || shown.problem) return;
  step(`desk/pictures/${shown.number}`, { labels: names }, () => t("desk_said", { names: joined(names), left: left() }));
}

function skip() {
  if (shown && !shown.problem) step(`desk/pictures/${shown.number}`, { skip: true }, () => t("desk_said_skipped", { left: left() }));
}

function undo() {
  if (far?.undo) step("desk/undo", {}, () => t("desk_said_undone"), { changed: true });
}

function look(by) {
  if (!far) return;
  const from = shown ? shown.number : by < 0 ? far.total : -1;
  const number = from + by;
  if (!busy && number >= 0 && number < far.total) show(number, by);
}

function enter() {
  if (settings.several) label(choices.names());
  else if (shown?.suggested.length === 1) label(shown.suggested);
}

function complain(error) {
  const known = error instanceof Trouble;
  tell(known && !error.status ? t("desk_offline") : `${t("desk_failed")} ${known ? error.body.error : error}`);
}

function tell(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = false;
}

function render() {
  if (!far) return;
  const counts = [t("desk_progress", far)];
  if (far.skipped) counts.push(t("desk_skipped", { n: far.skipped }));
  if (far.unusable) counts.push(t("desk_unusable", { n: far.unusable }));
  $("counts").textContent = counts.join(" · ");
  $("fill").style.width = `${(100 * far.labelled) / far.total}%`;
  const done = !shown && far.next === null;
  $("done").hidden = !done;
  $("one").hidden = done;
  $("again").hidden = !far.skipped;
  $("unusable").textContent = far.unusable ? t("desk_unusable", { n: far.unusable }) : "";
  $("train").textContent = `tellapart train PICTURES --labels ${settings.typed}`;
  $("undo").disabled = !far.undo;
  $("skip").disabled = !shown || Boolean(shown.labels) || Boolean(shown.problem);
  $("back").disabled = shown?.number === 0;
  $("forward").disabled = !shown || shown.number === far.total - 1;
  $("loading").hidden = seen;
  if (shown) renderPicture();
  choices.render(seen);
}

function renderPicture() {
  $("position").textContent = t("desk_position", { number: shown.number + 1, total: far.total });
  $("name").textContent = shown.name;
  $("name").title = shown.name;
  $("picture").alt = t("desk_alt", { name: shown.name });
  $("whole").href = `desk/pictures/${shown.number}/shown?whole=1`;
  $("why").textContent = shown.why ? t("desk_why", { why: shown.why }) : "";
  $("state").classList.toggle("labelled", shown.labels !== null);
  $("state").replaceChildren(...state());
}

function state() {
  const names = choices.names();
  if (settings.several && names.join("|") !== (shown.labels ?? []).join("|")) return [t("desk_chosen", { names: names.length ? joined(names) : "–" })];
  if (shown.labels) return [shown.labels.length ? t("desk_is_labelled", { names: joined(shown.labels) }) : t("desk_is_none")];
  const told = [];
  if (shown.suggested.length) {
    const names = joined(shown.suggested);
    told.push(shown.probability === null ? t("desk_suggested", { names }) : t("desk_suggested_sure", { names, share: percent(shown.probability) }));
    if (!settings.several) told.push(el("button", { type: "button", id: "take", onclick: enter }, t("desk_take"), " ", el("kbd", {}, "⏎")));
  } else if (shown.skipped) told.push(t("desk_is_skipped"));
  return told;
}

function renderWords() {
  translate();
  $("theme").setAttribute("aria-label", t(isDark() ? "page_to_light" : "page_to_dark"));
  $("theme").title = $("theme").getAttribute("aria-label");
  $("kept").textContent = t("desk_kept", { folder: settings.folder });
  const keys = [
    ["1–9", settings.several ? "desk_key_digits_several" : "desk_key_digits"],
    ["⏎", settings.several ? "desk_key_enter_several" : "desk_key_enter"],
    ["␣", "desk_key_space"],
    ["⌫", "desk_key_back"],
    ["← →", "desk_key_arrows"],
    ...(choices.finds ? [["a–z /", "desk_key_letters"]] : []),
  ];
  $("key-list").replaceChildren(...keys.flatMap(([key, phrase]) => [el("dt", {}, el("kbd", {}, key)), el("dd", { "data-t": phrase }, t(phrase))]));
  render();
}

// What each key does while nobody types into the box.
const KEYS = { Enter: enter, " ": skip, Backspace: undo, ArrowLeft: () => look(-1), ArrowRight: () => look(1) };

function pressed(event) {
  // Of what an input method still puts together, Enter and digits choose signs.
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229 || event.altKey) return;
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() !== "z" || event.shiftKey || choices.typing()) return;
    event.preventDefault();
    undo();
    return;
  }
  if (choices.typing()) return choices.pressed(event);
  // A button or link that has the focus does its own work by these two.
  if (event.target.closest("button, a, summary") && (event.key === "Enter" || event.key === " ")) return;
  if (/^[1-9]$/.test(event.key)) {
    event.preventDefault();
    if (seen && !event.repeat) choices.pick(Number(event.key) - 1);
  } else if (KEYS[event.key]) {
    event.preventDefault();
    if (!event.repeat || event.key.startsWith("Arrow")) KEYS[event.key]();
  } else if (choices.finds && event.key.length === 1) {
    if (event.key === "/") event.preventDefault();
    $("filter").focus(); // the letter goes into it
  }
}

async function begin() {
  try {
    learn(await ask("desk"));
    renderWords();
    await show(far.next);
  } catch (error) {
    complain(error);
  }
}

document.addEventListener("keydown", pressed);
$("language").addEventListener("click", () => {
  switchLanguage();
  renderWords();
});
$("theme").addEventListener("click", () => {
  switchTheme();
  renderWords();
});
for (const [id, work] of Object.entries({ back: () => look(-1), forward: () => look(1), skip, undo, again: () => step("desk/again", {}, () => "", { changed: true }), look: () => show(0) })) {
  $(id).addEventListener("click", () => {
    $("stage").focus(); // so that the next key is about the picture, not about this button
    work();
  });
}
translate();
begin();
