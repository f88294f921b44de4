// One class a text. In: an answer, what its words say. Out: what the page shows of it. Next: multilabel.js

import { el, t } from "./words.js";

export { agrees, bars, before, below, brief, classes, doubt, fields, form, made, named, sentence, shown, text, title } from "./classification.js";

/** The model takes texts, and no pictures: its cards show the text, with its words in colour once that is known. */
export const written = true;

const STRONGEST = 0.55; // of a colour, behind the word that says most

/** A text as it was sent, or the words that a `reason` tells of, each in the colour of what it says. */
export function shownText(sent, reason) {
  if (!reason) return el("div", { class: "written", tabindex: "0" }, sent);
  const largest = Math.max(1e-9, ...reason.words.map(({ weight }) => Math.abs(weight)));
  const words = reason.words.map(({ word, weight }) => {
    const span = el("span", { class: weight < 0 ? "against" : "for", title: `${weight < 0 ? "−" : "+"}${Math.abs(weight).toFixed(2)}` }, word.trimStart());
    span.style.setProperty("--strength", `${Math.round((100 * STRONGEST * Math.abs(weight)) / largest)}%`);
    return [word.slice(0, word.length - word.trimStart().length), span];
  });
  return el("div", { class: "written", tabindex: "0" }, words, reason.left_out > 0 && el("span", { class: "soft" }, " …"));
}

/** What the colours mean, and the words that say most, for those who do not see them. */
export function legend({ label, over, words, left_out: rest }) {
  const told = (sign) => words.filter(({ weight }) => sign * weight > 0).sort((one, other) => sign * (other.weight - one.weight))
    .slice(0, 5).map(({ word }) => word.trim()).filter(Boolean).join(", ");
  return el("p", { class: "soft small" },
    el("span", { class: "swatch for", "aria-hidden": "true" }), t("page_words_for", { label, over }), " ",
    el("span", { class: "swatch against", "aria-hidden": "true" }), t("page_words_against", { label: over }),
    rest > 0 && ` ${t("page_words_rest", { n: rest })}`,
    el("span", { class: "unseen" }, ` ${t("page_words_told", { label, strong: told(1) || "–", weak: told(-1) || "–" })}`));
}
