// The model card. In: a model as /models describes it. Out: the element about it. Next: camera.js

import * as tasks from "./tasks.js";
import { date, el, percent, t } from "./words.js";

const NAMED = 12; // classes; more are folded away
const SCORES = {
  accuracy: "page_score_accuracy", balanced_accuracy: "page_score_balanced_accuracy", macro_f1: "page_score_macro_f1", auroc: "page_score_auroc",
  log_loss: "page_score_log_loss", brier: "page_score_brier", top_5: "page_score_top_5",
  mean_average_precision: "page_score_map", micro_f1: "page_score_micro_f1", hamming_loss: "page_score_hamming",
  iou: "page_score_iou", dice: "page_score_dice", pixel_accuracy: "page_score_pixel_accuracy", boundary_f1: "page_score_boundary_f1",
  ap: "page_score_ap", ap50: "page_score_ap50", ap75: "page_score_ap75", precision: "page_score_precision", recall: "page_score_recall", f1: "page_score_f1",
  subset_accuracy: "page_score_subset", label_ranking_average_precision: "page_score_lrap",
};
// The score that is told in words, the first of these that there is.
const HEADLINES = { accuracy: "page_accuracy", mean_average_precision: "page_map", ap50: "page_ap50", iou: "page_iou" };

const OF_TEXTS = {
  page_accuracy: "page_accuracy_texts", page_trained_pictures: "page_trained_pictures_texts", page_network: "page_network_texts",
  page_leaked: "page_leaked_texts", page_leaked_one: "page_leaked_one_texts",
};

/** Show a model, or nothing. */
export function about(model) {
  document.getElementById("about").hidden = !model;
  if (!model) return;
  const headline = Object.keys(HEADLINES).find((name) => model.scores[name]);
  const { written } = tasks.of(model) ?? {};
  const of = (key) => (written && OF_TEXTS[key]) || key;
  const rows = [
    ["page_trained", date(model.created)],
    ["page_trained_on", t(of("page_trained_pictures"), { n: model.data.n_train, name: model.data.name })],
    model.record?.detector && ["page_detector", model.record.detector],
    [of("page_network"), model.backbone.name],
    ["page_version", String(model.version)],
    model.gallery && ["page_gallery", t("page_gallery_pictures", { n: model.gallery })],
    ["page_n_classes", classes(model.classes)],
  ];
  document.getElementById("about-body").replaceChildren(
    el("p", { class: "model-name" }, model.name),
    ...(headline ? score(of(HEADLINES[headline]), model.scores[headline], model.data, of) : []),
    el("dl", {}, rows.filter(Boolean).map(([key, value]) => [el("dt", {}, t(key)), el("dd", {}, value)])),
    scores(model.scores),
  );
}

function score(phrase, { value, low, high }, data, of) {
  const bar = el("div", { class: "interval", "aria-hidden": "true" });
  if (low !== null && high !== null) {
    const range = el("span", { class: "range" });
    range.style.left = `${100 * low}%`;
    range.style.width = `${100 * (high - low)}%`;
    bar.append(range);
  }
  const dot = el("span", { class: "dot" });
  dot.style.left = `${100 * value}%`;
  bar.append(dot);
  return [
    el("p", { class: "accuracy" }, t(phrase, { share: percent(value), n: data.n_test })),
    bar,
    low !== null && high !== null && el("p", { class: "soft small" }, t("page_interval", { low: percent(low), high: percent(high) })),
    data.leaked > 0 && el("p", { class: "notice small" }, data.leaked === 1 ? t(of("page_leaked_one")) : t(of("page_leaked"), { n: data.leaked })),
  ].filter(Boolean);
}

function classes(names) {
  // A list that scrolls must be reachable by the keyboard.
  const chips = (more) => el("span", { class: "chips", ...more }, names.map((name) => el("span", {}, name)));
  if (names.length <= NAMED) return chips({});
  return el("details", {}, el("summary", {}, t("page_all_classes", { n: names.length })),
    chips({ tabindex: "0", role: "group", "aria-label": t("page_n_classes") }));
}

function scores(found) {
  const rows = Object.entries(found).map(([name, { value, low, high }]) =>
    el("tr", {}, SCORES[name] ? el("th", { scope: "row" }, t(SCORES[name])) : el("th", { scope: "row", lang: "en" }, name.replaceAll("_", " ")), el("td", {}, value.toFixed(3)),
      el("td", {}, low === null || high === null ? "–" : `${low.toFixed(3)} – ${high.toFixed(3)}`)));
  return el("details", {}, el("summary", {}, t("page_scores")),
    el("table", {}, el("thead", {}, el("tr", {}, ["page_score", "page_value", "page_interval_head"].map((key) => el("th", { scope: "col" }, t(key))))),
      el("tbody", {}, rows)));
}
