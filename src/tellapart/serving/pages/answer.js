// Parts of a card that only show. In: an answer, a problem. Out: elements. Next: history.js

import { el, joined, percent, settings, size, t } from "./words.js";

const NAMED = 6; // classes of a set that a sentence names

/** Which classes it may be, in a sentence. */
export function likely({ set, unknown }, { abstention }) {
  if (!set || unknown || !abstention) return null; // a set of known classes says nothing of what is none of them
  const coverage = percent(abstention.coverage).replace(".0", "");
  const text = set.length === 1 ? t("page_set_one")
    : set.length > NAMED ? t("page_set_many", { n: set.length, coverage })
    : t("page_set_more", { names: joined(set), coverage });
  return el("p", { class: "soft small" }, text);
}

/** That the picture was sent smaller, and why. */
export function smaller(shrunk) {
  if (!shrunk) return null;
  const text = shrunk.pixels ? t("page_shrunk_pixels", shrunk) : t("page_shrunk", { ...shrunk, size: size(settings.body_bytes) });
  return el("p", { class: "soft small" }, text);
}

/** Training pictures like this one. */
export function similar({ neighbours, label: answered, unknown }) {
  if (!neighbours?.length) return null;
  return el("div", { class: "similar" },
    el("h4", {}, t("page_similar")),
    el("ul", {}, neighbours.map(({ label, similarity, thumbnail }) =>
      el("li", { class: label === answered || unknown ? null : "other" },
        el("img", { src: thumbnail, alt: t("page_similar_alt", { label, share: percent(similarity) }) }),
        el("span", { "aria-hidden": "true" }, label)))));
}

/** What went wrong, and the button to try again. */
export function complaint({ kind, more, detail }, again) {
  return [
    el("h3", {}, t(kind)),
    more && el("p", {}, t(...more)),
    detail && el("p", { class: "soft small", lang: "en" }, detail),
    again && el("p", { class: "buttons" }, again),
  ];
}
