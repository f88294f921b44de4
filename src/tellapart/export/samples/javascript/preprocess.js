// A decoded picture becomes the network's input, to the bit as Pillow does it. In: RGB pixels. Out: uint8 [S, S, 3]. Next: answer.js
// A picture is {width, height, data}: data holds red, green, blue of each pixel, row by row, 0 to 255.

const SUPPORT = { bilinear: 1, bicubic: 2, lanczos: 3 }; // pixels on each side of the middle, at scale 1
const GAP = 3; // a picture this many times too large, and more, is first averaged in whole blocks
const BITS = 22; // of a weight after the point
const HALF = 2 ** (BITS - 1);

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const KERNEL = {
  bilinear: (x) => Math.max(0, 1 - Math.abs(x)),
  bicubic: (signed) => { // Keys 1981 with a = -0.5
    const x = Math.abs(signed);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
  },
  lanczos: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
};

/** Halves go to the even neighbour, as in Python. */
export function roundEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}

/** For each of `count` new pixels: the first old one that it is made of, and the weights of these, whole numbers of 2^-22. */
function weights(length, from, to, count, filter, antialias) {
  const scale = Math.fround(Math.fround(to) - Math.fround(from)) / count; // Pillow keeps the part in single precision
  const wide = antialias ? Math.max(scale, 1) : 1; // made smaller, the kernel grows with the scale
  const support = SUPPORT[filter] * wide;
  return Array.from({ length: count }, (_, at) => {
    const centre = Math.fround(from) + (at + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(length, Math.trunc(centre + support + 0.5));
    const raw = Array.from({ length: Math.max(0, end - first) }, (_, place) => KERNEL[filter]((place + first - centre + 0.5) / wide));
    const sum = raw.reduce((one, other) => one + other, 0) || 1;
    return { first, factors: raw.map((one) => Math.trunc((one / sum) * 2 ** BITS + (one < 0 ? -0.5 : 0.5))) };
  });
}

const clip = (value) => Math.min(255, Math.max(0, Math.floor(value / 2 ** BITS)));

/** Every row within [begin, end) made as wide as there are `columns`. */
function passAcross({ width, height, data }, columns, [begin, end]) {
  const found = new Uint8Array(columns.length * height * 3);
  for (let y = begin, to = begin * columns.length * 3; y < end; y += 1) {
    for (const { first, factors } of columns) {
      let [red, green, blue] = [HALF, HALF, HALF];
      for (let k = 0, at = (y * width + first) * 3; k < factors.length; k += 1, at += 3) {
        red += data[at] * factors[k];
        green += data[at + 1] * factors[k];
        blue += data[at + 2] * factors[k];
      }
      found[to++] = clip(red);
      found[to++] = clip(green);
      found[to++] = clip(blue);
    }
  }
  return { width: columns.length, height, data: found };
}

/** Every column made as high as there are `rows`. */
function passDown({ width, data }, rows) {
  const found = new Uint8Array(width * rows.length * 3);
  rows.forEach(({ first, factors }, y) => {
    for (let x = 0; x < width * 3; x += 1) {
      let sum = HALF;
      for (let k = 0; k < factors.length; k += 1) sum += data[(first + k) * width * 3 + x] * factors[k];
      found[y * width * 3 + x] = clip(sum);
    }
  });
  return { width, height: rows.length, data: found };
}

/** Pillow's resize of a part [left, top, right, bottom]: one direction, rounded to 8 bits, then the other. */
export function resample(picture, across, down, [left, top, right, bottom], filter = "bicubic", antialias = true) {
  if (!(filter in KERNEL)) throw new Error(`no filter ${filter}; there are ${Object.keys(KERNEL).join(", ")}`);
  const { width, height } = picture;
  const columns = weights(width, left, right, across, filter, antialias);
  const rows = weights(height, top, bottom, down, filter, antialias);
  // Since Pillow 13 the height goes first where it shrinks by much more than the width does.
  if (height - down > 2 * Math.max(0, width - across)) return passAcross(passDown(picture, rows), columns, [0, down]);
  const used = [Math.min(...rows.map(({ first }) => first)), Math.max(...rows.map(({ first, factors }) => first + factors.length))];
  return passDown(passAcross(picture, columns, used), rows);
}

/** Pillow's reduce: the mean of whole blocks of pixels within a part; what is left over at the end is a smaller block. */
export function reduce({ width, data }, wide, high, [left, top, right, bottom]) {
  const across = Math.ceil((right - left) / wide);
  const down = Math.ceil((bottom - top) / high);
  const found = new Uint8Array(across * down * 3);
  for (let y = 0, to = 0; y < down; y += 1) {
    const [y0, y1] = [top + y * high, Math.min(bottom, top + (y + 1) * high)];
    for (let x = 0; x < across; x += 1) {
      const [x0, x1] = [left + x * wide, Math.min(right, left + (x + 1) * wide)];
      const count = (x1 - x0) * (y1 - y0);
      const factor = Math.floor(Math.fround(2 ** 32 / (count * 256)));
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = Math.floor(count / 2);
        for (let row = y0; row < y1; row += 1) for (let column = x0; column < x1; column += 1) sum += data[(row * width + column) * 3 + channel];
        found[to++] = Math.floor((sum * factor) / 2 ** 24);
      }
    }
  }
  return { width: across, height: down, data: found };
}

