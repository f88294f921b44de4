// Parts of a card that only show. In: an answer, a problem. Out: elements. Next: history.js

import { el, percent, reason, settings, size, t } from "./words.js";

/** A bar a class; where a class is named from some probability on, a mark stands there. */
export function bar({ label, probability, from, chosen }) {
  const fill = el("span", { class: "fill" });
  fill.style.width = `${100 * probability}%`;
  const mark = from === undefined ? null : el("span", { class: "mark" });
  if (mark) mark.style.left = `${100 * Math.min(from, 1)}%`;
  const told = mark && t("page_mark", { share: percent(from) });
  return el("li", { class: chosen ? "chosen" : mark ? "below" : null, title: told },
    el("span", { class: "label" }, label),
    el("span", { class: "figure" }, percent(probability), told && el("span", { class: "unseen" }, ` (${told})`)),
    el("span", { class: "bar", "aria-hidden": "true" }, fill, mark));
}

/** That the picture was sent smaller, and why. */
export function smaller(shrunk) {
  if (!shrunk) return null;
  const text = shrunk.pixels ? t("page_shrunk_pixels", shrunk) : t("page_shrunk", { ...shrunk, size: size(settings.body_bytes) });
  return el("p", { class: "soft small" }, text);
}

/** Training pictures like this one. */
export function similar(answer, { named, agrees }) {
  const { neighbours, unknown } = answer;
  if (!neighbours?.length) return null;
  return el("div", { class: "similar" },
    el("h4", {}, t("page_similar")),
    el("ul", {}, neighbours.map((one) =>
      el("li", { class: agrees(answer, one) || unknown ? null : "other" },
        el("img", { src: one.thumbnail, alt: t("page_similar_alt", { label: named(one), share: percent(one.similarity) }) }),
        el("span", { "aria-hidden": "true" }, named(one))))));
}

/** What went wrong, and the button to try again. */
export function complaint({ kind, more, detail }, again) {
  return [
    el("h3", {}, t(kind)),
    more && el("p", {}, t(...more)),
    detail && reason(detail),
    again && el("p", { class: "buttons" }, again),
  ];
}
