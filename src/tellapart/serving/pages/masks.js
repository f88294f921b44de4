// A mask over a picture, as strong as a slider says. In: an answer with a mask. Out: elements. Next: segmentation.js

import { el, joined, percent, t, tag } from "./words.js";

const LISTED = 12; // classes; of a model with more only those that are there
const LINE = 500; // of the longer side, for each pixel of a border's width
const START = 0.45; // of a class's colour, inside
const STEP = 0.05;

/** What of an answer is shown, and how: it is drawn anew in place, so that the slider keeps the hand that moves it. */
export class MaskView {
  /** `answer` with its areas, its mask and how certain that is, PNG files in base64; `model` as /models describes it. */
  constructor(answer, model) {
    Object.assign(this, { model, strength: START, hidden: new Set(), uncertain: false });
    this.canvas = el("canvas", { role: "img" });
    this.tip = el("span", { class: "tip", hidden: true });
    this.layer = el("div", { class: "layer pixels", tabindex: "0" }, this.canvas, el("div", { class: "tags" }, this.tip));
    this.layer.addEventListener("pointermove", (event) => this.#point(event.clientX, event.clientY));
    this.layer.addEventListener("pointerdown", (event) => this.#point(event.clientX, event.clientY));
    this.layer.addEventListener("pointerleave", () => this.#tell(null));
    this.layer.addEventListener("keydown", (event) => this.#walk(event));
    this.layer.addEventListener("blur", () => this.#tell(null));
    this.title = el("h3", {});
    this.legend = el("ul", { class: "legend" });
    this.slider = el("input", {
      type: "range", min: 0, max: 1, step: STEP, value: START, "data-key": "strength",
      oninput: () => ((this.strength = Number(this.slider.value)), this.draw()),
    });
    this.doubt = el("input", { type: "checkbox", "data-key": "uncertain", onchange: () => ((this.uncertain = this.doubt.checked), this.draw()) });
    this.said = el("p", { class: "soft small", role: "status" });
    this.table = el("details", {});
    this.renew(answer);
  }

  /** Another answer, as of the camera's next picture; slider and legend stay as they are. */
  renew(answer) {
    Object.assign(this, { answer, place: null, mask: null });
    this.layer.tabIndex = 0;
    this.draw();
    this.#open(answer);
  }

  /** A picture with the mask over it, as large as there is room. */
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
    return [
      this.title,
      this.legend,
      el("div", { class: "threshold" }, el("label", {}, el("span", {}, t("page_mask_strength")), this.slider), this.said),
      el("label", { class: "box names" }, this.doubt, el("span", {}, t("page_mask_uncertain"))),
      this.table,
    ];
  }

  /** Masks are not corrected here. */
  edit() {}

  /** The number of the class that is laid over nothing; none where the model does not say so. */
  get background() {
    return this.model.record?.background ?? -1;
  }

  draw() {
    const { areas, width, height, confidence } = this.answer;
    this.title.textContent = said(this.answer, this.background);
    this.canvas.setAttribute("aria-label", t("page_mask_alt", { areas: said(this.answer, this.background) }));
    this.layer.setAttribute("aria-label", t("page_mask_walk"));
    this.said.textContent = this.place ? this.#at(this.place) : t("page_mask_hint", { share: percent(confidence) });
    this.#drawLegend();
    this.#drawTable(areas, width * height);
    if (this.mask) this.#paint();
  }

  /** The numbers of classes and certainties out of the files; what was asked for meanwhile goes first. */
  async #open(answer) {
    try {
      const [mask, certainty] = await Promise.all([values(answer.mask), values(answer.certainty)]);
      if (this.answer !== answer) return;
      const numbers = new Map(answer.areas.map(({ colour }, at) => [Number.parseInt(colour.slice(1), 16), at]));
      Object.assign(this, {
        mask: Int16Array.from(mask, (rgb) => numbers.get(rgb) ?? -1),
        certainty: Uint8Array.from(certainty, (rgb) => rgb & 255),
      });
      this.draw();
    } catch {
      // The file cannot be shown: what is told in words and numbers stands.
    }
  }

  #paint() {
    const { width, height, areas } = this.answer;
    const shown = areas.map(({ label }, at) => at !== this.background && !this.hidden.has(label));
    const colours = areas.map(({ colour }) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16)));
    const line = this.uncertain ? null : border(this.mask, width, height, Math.max(1, Math.round(Math.max(width, height) / LINE)));
    const image = new ImageData(width, height);
    const inside = Math.round(255 * this.strength);
    for (let at = 0, to = 0; at < this.mask.length; at += 1, to += 4) {
      const number = this.mask[at];
      if (this.uncertain) {
        // The less certain, the darker red over the picture.
        image.data[to] = 213;
        image.data[to + 1] = 94;
        image.data[to + 3] = Math.round((255 - this.certainty[at]) * Math.min(1, 2 * this.strength));
      } else if (number >= 0 && shown[number]) {
        [image.data[to], image.data[to + 1], image.data[to + 2]] = colours[number];
        image.data[to + 3] = line[at] && this.strength ? 255 : inside;
      }
    }
    Object.assign(this.canvas, { width, height });
    this.canvas.getContext("2d").putImageData(image, 0, 0);
  }

