// Boxes over a picture, with what draws the line between them. In: an answer with boxes. Out: elements. Next: detection.js

import { release } from "./dragging.js";
import { el, joined, percent, t, tag } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";
// As drawing/box_marks.py has them: Okabe and Ito's colours, which most colour-blind people tell apart, the black of its edge or
// the white, and a pattern of the line for each round through the colours.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#f0e442", "#565d66"];
const EDGES = ["#ffffff", "#141414", "#ffffff", "#ffffff", "#141414", "#141414", "#141414", "#ffffff"];
const PATTERNS = [null, "16 6", "16 4 4 4", "6 6"];
const NAMED = 20; // boxes; of more the names would cover the picture
const LISTED = 12; // classes; of a model with more only those that may be there
const HIGH = 0.07; // of the picture's height, that a name needs above its box
const STEP = 0.01; // of the slider

/** What of an answer is shown, and how: it is drawn anew in place, so that the slider keeps the hand that moves it. */
export class BoxView {
  /** `answer` with every box that the model gives; `model` as /models describes it. */
  constructor(answer, model) {
    Object.assign(this, { model, shift: 0, hidden: new Set(), picked: null, chosen: null, draft: null, named: null, aimed: () => {} });
    this.layer = el("div", { class: "layer" });
    this.drawing = shape("svg", { preserveAspectRatio: "none", role: "group" });
    this.tags = el("div", { class: "tags", "aria-hidden": "true" });
    this.layer.append(this.drawing, this.tags);
    this.layer.addEventListener("keydown", (event) => this.#walk(event));
    this.title = el("h3", {});
    this.legend = el("ul", { class: "legend" });
    this.slider = el("input", { type: "range", min: -1, max: 1, step: STEP, value: 0, "data-key": "threshold", oninput: () => this.#slide(Number(this.slider.value)) });
    this.said = el("p", { class: "soft small" });
    this.names = el("input", { type: "checkbox", "data-key": "names", onchange: () => ((this.named = this.names.checked), this.draw()) });
    this.table = el("details", { ontoggle: () => this.#drawTable(this.shown()) });
    this.renew(answer);
  }

  /** Another answer, as of the camera's next picture; slider and legend stay as they are. */
  renew(answer) {
    Object.assign(this, { answer, picked: null, chosen: null });
    this.drawing.setAttribute("viewBox", `0 0 ${answer.width} ${answer.height}`);
    this.draw();
  }

  /** A picture with the boxes over it, as large as there is room. */
  over(picture) {
    const { width, height } = this.answer;
    const frame = el("div", { class: "frame" }, picture, this.layer);
    frame.style.aspectRatio = `${width} / ${height}`;
    frame.style.maxWidth = `calc(min(72vh, 640px) * ${width / height})`;
    return frame;
  }

  /** What stands beside the picture, in the language of now. */
  parts() {
    this.draw();
    const own = el("button", { type: "button", class: "quiet", "data-key": "own", onclick: () => this.#slide(0) }, t("page_threshold_own"));
    return [
      this.title,
      this.legend,
      this.thresholds && el("div", { class: "threshold" },
        el("label", {}, el("span", {}, t("page_threshold")), this.slider),
        el("div", { class: "spread" }, this.said, own)),
      el("label", { class: "box names" }, this.names, el("span", {}, t("page_names_shown"))),
      this.table,
    ];
  }

  /** What a person draws instead of the answer, rows {label, left, top, right, bottom}; null: the answer again. */
  edit(draft) {
    Object.assign(this, { draft, picked: null });
    if (!draft) release(this.layer);
    this.draw();
  }

  /** Where each class's line is drawn by the model, by name; null where that is not known. */
  get thresholds() {
    const found = this.model.record?.thresholds;
    return found ? Object.fromEntries(this.model.classes.map((name, at) => [name, found[at]])) : null;
  }

  /** From how certain on a box of the class is shown: the model's own, or moved towards 0 or 1 with the slider. */
  limit(label) {
    const own = this.thresholds[label];
    return this.shift < 0 ? own * (1 + this.shift) : own + (1 - own) * this.shift;
  }

  /** The boxes that are certain enough. */
  passing() {
    // Where nothing was moved the model's own word goes: its numbers have more digits than those that are sent.
    const { boxes } = this.answer;
    return boxes.filter(({ label, score, told }) => (this.shift === 0 || !this.thresholds ? told !== false : score >= this.limit(label)));
  }

  /** How many of each class are certain enough, in the model's order. */
  counts() {
    const found = this.passing();
    return Object.fromEntries(this.model.classes.map((name) => [name, found.filter(({ label }) => label === name).length]));
  }

  /** The boxes on the picture, the most certain first. */
  shown() {
    return this.draft ?? this.passing().filter(({ label }) => !this.hidden.has(label));
  }

  /** The box that a heatmap would be of, the one chosen last or else the most certain: its place in the answer; null without one. */
  get aim() {
    const shown = this.draft ? [] : this.shown();
    const box = shown.includes(this.chosen) ? this.chosen : shown[0];
    return box ? this.answer.boxes.indexOf(box) : null;
  }

  draw() {
    const shown = this.shown();
    this.names.checked = this.named ?? shown.length <= NAMED; // until somebody says otherwise
    this.title.textContent = counted(this.counts());
    this.title.className = this.passing().length ? "" : "unsure";
    this.drawing.setAttribute("aria-label", t("page_boxes", { n: shown.length }));
    // The largest first: what lies within another box can be pointed at.
    const order = shown.map((_, at) => at).sort((one, other) => area(shown[other]) - area(shown[one]));
    this.drawing.replaceChildren(...order.map((at) => this.#box(shown[at], at)));
    this.#tag();
    this.#drawLegend();
    this.#drawThreshold();
    this.#drawTable(shown);
    this.aimed();
  }

  #colour(label) {
    const at = this.model.classes.indexOf(label);
    const round = Math.floor(at / COLOURS.length) % PATTERNS.length;
    return { colour: COLOURS[at % COLOURS.length], edge: EDGES[at % COLOURS.length], pattern: PATTERNS[round] };
  }

  #box(box, at) {
    const { colour, edge, pattern } = this.#colour(box.label);
    const place = { x: box.left, y: box.top, width: box.right - box.left, height: box.bottom - box.top };
    const group = shape("g", { role: "img", tabindex: at === (this.picked ?? 0) ? 0 : -1, "aria-label": told(box), "data-at": at });
    group.classList.toggle("chosen", box === this.chosen);
    group.append(
      shape("rect", { class: "edge", stroke: edge, ...place }),
      shape("rect", { class: "line", stroke: colour, "stroke-dasharray": pattern, ...place }),
    );
    group.addEventListener("pointerenter", () => this.#pick(at));
    group.addEventListener("pointerleave", () => this.#pick(null));
    group.addEventListener("focus", () => (this.#pick(at), this.#choose(box)));
    group.addEventListener("blur", () => this.#pick(null));
    return group;
  }

  /** The box that is pointed at: its line is wider, its name is shown whatever else is. */
  #pick(at) {
    this.picked = at;
    for (const group of this.drawing.children) group.classList.toggle("picked", Number(group.dataset.at) === at);
    for (const row of this.table.querySelectorAll("tbody tr")) row.classList.toggle("picked", Number(row.dataset.at) === at);
    this.#tag();
  }

  #choose(box) {
    this.chosen = box;
    for (const group of this.drawing.children) group.classList.toggle("chosen", this.shown()[group.dataset.at] === box);
    this.aimed();
  }

  #tag() {
    const shown = this.shown();
    const named = this.names.checked ? shown.map((_, at) => at) : [];
    if (this.picked !== null && shown[this.picked]) named.push(this.picked);
    this.tags.replaceChildren(...[...new Set(named)].reverse().map((at) => this.#name(shown[at], at)));
  }

  #name(box, at) {
    const { width, height } = this.answer;
    const { colour, edge } = this.#colour(box.label);
    const name = el("span", { class: at === this.picked ? "picked" : null }, box.label, box.score !== undefined && ` ${percent(box.score)}`);
    Object.assign(name.style, { background: colour, color: edge, top: `${(100 * box.top) / height}%` });
    if (box.top / height > HIGH) name.classList.add("above");
    if (box.left / width > 0.7) name.style.right = `${100 - (100 * box.right) / width}%`;
    else name.style.left = `${(100 * box.left) / width}%`;
    return name;
  }

  #drawLegend() {
    const { classes } = this.model;
    const counts = this.counts();
    const there = new Set(this.answer.boxes.map(({ label }) => label));
    const listed = classes.length <= LISTED ? classes : classes.filter((name) => there.has(name));
    const known = this.thresholds;
    // The buttons stay where they are, so that the keyboard's place is kept.
    if (this.listed?.join("\n") !== listed.join("\n")) {
      this.listed = listed;
      this.legend.replaceChildren(...listed.map((name, at) => el("li", {}, this.#key(name, at))));
    }
    listed.forEach((name, at) => {
      const button = this.legend.children[at].firstChild;
      button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
      button.title = t(this.hidden.has(name) ? "page_class_show" : "page_class_hide", { label: name });
      button.querySelector(".count").textContent = counts[name].toLocaleString(tag());
      button.querySelector(".from").textContent = known ? t("page_box_from", { share: percent(this.limit(name)) }) : "";
    });
  }

  #key(name, at) {
    const { colour, edge, pattern } = this.#colour(name);
    const mark = shape("svg", { viewBox: "0 0 28 14", "aria-hidden": "true", class: "mark-of" });
    mark.append(
      shape("path", { d: "M2 7h24", stroke: edge, "stroke-width": 7 }),
      shape("path", { d: "M2 7h24", stroke: colour, "stroke-width": 5, "stroke-dasharray": pattern }),
    );
    const toggle = () => {
      if (!this.hidden.delete(name)) this.hidden.add(name);
      this.draw();
    };
    return el("button", { type: "button", "data-key": `legend-${at}`, onclick: toggle }, mark,
      el("span", { class: "label" }, name), " ", el("span", { class: "count" }), " ", el("span", { class: "from soft" }));
  }

  #drawThreshold() {
    const text = t(this.shift === 0 ? "page_threshold_at_own" : this.shift < 0 ? "page_threshold_looser" : "page_threshold_stricter");
    this.slider.value = String(this.shift);
    this.slider.setAttribute("aria-valuetext", text);
    this.said.textContent = text;
  }

  #slide(shift) {
    this.shift = Math.abs(shift) < STEP / 2 ? 0 : shift;
    this.picked = null;
    this.draw();
  }

  #drawTable(shown) {
    const head = ["page_box_class", "page_box_score", "page_box_left", "page_box_top", "page_box_width", "page_box_height"];
    const rows = (this.table.open ? shown : []).map((box, at) => { // a picture of the camera has no time for what is folded away
      const cells = [box.score === undefined ? "–" : percent(box.score), box.left, box.top, box.right - box.left, box.bottom - box.top];
      const row = el("tr", { "data-at": at }, el("th", { scope: "row" }, box.label),
        cells.map((cell) => el("td", {}, typeof cell === "number" ? Math.round(cell).toLocaleString(tag()) : cell)));
      row.addEventListener("pointerenter", () => this.#pick(at));
      row.addEventListener("pointerleave", () => this.#pick(null));
      return row;
    });
    // A list that scrolls must be reachable by the keyboard.
    const list = el("div", { class: "rows", tabindex: "0", role: "group", "aria-label": t("page_boxes", { n: shown.length }) },
      el("table", {}, el("thead", {}, el("tr", {}, head.map((key) => el("th", { scope: "col" }, t(key))))), el("tbody", {}, rows)));
    const summary = this.table.querySelector("summary") ?? el("summary", { "data-key": "table" });
    summary.textContent = t("page_boxes_table", { n: shown.length });
    this.table.replaceChildren(summary, list);
  }

  /** From box to box with the arrow keys, the most certain first. */
  #walk(event) {
    const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
    const count = this.shown().length;
    if (!count || !(event.key in steps || ["Home", "End"].includes(event.key))) return;
    event.preventDefault();
    const now = this.picked ?? 0;
    const next = event.key === "Home" ? 0 : event.key === "End" ? count - 1 : (now + steps[event.key] + count) % count;
    for (const group of this.drawing.children) group.setAttribute("tabindex", Number(group.dataset.at) === next ? 0 : -1);
    this.drawing.querySelector(`[data-at="${next}"]`).focus();
  }
}

/** How many of each class, in words; counts by name. */
export function counted(counts) {
  const found = Object.entries(counts).filter(([, n]) => n);
  return found.length ? joined(found.map(([label, n]) => t("page_count_of", { label, n }))) : t("page_nothing_found");
}

const area = ({ left, top, right, bottom }) => (right - left) * (bottom - top);

function told({ label, score, left, top, right, bottom }) {
  const place = { left: Math.round(left), top: Math.round(top), width: Math.round(right - left), height: Math.round(bottom - top) };
  const certain = score === undefined ? label : t("page_box_certain", { label, share: percent(score) });
  return t("page_box_told", { box: certain, ...place });
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  return element;
}
