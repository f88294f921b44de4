// Tests every step in this browser against the golden pictures. In: proof/. Out: lines on the page. Next: steps.js

import { network, pixels } from "./local.js";
import { conclude, testPicture } from "../sample/steps.js";

const say = (text, kind = "") => {
  const line = Object.assign(document.createElement("p"), { textContent: text, className: kind });
  document.getElementById("says").append(line);
};

async function bytesOf(file) {
  const answer = await fetch(`proof/golden/${file}`);
  if (!answer.ok) throw new Error(`proof/golden/${file} is not there (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function check() {
  if (location.protocol === "file:") return say("Open this page through a web server: python -m http.server", "wrong");
  const model = await (await fetch("proof/preprocessing.json")).json();
  const { pictures } = await (await fetch("proof/golden/golden.json")).json();
  const run = await network();
  const decode = (data, settings) => pixels(new Blob([data]), settings);
  const results = [];
  for (const one of pictures) {
    const names = [one.source, one.decoded, ...one.inputs, ...Object.values(one.outputs)].map(({ file }) => file);
    const files = new Map();
    for (const name of [...names, one.answer]) files.set(name, await bytesOf(name));
    results.push(await testPicture(one, model, { bytes: (name) => files.get(name), decode, run, found: null }));
    say(results.at(-1).line);
  }
  const { text, failed } = conclude(results);
  say(text, failed ? "wrong" : "right");
}

check().catch((error) => say(String(error), "wrong"));