/** Pillow's resize with reducing_gap = 3. */
function resize(picture, across, down, box, { interpolation, antialias = true }) {
  const [left, top, right, bottom] = box;
  const wide = Math.trunc((right - left) / across / GAP) || 1;
  const high = Math.trunc((bottom - top) / down / GAP) || 1;
  if ((wide === 1 && high === 1) || !antialias) return resample(picture, across, down, box, interpolation, antialias);
  const beyond = [((right - left) / across) * (SUPPORT[interpolation] - 0.5), ((bottom - top) / down) * (SUPPORT[interpolation] - 0.5)];
  const safe = [
    Math.max(0, Math.trunc(left - beyond[0])), Math.max(0, Math.trunc(top - beyond[1])),
    Math.min(picture.width, Math.ceil(right + beyond[0])), Math.min(picture.height, Math.ceil(bottom + beyond[1])),
  ];
  const part = [(left - safe[0]) / wide, (top - safe[1]) / high, (right - safe[0]) / wide, (bottom - safe[1]) / high];
  return resample(reduce(picture, wide, high, safe), across, down, part, interpolation);
}

/** How many times smaller a JPEG of that size is decoded: 1, 2, 4 or 8; never with a side below twice the network's. */
export function shrinking(width, height, { size, fit }) {
  const times = fit === "tile" || fit === "crop_or_pad" ? 1 : Math.min(Math.floor(width / (2 * size)), Math.floor(height / (2 * size)));
  return [8, 4, 2].find((one) => times >= one) ?? 1;
}

/** What stands for a JPEG decoded at that share: the mean of each block, which differs from libjpeg's by a level at most on average. */
export const shrunk = (picture, times) => (times === 1 ? picture : reduce(picture, times, times, [0, 0, picture.width, picture.height]));

/** The part of a picture of that size that the input shows, in its pixels; padded, it reaches beyond. */
export function shownPart(width, height, { size, crop, fit }) {
  if (fit === "pad") {
    const [across, down] = paddedSize(width, height, size);
    const [left, top] = [-Math.floor((size - across) / 2) * (width / across), -Math.floor((size - down) / 2) * (height / down)];
    return [left, top, left + size * (width / across), top + size * (height / down)];
  }
  if (fit === "crop_or_pad") {
    const [left, top] = [Math.trunc((width - size) / 2), Math.trunc((height - size) / 2)];
    return [left, top, left + size, top + size];
  }
  const share = size / Math.max(size, Math.floor(size / crop));
  const [wide, high] = fit === "squash" ? [width * share, height * share] : [Math.min(width, height) * share, Math.min(width, height) * share];
  return [(width - wide) / 2, (height - high) / 2, (width - wide) / 2 + wide, (height - high) / 2 + high];
}

