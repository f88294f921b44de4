// Tests every step in this browser against the golden texts. In: proof/. Out: lines on the page. Next: steps.js

import { network } from "./local.js";
import { Preparation } from "../texts/prepare_text.js";
import { firstDifference, networkDifference } from "../texts/steps.js";

const say = (text, kind) => {
  const line = Object.assign(document.createElement("p"), { textContent: text, className: kind });
  line.style.color = kind === "right" ? "var(--good)" : "var(--warn)";
  document.getElementById("says").append(line);
};

async function read(name, as) {
  const answer = await fetch(`proof/${name}`);
  if (!answer.ok) throw new Error(`proof/${name} is not there (${answer.status})`);
  return answer[as]();
}

async function check() {
  document.querySelector("main").style.display = "block";
  if (location.protocol === "file:") return say("Open this page through a web server: python -m http.server", "wrong");
  const [told, golden] = [await read("texts.json", "json"), await read("golden.json", "json")];
  const files = {};
  for (const { vocabulary } of told.parts) files[vocabulary] = new Uint8Array(await read(vocabulary, "arrayBuffer"));
  const steps = new Preparation(told, files);
  const run = await network();
  let failed = 0;
  for (const [at, one] of golden.entries()) {
    const what = firstDifference(steps, one) || networkDifference(await run({ ...told.input, ...steps.tokens(one.text) }), one);
    if (what) {
      failed += 1;
      say(`text ${at + 1}, ${what}`, "wrong");
    }
  }
  if (!failed) say(`All steps give what they should, for ${golden.length} texts.`, "right");
}

check().catch((error) => say(String(error), "wrong"));
