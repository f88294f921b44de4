// A set of classes a picture. In: an answer. Out: what the page shows of it. Next: card.js

import { el, joined, percent, t } from "./words.js";

const FIRST = 5; // classes that are shown at least
const LONG = 12; // classes; more of them scroll

export const doubt = "page_unknown_labels";
export const made = (answer) => "labels" in answer;
export const classes = (answer) => Object.keys(answer.probabilities);
export const brief = ({ labels }) => ({ label: joined(labels), probability: null });
export const shown = ({ probabilities }) => Object.entries(probabilities).reduce((best, one) => (one[1] > best[1] ? one : best))[0];
export const named = ({ labels }) => text(labels);
export const agrees = (answer, { labels }) => labels.length === answer.labels.length && labels.every((name) => answer.labels.includes(name));

export function title({ labels, unknown }) {
  return el("h3", { class: unknown || !labels.length ? "unsure" : null }, text(labels));
}

export function sentence(name, { labels, unknown }) {
  if (unknown) return t("page_said_unknown_labels", { name, labels: text(labels) });
  return labels.length ? t("page_said_labels", { name, labels: joined(labels) }) : t("page_said_none", { name });
}

/** The named classes first, then the others, each by their probability. */
export function bars({ labels, probabilities }, { classes: known, record }) {
  const rows = Object.entries(probabilities).map(([label, probability]) =>
    ({ label, probability, from: record?.thresholds?.[known.indexOf(label)], chosen: labels.includes(label) }));
  rows.sort((one, other) => other.chosen - one.chosen || other.probability - one.probability);
  return [rows, Math.max(FIRST, labels.length)];
}

export const below = () => t("page_marks");

export const before = ({ labels }) => labels;
export const fields = (labels) => ({ labels: labels.map((name) => name.replace(/[\\|]|^\?/g, "\\$&")).join("|") });
export const text = (labels) => (labels.length ? joined(labels) : t("page_none_of_them"));

export function form(model, answer, value, change, disabled) {
  const boxes = model.classes.map((name, index) => {
    const box = el("input", { type: "checkbox", checked: value.includes(name), disabled, "data-key": index ? `class-${index}` : "class" });
    box.addEventListener("change", () => change(model.classes.filter((_, at) => boxes[at].checked)));
    return box;
  });
  return el("fieldset", { class: model.classes.length > LONG ? "long" : null }, el("legend", {}, t("page_right_classes")),
    boxes.map((box, index) => el("label", { class: "box" }, box, el("span", {}, model.classes[index]))));
}