  #drawLegend() {
    const { areas } = this.answer;
    const listed = areas.length <= LISTED ? areas : areas.filter(({ pixels }) => pixels);
    const names = listed.map(({ label }) => label);
    // The buttons stay where they are, so that the keyboard's place is kept.
    if (this.listed?.join("\n") !== names.join("\n")) {
      this.listed = names;
      this.legend.replaceChildren(...listed.map((area, at) => el("li", {}, this.#key(area, at))));
    }
    listed.forEach(({ label, share }, at) => {
      const button = this.legend.children[at].firstChild;
      button.setAttribute("aria-pressed", String(!this.hidden.has(label)));
      button.title = t(this.hidden.has(label) ? "page_class_show" : "page_class_hide", { label });
      button.querySelector(".count").textContent = percent(share);
      button.disabled = this.answer.areas.findIndex((one) => one.label === label) === this.background;
    });
  }

  #key({ label, colour }, at) {
    const mark = el("span", { class: "colour", "aria-hidden": "true" });
    mark.style.background = colour;
    const toggle = () => {
      if (!this.hidden.delete(label)) this.hidden.add(label);
      this.draw();
    };
    return el("button", { type: "button", "data-key": `legend-${at}`, onclick: toggle }, mark, el("span", { class: "label" }, label), " ", el("span", { class: "count" }));
  }

  #drawTable(areas, whole) {
    const head = ["page_box_class", "page_area_pixels", "page_area_share", "page_area_parts", "page_area_largest"];
    const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString(tag()));
    const rows = areas.map(({ label, pixels, parts, sizes }) =>
      el("tr", {}, el("th", { scope: "row" }, label),
        [number(pixels), percent(pixels / whole), number(parts), number(sizes?.[0])].map((cell) => el("td", {}, cell))));
    const list = el("div", { class: "rows", tabindex: "0", role: "group", "aria-label": t("page_areas") },
      el("table", {}, el("thead", {}, el("tr", {}, head.map((key) => el("th", { scope: "col" }, t(key))))), el("tbody", {}, rows)));
    const summary = this.table.querySelector("summary") ?? el("summary", { "data-key": "table" });
    summary.textContent = t("page_areas");
    this.table.replaceChildren(summary, list);
  }

  #point(x, y) {
    const { left, top, width, height } = this.canvas.getBoundingClientRect();
    const column = Math.floor(((x - left) / width) * this.answer.width);
    const row = Math.floor(((y - top) / height) * this.answer.height);
    this.#tell(column < 0 || row < 0 || column >= this.answer.width || row >= this.answer.height ? null : { column, row });
  }

  /** What a pixel is, beside the pointer and below the picture; null: of none. */
  #tell(place) {
    if (!this.mask) return;
    this.place = place;
    this.tip.hidden = !place;
    this.said.textContent = place ? this.#at(place) : t("page_mask_hint", { share: percent(this.answer.confidence) });
    if (!place) return;
    const { width, height } = this.answer;
    this.tip.textContent = this.#at(place);
    this.tip.style.top = `${(100 * (place.row + 0.5)) / height}%`;
    const late = place.column / width > 0.6;
    this.tip.style.left = late ? "auto" : `${(100 * (place.column + 0.5)) / width}%`;
    this.tip.style.right = late ? `${100 - (100 * (place.column + 0.5)) / width}%` : "auto";
    this.tip.classList.toggle("above", place.row / height > 0.1);
  }

  #at({ column, row }) {
    const at = row * this.answer.width + column;
    const label = this.answer.areas[this.mask[at]]?.label ?? "–";
    return t("page_mask_at", { label, share: percent(this.certainty[at] / 255) });
  }

  /** From pixel to pixel with the arrow keys, a hundredth of the picture at a time. */
  #walk(event) {
    const steps = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const { width, height } = this.answer;
    const { column, row } = this.place ?? { column: Math.floor(width / 2), row: Math.floor(height / 2) };
    const step = Math.max(1, Math.round(Math.max(width, height) / 100));
    const [across, down] = this.place ? steps[event.key] : [0, 0];
    const within = (value, most) => Math.min(Math.max(value, 0), most - 1);
    this.#tell({ column: within(column + step * across, width), row: within(row + step * down, height) });
  }
}

/** The share of each class that is there, but the background's, the largest first, in words. */
export function said({ areas }, background) {
  const found = areas.filter(({ pixels }, at) => pixels && at !== background).sort((one, other) => other.pixels - one.pixels);
  return found.length ? joined(found.map(({ label, share }) => t("page_area_of", { label, share: percent(share) }))) : t("page_mask_nothing");
}

/** Red, green and blue of each pixel of a PNG file as one number. */
async function values(base64) {
  const image = new Image();
  image.src = `data:image/png;base64,${base64}`;
  await image.decode();
  const canvas = el("canvas", { width: image.naturalWidth, height: image.naturalHeight });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return Int32Array.from({ length: data.length / 4 }, (_, at) => (data[4 * at] << 16) | (data[4 * at + 1] << 8) | data[4 * at + 2]);
}

/** Which pixels are within `wide` of another class, along rows and columns. */
function border(mask, width, height, wide) {
  const line = new Uint8Array(mask.length);
  for (let at = 0; at < mask.length; at += 1) {
    const column = at % width;
    const right = column + 1 < width && mask[at] !== mask[at + 1];
    const below = at + width < mask.length && mask[at] !== mask[at + width];
    if (!right && !below) continue;
    for (let step = 0; step < wide; step += 1) {
      if (right) {
        if (column >= step) line[at - step] = 1;
        if (column + 1 + step < width) line[at + 1 + step] = 1;
      }
      if (below) {
        if (at - step * width >= 0) line[at - step * width] = 1;
        if (at + (1 + step) * width < mask.length) line[at + (1 + step) * width] = 1;
      }
    }
  }
  return line;
}