const paddedSize = (width, height, size) =>
  [width, height].map((side) => Math.max(1, roundEven((size * side) / Math.max(width, height))));

/** Where tiles begin along a length. */
function starts(length, size, overlap) {
  if (length <= size) return [0];
  const steps = Math.ceil((length - size) / (size - overlap));
  return Array.from({ length: steps + 1 }, (_, number) => roundEven((number * (length - size)) / steps));
}

/** The parts [left, top, right, bottom] that the inputs of a picture of that size show: several tiles, or one part. */
export function parts(width, height, settings) {
  if (settings.fit !== "tile") return [shownPart(width, height, settings)];
  const { size, overlap, scale } = settings;
  const [across, down] = [width, height].map((side) => Math.max(1, roundEven(side * scale)));
  const [wide, high] = [width / across, height / down];
  return starts(down, size, overlap).flatMap((top) =>
    starts(across, size, overlap).map((left) => [left * wide, top * high, (left + size) * wide, (top + size) * high]));
}

/** The input [S, S, 3] of one of `parts(...)` of the decoded picture, as bytes. */
export function prepare(picture, part, settings) {
  const { size, fit } = settings;
  if (fit === "tile") return cut(picture, part, settings);
  if (fit === "pad") {
    const [across, down] = paddedSize(picture.width, picture.height, size);
    const inner = resize(picture, across, down, [0, 0, picture.width, picture.height], settings);
    return placed(inner, Math.floor((size - across) / 2), Math.floor((size - down) / 2), settings);
  }
  if (fit === "crop_or_pad") {
    const [left, top, right, bottom] = shownPart(picture.width, picture.height, settings);
    const inner = copied(picture, [Math.max(0, left), Math.max(0, top), Math.min(picture.width, right), Math.min(picture.height, bottom)]);
    return placed(inner, Math.max(0, -left), Math.max(0, -top), settings);
  }
  return resize(picture, size, size, shownPart(picture.width, picture.height, settings), settings).data;
}

function cut(picture, [left, top, right, bottom], settings) {
  const { size, scale, beyond } = settings;
  const inside = [Math.max(left, 0), Math.max(top, 0), Math.min(right, picture.width), Math.min(bottom, picture.height)];
  const across = Math.max(1, roundEven((size * (inside[2] - inside[0])) / (right - left)));
  const down = Math.max(1, roundEven((size * (inside[3] - inside[1])) / (bottom - top)));
  const shown = scale === 1 ? copied(picture, inside.map(roundEven)) : resample(picture, across, down, inside, settings.interpolation, settings.antialias ?? true);
  return placed(shown, 0, 0, settings, beyond === "mirror");
}

function copied({ width, data }, [left, top, right, bottom]) {
  const found = new Uint8Array((right - left) * (bottom - top) * 3);
  for (let y = top; y < bottom; y += 1) {
    found.set(data.subarray((y * width + left) * 3, (y * width + right) * 3), (y - top) * (right - left) * 3);
  }
  return { width: right - left, height: bottom - top, data: found };
}

/** A picture in a square; what is beside it is the mean colour, or mirrored at its right and lower edge. */
function placed({ width, height, data }, left, top, { size, mean }, mirrored = false) {
  const colour = mean.map((one) => roundEven(255 * one));
  const found = new Uint8Array(size * size * 3);
  for (let y = 0, to = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1, to += 3) {
      const column = mirrored ? mirror(x, width) : x - left;
      const row = mirrored ? mirror(y, height) : y - top;
      const there = column >= 0 && column < width && row >= 0 && row < height;
      for (let channel = 0; channel < 3; channel += 1) found[to + channel] = there ? data[(row * width + column) * 3 + channel] : colour[channel];
    }
  }
  return found;
}

/** 0 1 2 3 2 1 0 1 ...: the edge itself is not doubled. */
function mirror(at, length) {
  if (length === 1) return 0;
  const place = at % (2 * length - 2);
  return place < length ? place : 2 * length - 2 - place;
}
