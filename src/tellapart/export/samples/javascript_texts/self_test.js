// Whether texts are made ready as tellapart does it. In: golden.json. Out: the first step that differs. Needs: Node 18 or newer.

const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { Preparation } = require("./prepare_text.js");

const here = join(__dirname, "..");
const steps = new Preparation(here);
const golden = JSON.parse(readFileSync(join(here, "golden.json"), "utf8"));
const trim = (rows) => JSON.stringify(rows.map(([first, ...row]) => [first, ...row.filter((one) => one !== steps.place.size)]));

golden.forEach((one, index) => {
  const cleaned = steps.clean(one.text);
  if (cleaned !== one.cleaned) fail(index, "1 (cleaning)", JSON.stringify(cleaned), JSON.stringify(one.cleaned));
  const tokens = trim(steps.tokens(one.text));
  if (tokens !== trim(one.tokens)) fail(index, "2 and 3 (n-grams, numbers)", tokens, trim(one.tokens));
});
console.log(`${golden.length} texts: cleaning, n-grams and numbers are the same`);

function fail(index, step, found, wanted) {
  console.error(`text ${index + 1}, step ${step}: ${found}, not ${wanted}`);
  process.exit(1);
}
