// Which step of a golden text differs first. In: what was made of it, what is right. Out: words. Next: self_test.js

const NAMES = { grams: "n-grams", words: "words", pieces: "word pieces" };
const TOLERANCE = 1e-4; // of what the network says

const told = (value) => JSON.stringify(value, (_, one) => (typeof one === "bigint" ? one.toString(16).padStart(16, "0") : one));

/** Without what only fills up. */
function trim(rows, { kind, padding }) {
  const keep = kind === "grams" ? 1 : 0;
  return told(rows.map((row) => [...row.slice(0, keep), ...row.slice(keep).filter((one) => one !== padding)]));
}

/** Which step of the preparation differs first, and how; "" where none does. */
export function firstDifference(steps, golden) {
  const cleaned = steps.clean(golden.text);
  if (cleaned !== golden.cleaned) return `step 1 (cleaning): ${told(cleaned)}, not ${told(golden.cleaned)}`;
  const [found, rows] = [steps.found(golden.text), steps.rows(golden.text)];
  for (const [at, part] of steps.told.parts.entries()) {
    const right = golden.parts[at];
    if (told(found[at]) !== told(right.found)) return `step 2 (${NAMES[part.kind]}): ${told(found[at])}, not ${told(right.found)}`;
    const [mine, wanted] = [trim(rows[at], part), trim(right.tokens, part)];
    if (mine !== wanted) return `step 3 (numbers of ${NAMES[part.kind]}): ${mine}, not ${wanted}`;
  }
  return "";
}

/** The same of what the network says: outputs by name, numbers each. */
export function networkDifference(outputs, golden) {
  const near = (values, right) => values.length === right.length && right.every((one, at) => Math.abs(one - values[at]) < TOLERANCE);
  for (const [name, right] of [["probabilities", golden.probabilities], ["novelty", [golden.novelty]]]) {
    const values = Array.from(outputs[name]);
    if (!near(values, right)) return `step 4 (the network): ${name} ${told(values)}, not ${told(right)}`;
  }
  return "";
}
