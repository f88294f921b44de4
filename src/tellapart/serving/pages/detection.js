// Boxes with classes. In: an answer. Out: what the page shows of it. Next: box_form.js

import { BoxView, counted } from "./boxes.js";
import { boxForm } from "./box_form.js";
import { percent, t } from "./words.js";

export const doubt = "page_unknown_labels"; // beside a picture unlike those trained on
export const asks = { min_score: 0 }; // for the slider: what falls short of the thresholds, too
export const made = (answer) => "boxes" in answer;
export const classes = (answer) => [...new Set(answer.boxes.map(({ label }) => label))];
export const view = (answer, model) => new BoxView(answer, model);
export const sentence = (name, { counts }) =>
  Object.keys(counts).length ? t("page_said_boxes", { name, counts: counted(counts) }) : t("page_said_nothing", { name });
export const aim = ({ aim: at }) => (at === null ? null : { ...asks, box: at + 1 });
export const shown = ({ boxes }, { box }) => (boxes[box - 1] ? `${boxes[box - 1].label} ${percent(boxes[box - 1].score)}` : "");
export const brief = ({ counts }) => ({ label: Object.keys(counts).length ? counted(counts) : "", probability: null });

/** Those that are on the picture now. */
export const before = (answer, shown) => shown.shown().map(({ label, left, top, right, bottom }) => ({ label, left, top, right, bottom }));
export const fields = (rows) => ({ boxes: JSON.stringify(rows.map(({ label, left, top, right, bottom }) => [label, left, top, right, bottom])) });
export const text = (rows) => counted(Object.fromEntries(rows.map(({ label }) => [label, rows.filter((row) => row.label === label).length])));
export const form = boxForm;
