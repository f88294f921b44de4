// What the network gives becomes an answer. In: its outputs for each part of a picture. Out: what tellapart says. Next: boxes.js
// `model`: {task, classes, record, preprocessing}, as preprocessing.json has them.

import { boxes } from "./boxes.js";
import { mask } from "./masks.js";

const { fround } = Math; // thresholds are compared in single precision, as the outputs are

/**
 * `outputs`: for each part an object from a name (probabilities, novelty; boxes, scores, labels) to numbers, of one picture each;
 * `places`: the parts [left, top, right, bottom]; `whole`: {width, height} of the upright picture.
 */
export function answer(outputs, places, whole, model) {
  const { task, classes, record } = model;
  const limit = ["classification", "text"].includes(task) ? record.abstention?.novelty_threshold : record.novelty_threshold;
  const novelty = mean(outputs, places, whole, task);
  const unknown = novelty === null || (limit ?? null) === null ? null : novelty > fround(limit);
  const known = { unknown, novelty };
  if (task === "detection") return { ...boxes(outputs, places, whole, model), ...whole, ...known };
  if (task === "segmentation") return { ...mask(outputs, places, whole, model), ...whole, ...known };
  const probabilities = Array.from(outputs[0].probabilities);
  return { ...(task === "multilabel" ? labels(probabilities, classes, record) : oneClass(probabilities, classes, record)), ...known };
}

function oneClass(probabilities, classes, { abstention }) {
  const ranked = classes.map((label, at) => ({ label, probability: probabilities[at] }));
  ranked.sort((one, other) => other.probability - one.probability); // of equal ones the first stays the first
  const within = ranked.filter(({ probability }, at) => at === 0 || probability >= fround(abstention?.threshold ?? 2));
  return { ...ranked[0], classes: ranked, set: abstention ? within.map(({ label }) => label) : null };
}

function labels(probabilities, classes, { thresholds }) {
  return {
    labels: classes.filter((_, at) => probabilities[at] >= fround(thresholds[at])),
    probabilities: Object.fromEntries(classes.map((name, at) => [name, probabilities[at]])),
  };
}

/** How unlike the pictures trained on it is; of tiles the mean, where masks are made by the pixels of the picture that each shows. */
function mean(outputs, places, { width, height }, task) {
  if (!outputs[0].novelty) return null;
  const shares = places.map(([left, top, right, bottom]) =>
    (task === "segmentation" ? (Math.min(width, right) - Math.max(0, left)) * (Math.min(height, bottom) - Math.max(0, top)) : 1));
  const all = shares.reduce((sum, one) => sum + one, 0);
  return fround(outputs.reduce((sum, { novelty }, at) => sum + novelty[0] * shares[at], 0) / all);
}
