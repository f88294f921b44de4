// Boxes of all parts of a picture become its own. In: outputs, places. Out: {boxes, counts}. Next: masks.js
// A box is {label, score, left, top, right, bottom}; inside, a list of four sides with a score and a number of a class.

const AGREEING = 0.4; // overlap, within what two tiles both show, of boxes of one thing
const CUT = 0.01; // of a tile's side: a box so near an edge beyond which the picture goes on is cut by it

const area = ([left, top, right, bottom]) => Math.max(0, right - left) * Math.max(0, bottom - top);
const shared = (one, other) => area([Math.max(one[0], other[0]), Math.max(one[1], other[1]), Math.min(one[2], other[2]), Math.min(one[3], other[3])]);

/** Intersection over union; 0 of what has no area. */
export function overlap(one, other) {
  const both = shared(one, other);
  const union = area(one) + area(other) - both;
  return union > 0 ? both / union : 0;
}

/** Every box that the model gives, the most certain first; `told` where its score reaches its class's threshold. */
export function boxes(outputs, places, whole, { classes, record, preprocessing }) {
  const perPart = outputs.map((one, at) => inSource(found(one, record, classes.length), places[at], whole));
  const kept = preprocessing.fit === "tile" ? merged(perPart, places, whole, record.overlap) : perPart[0];
  const rows = kept.map(({ sides: [left, top, right, bottom], score, label }) =>
    ({ label: classes[label], score, left, top, right, bottom, told: score >= Math.fround(record.thresholds[label]) }));
  const counts = Object.fromEntries(classes.map((name) => [name, rows.filter(({ label, told }) => told && label === name).length]).filter(([, n]) => n));
  return { boxes: rows, counts };
}

/** What the network says of one input, in shares of its sides. Without `labels` it has left out no box that lies on another. */
function found({ boxes: flat, scores, labels }, record, classes) {
  const sides = (at) => Array.from(flat.subarray(4 * at, 4 * at + 4));
  if (labels) return Array.from(scores, (score, at) => ({ sides: sides(at), score, label: Number(labels[at]) }));
  const kept = [];
  for (let label = 0; label < classes; label += 1) {
    const own = [];
    for (let at = 0; at * classes < scores.length; at += 1) {
      const score = scores[at * classes + label];
      if (score > record.least_score) own.push({ sides: sides(at), score, label });
    }
    own.sort((one, other) => other.score - one.score);
    const alone = [];
    for (const one of own) {
      if (alone.length < record.most && alone.every((before) => overlap(before.sides, one.sides) <= record.overlap)) alone.push(one);
    }
    kept.push(...alone);
  }
  return kept.sort((one, other) => other.score - one.score).slice(0, record.most);
}

/** In pixels of the picture, within it; what lies outside is left out. */
function inSource(given, [left, top, right, bottom], { width, height }) {
  const place = (value, from, to, most) => Math.fround(Math.min(most, Math.max(0, value * (to - from) + from)));
  return given
    .map(({ sides, ...rest }) => ({ ...rest, sides: sides.map((value, at) => (at % 2 ? place(value, top, bottom, height) : place(value, left, right, width))) }))
    .filter(({ sides, score }) => score > 0 && sides[2] > sides[0] && sides[3] > sides[1]);
}

/** Boxes of tiles that agree within what both tiles show are one: the most certain whole one, or what is around all where all are cut. */
function merged(perPart, places, whole, overlapping) {
  const all = perPart.flatMap((list, tile) => list.map((one) => ({ ...one, tile, cut: isCut(one.sides, places[tile], whole), pairs: [], taken: false })));
  all.forEach((one, first) => {
    for (const other of all.slice(first + 1)) pair(one, other, places);
  });
  // Of boxes that agree equally well the earlier one is first.
  all.forEach((one, at) => (one.at = at));
  for (const one of all) one.pairs.sort((a, b) => b.how - a.how || a.other.at - b.other.at);
  const heads = [];
  for (const head of [...all].sort((one, other) => one.cut - other.cut || other.score - one.score)) {
    if (head.taken) continue;
    const group = gathered(head, overlapping);
    const sides = head.cut && group.length > 1
      ? [0, 1, 2, 3].map((side) => (side < 2 ? Math.min : Math.max)(...group.map((one) => one.sides[side])))
      : head.sides;
    heads.push({ sides, label: head.label, score: Math.max(...group.map(({ score }) => score)) });
  }
  return heads.sort((one, other) => other.score - one.score);
}

function pair(one, other, places) {
  if (one.tile === other.tile || one.label !== other.label) return;
  const [ours, theirs] = [places[one.tile], places[other.tile]];
  const common = [Math.max(ours[0], theirs[0]), Math.max(ours[1], theirs[1]), Math.min(ours[2], theirs[2]), Math.min(ours[3], theirs[3])];
  if (common[0] >= common[2] || common[1] >= common[3]) return;
  const within = (sides) => sides.map((value, at) => Math.min(common[2 + (at % 2)], Math.max(common[at % 2], value)));
  const how = overlap(within(one.sides), within(other.sides));
  if (how < AGREEING) return;
  one.pairs.push({ other, how });
  other.pairs.push({ other: one, how });
}

/** The boxes of one thing: of each tile the one that agrees best; where the head is cut, those that agree with one of them too. */
function gathered(head, overlapping) {
  const [group, tiles] = [[head], new Set([head.tile])];
  head.taken = true;
  for (const member of group) {
    for (const { other, how } of member.pairs) {
      if (other.taken || (tiles.has(other.tile) && !(how > overlapping && !head.cut))) continue;
      other.taken = true;
      tiles.add(other.tile);
      group.push(other);
    }
    if (!head.cut) break;
  }
  return group;
}

function isCut(sides, [left, top, right, bottom], { width, height }) {
  const [across, down] = [CUT * (right - left), CUT * (bottom - top)];
  return (left > 0 && sides[0] <= left + across) || (top > 0 && sides[1] <= top + down) ||
    (right < width && sides[2] >= right - across) || (bottom < height && sides[3] >= bottom - down);
}
