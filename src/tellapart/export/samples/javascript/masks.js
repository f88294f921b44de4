// A class for each pixel of a picture. In: outputs, places. Out: {mask, certainty, areas, confidence}. Next: self_test.js

const SIZES = 100; // parts of a class whose sizes are told

/** `mask`: the number of the class of each pixel; `certainty`: its probability, 255 for 1; `areas`: what is told of each class. */
export function mask(outputs, places, { width, height }, { classes, record, preprocessing }) {
  const found = blended(outputs, places, width, height, classes.length, preprocessing);
  const numbers = new Uint8Array(width * height);
  const certainty = new Uint8Array(width * height);
  let sum = 0;
  for (let at = 0; at < numbers.length; at += 1) {
    let best = found[at];
    for (let label = 1; label < classes.length; label += 1) {
      const one = found[label * numbers.length + at];
      if (one > best) [best, numbers[at]] = [one, label];
    }
    certainty[at] = Math.min(255, Math.max(0, Math.floor(Math.fround(Math.fround(best * 255) + 0.5))));
    sum += certainty[at];
  }
  const sizes = parts(numbers, width, height, classes.length);
  const areas = classes.map((label, number) => {
    const pixels = sizes[number].reduce((one, other) => one + other, 0);
    const counted = number !== record.background;
    return {
      label,
      colour: `#${record.colours[number].map((one) => one.toString(16).padStart(2, "0")).join("")}`,
      pixels,
      share: pixels / Math.max(1, numbers.length),
      parts: counted ? sizes[number].length : null,
      sizes: counted ? sizes[number].slice(0, SIZES) : null,
    };
  });
  return { mask: numbers, certainty, areas, confidence: numbers.length ? sum / numbers.length / 255 : 0 };
}

/** Probabilities of the whole picture, class by class: where tiles overlap their weights fall towards each tile's edge. */
function blended(outputs, places, width, height, classes, { size, fit, overlap }) {
  const pixels = width * height;
  const alone = fit !== "tile" || places.length === 1;
  const [sums, weights] = [new Float32Array(classes * pixels), new Float32Array(pixels)];
  const ramp = Float32Array.from({ length: size }, (_, at) => Math.min(Math.min(at + 0.5, size - at - 0.5) / Math.max(overlap ?? 1, 1), 1));
  outputs.forEach(({ probabilities }, number) => {
    const [left, top] = places[number].map(Math.round);
    for (let y = Math.max(0, top); y < Math.min(height, top + size); y += 1) {
      for (let x = Math.max(0, left); x < Math.min(width, left + size); x += 1) {
        const weight = alone ? 1 : Math.fround(ramp[y - top] * ramp[x - left]);
        weights[y * width + x] += weight;
        for (let label = 0; label < classes; label += 1) {
          sums[label * pixels + y * width + x] += Math.fround(probabilities[(label * size + y - top) * size + x - left] * weight);
        }
      }
    }
  });
  for (let at = 0; at < sums.length; at += 1) sums[at] /= weights[at % pixels] || 1;
  return sums;
}

/** For each class the pixels of its connected parts, the largest first; pixels that touch at a corner belong together. */
function parts(numbers, width, height, classes) {
  const seen = new Uint8Array(numbers.length);
  const found = Array.from({ length: classes }, () => []);
  for (let start = 0; start < numbers.length; start += 1) {
    if (seen[start]) continue;
    const waiting = [start];
    seen[start] = 1;
    let count = 0;
    while (waiting.length) {
      const at = waiting.pop();
      count += 1;
      const [x, y] = [at % width, Math.floor(at / width)];
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row += 1) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column += 1) {
          const next = row * width + column;
          if (seen[next] || numbers[next] !== numbers[start]) continue;
          seen[next] = 1;
          waiting.push(next);
        }
      }
    }
    found[numbers[start]].push(count);
  }
  return found.map((sizes) => sizes.sort((one, other) => other - one));
}
