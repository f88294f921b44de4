// Tests every step in this browser against the golden pictures. In: proof/. Out: lines on the page. Next: steps.js

import { network, pixels } from "./local.js";
import { conclude, testPicture } from "../sample/steps.js";

const STEPS = ["decode", "input", "network", "answer", "whole way"];

const say = (text, kind) => {
  const line = Object.assign(document.createElement("p"), { textContent: text, className: kind });
  line.style.color = kind === "right" ? "var(--good)" : "var(--warn)";
  document.getElementById("says").append(line);
};

/** A row of the table; what is not right stands out. */
function tell(name, steps) {
  const row = document.createElement("tr");
  const cells = [name, ...STEPS.map((step) => steps?.[step]?.says ?? (steps ? "" : step))];
  cells.forEach((text, at) => {
    const cell = Object.assign(document.createElement(steps ? "td" : "th"), { textContent: text });
    Object.assign(cell.style, { padding: "4px 18px 4px 0", textAlign: "left" });
    if (steps && steps[STEPS[at - 1]]?.same === false) cell.style.color = "var(--warn)";
    row.append(cell);
  });
  document.getElementById("steps").append(row);
}

async function bytesOf(file) {
  const answer = await fetch(`proof/golden/${file}`);
  if (!answer.ok) throw new Error(`proof/golden/${file} is not there (${answer.status})`);
  return new Uint8Array(await answer.arrayBuffer());
}

async function check() {
  document.querySelector("main").style.display = "block";
  if (location.protocol === "file:") return say("Open this page through a web server: python -m http.server", "wrong");
  const model = await (await fetch("proof/preprocessing.json")).json();
  const { pictures } = await (await fetch("proof/golden/golden.json")).json();
  const run = await network();
  const decode = (data, settings) => pixels(new Blob([data]), settings);
  const results = [];
  tell("picture", null);
  for (const one of pictures) {
    const names = [one.source, one.decoded, ...one.inputs, ...Object.values(one.outputs)].map(({ file }) => file);
    const files = new Map();
    for (const name of [...names, one.answer]) files.set(name, await bytesOf(name));
    results.push(await testPicture(one, model, { bytes: (name) => files.get(name), decode, run, found: null }));
    tell(one.name, results.at(-1).steps);
  }
  const { text, failed } = conclude(results);
  say(text, failed ? "wrong" : "right");
}

check().catch((error) => say(String(error), "wrong"));
