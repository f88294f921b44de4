// One class a picture. In: an answer. Out: what the page shows of it. Next: multilabel.js

import { el, joined, percent, t } from "./words.js";

const NAMED = 6; // classes of a set that a sentence names
const FIRST = 5; // classes that are shown, or offered before the others

export const doubt = "page_unknown_more";
export const made = (answer) => "classes" in answer;
export const classes = (answer) => answer.classes.map(({ label }) => label);
export const brief = ({ label, probability }) => ({ label, probability });
export const shown = ({ label }) => label;
export const named = ({ label }) => label;
export const agrees = (answer, { label }) => label === answer.label;

export function title(answer) {
  return answer.unknown
    ? el("h3", { class: "unsure" }, t("page_nearest", { label: answer.label }))
    : el("h3", {}, answer.label, " ", el("span", { class: "sure" }, t("page_sure", { share: percent(answer.probability) })));
}

export function sentence(name, answer) {
  if (answer.unknown) return t("page_said_unknown", { name, label: answer.label });
  return t("page_said", { name, label: answer.label, share: percent(answer.probability) });
}

export function bars(answer) {
  return [answer.classes.map(({ label, probability }, index) => ({ label, probability, chosen: index === 0 })), FIRST];
}

/** Which classes it may be. */
export function below({ set, unknown }, { abstention }) {
  if (!set || unknown || !abstention) return null; // a set of known classes says nothing of what is none of them
  const coverage = percent(abstention.coverage).replace(".0", "");
  if (set.length === 1) return t("page_set_one");
  if (set.length > NAMED) return t("page_set_many", { n: set.length, coverage });
  return t("page_set_more", { names: joined(set), coverage });
}

export const before = () => "";
export const fields = (label) => ({ label });
export const text = (label) => label;

export function form(model, answer, value, change, disabled) {
  const likeliest = classes(answer).slice(0, FIRST);
  const others = model.classes.filter((name) => !likeliest.includes(name));
  const options = [...likeliest, ...others].map((name) => el("option", { value: name, selected: name === value }, name));
  const select = el("select", { required: true, "data-key": "class", disabled }, el("option", { value: "" }, t("page_choose_class")), options);
  select.addEventListener("change", () => change(select.value));
  return el("label", {}, el("span", {}, t("page_right_class")), select);
}
