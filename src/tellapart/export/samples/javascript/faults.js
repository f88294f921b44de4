// What is wrong with a network's input. In: the right one, the found one, the picture. Out: the fault in words. Next: self_test.js

import { prepare } from "./preprocess.js";

const LEFT = 1; // levels on average: where a fault leaves more than that, it is not the only one
const NEAR = 0.5; // of what was found: a fault is named that leaves at most that much of the difference

const IMAGENET = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }; // as many programs have them

/** Other ways to prepare a picture, each a usual mistake, by its name; each once more, mirrored. */
function geometries(picture, part, settings) {
  const other = (more, shown = picture) => () => prepare(shown, part, { ...settings, ...more });
  const found = {
    "": other({}),
    "the filter does not widen (no antialiasing)": other({ antialias: false }),
    "the filter is bilinear without antialiasing, as a canvas or OpenCV has it": other({ interpolation: "bilinear", antialias: false }),
    ...(settings.interpolation === "bilinear" ? {} : { "the filter is bilinear": other({ interpolation: "bilinear" }) }),
    ...(settings.interpolation === "bicubic" ? {} : { "the filter is bicubic": other({ interpolation: "bicubic" }) }),
    ...(settings.fit === "crop" ? { "nothing is cropped (the whole picture was squeezed into the square)": other({ fit: "squash", crop: 1 }) } : {}),
    ...(settings.fit === "crop" ? { "the crop is too large (the whole shorter side)": other({ crop: 1 }) } : {}),
    ...(settings.fit === "crop" && settings.interpolation !== "bilinear" ? {
      "nothing is cropped (the whole picture was squeezed into the square); the filter is bilinear": other({ fit: "squash", crop: 1, interpolation: "bilinear" }),
      "the crop is too large (the whole shorter side); the filter is bilinear": other({ crop: 1, interpolation: "bilinear" }),
    } : {}),
    ...(settings.fit === "pad" ? { "the picture was squeezed, not padded": other({ fit: "squash", crop: 1 }) } : {}),
    ...(settings.fit === "pad" ? { "the picture was cropped, not padded": other({ fit: "crop", crop: 1 }) } : {}),
    ...(settings.fit === "pad" ? { "the edge has another colour": other({ mean: [0, 0, 0] }) } : {}),
    ...(settings.fit === "crop_or_pad" ? { "the picture was scaled, not cropped or padded as it is": other({ fit: "squash", crop: 1 }) } : {}),
    ...(settings.fit === "crop_or_pad" ? { "the edge has another colour": other({ mean: [0, 0, 0] }) } : {}),
    ...(settings.fit === "tile" ? { "the whole picture was squeezed, not cut into tiles": other({ fit: "squash", crop: 1 }) } : {}),
    "the picture is upside down (orientation)": other({}, turned(picture)),
  };
  const made = Object.entries(found).map(([name, make]) => [[name, "the picture is mirrored"].filter(Boolean).join("; "), () => mirrored(make(), settings.size)]);
  return { ...found, ...Object.fromEntries(made) };
}

function mirrored(data, size) {
  return data.map((_, at) => {
    const [pixel, across] = [Math.floor(at / 3), Math.floor(at / 3) % size];
    return data[3 * (pixel - across + (size - 1 - across)) + (at % 3)];
  });
}

/** By 180 degrees. */
function turned({ width, height, data }) {
  const found = new Uint8Array(data.length);
  for (let at = 0; at < data.length; at += 3) found.set(data.subarray(at, at + 3), data.length - 3 - at);
  return { width, height, data: found };
}

/** Ways in which the same numbers may be laid out and scaled, as a function from them to [S, S, 3] from 0 to 255. */
function views(found, { size, mean, std }) {
  const pixels = size * size;
  const first = (values) => values.map((_, at) => values[(at % 3) * pixels + Math.floor(at / 3)]);
  const swapped = (values) => values.map((_, at) => values[at - (at % 3) + 2 - (at % 3)]);
  const layouts = { "": (values) => values, "channels come first": first };
  const orders = { "": (values) => values, "red and blue are swapped (BGR)": swapped };
  const scales = found instanceof Uint8Array ? { "": (values) => Float32Array.from(values) } : {
    "": (values) => values,
    "values run from 0 to 1": (values) => values.map((one) => one * 255),
    "values are normalised by mean and deviation, which the network does itself": (values) => values.map((one, at) => (one * std[at % 3] + mean[at % 3]) * 255),
    "values are normalised twice by mean and deviation": (values) => values.map((one, at) => ((one * std[at % 3] + mean[at % 3]) * std[at % 3] + mean[at % 3]) * 255),
    "values are normalised by ImageNet's mean and deviation, which are not the network's": (values) => values.map((one, at) => (one * IMAGENET.std[at % 3] + IMAGENET.mean[at % 3]) * 255),
  };
  const all = [];
  for (const [layout, lay] of Object.entries(layouts)) {
    for (const [order, swap] of Object.entries(orders)) {
      for (const [scale, stretch] of Object.entries(scales)) all.push({ faults: [layout, order, scale].filter(Boolean), see: () => stretch(swap(lay(found))) });
    }
  }
  return all;
}

/** {most, mean} of the difference of two inputs, in levels of 255. */
export function difference(one, other) {
  let [most, sum] = [0, 0];
  for (let at = 0; at < one.length; at += 1) {
    const apart = Math.abs(one[at] - other[at]);
    if (apart > most || Number.isNaN(apart)) most = apart;
    sum += apart;
  }
  return { most, mean: sum / one.length };
}

/** How a found input differs from the right one, and in words what was done wrong; "" where no usual fault explains it. */
export function judge(right, found, picture, part, settings) {
  if (found.length !== right.length) return { most: Infinity, mean: Infinity, fault: `there are ${found.length} numbers, not ${right.length}` };
  const own = difference(right, found);
  if (own.most <= 1) return { ...own, fault: "" };
  let best = { mean: own.mean, faults: [] };
  const seen = views(found, settings).map(({ faults, see }) => ({ faults, values: see() }));
  for (const [name, make] of Object.entries(geometries(picture, part, settings))) {
    const wanted = make();
    for (const { faults, values } of seen) {
      const { mean } = difference(wanted, values);
      // What needs fewer faults goes first, unless more of them explain clearly more.
      if (mean < 0.8 * best.mean) best = { mean, faults: [...faults, name].filter(Boolean) };
    }
  }
  const more = best.mean > LEFT ? "; and that is not all of it" : "";
  return { ...own, fault: best.mean <= NEAR * own.mean ? best.faults.join("; ") + more : "" };
}
