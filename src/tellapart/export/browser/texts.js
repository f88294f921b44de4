// Texts in this browser: made ready, answered, and what each word says. In: files. Out: answers as a server gives them. Next: server.js

import { answer } from "../sample/answer.js";
import { fileBytes, network } from "./local.js";
import { Preparation } from "../texts/prepare_text.js";
import { settings } from "./words.js";

const WHOLE = [[0, 0, 1, 1]]; // a text has no parts
const MOST_LEFT_OUT = 100; // words that are left out in turn; of a longer text several stand together
const LEAST = 1e-12; // of a probability
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]/u;

let opened = null;

/** The steps and the network, opened once; where that failed, tried again. */
function ready() {
  return (opened ??= open().catch((error) => {
    opened = null;
    throw error;
  }));
}

async function open() {
  const told = settings.model.texts;
  const names = told.parts.map(({ vocabulary }) => vocabulary);
  const [run, ...files] = await Promise.all([network(), ...names.map(fileBytes)]);
  const steps = new Preparation(told, Object.fromEntries(names.map((name, at) => [name, files[at]])));
  const ask = async (text) => {
    const { data, dims } = steps.tokens(text);
    return run({ name: told.input.name, type: told.input.type, data, dims });
  };
  return { steps, ask };
}

/** What the model says of a text; null for one of which nothing is left. With `reason`, what its words say, too. */
export async function answerText(text, reason, stopped) {
  const { steps, ask } = await ready();
  const cleaned = steps.clean(text);
  if (!cleaned) return null;
  const said = answer([await ask(text)], WHOLE, { width: 1, height: 1 }, settings.model);
  return reason ? { ...said, reason: await reasons(cleaned, said, ask, stopped) } : said;
}

/** By how much the lead of the told class over the next one falls without each word. */
async function reasons(cleaned, { classes: [first, next] }, ask, stopped) {
  const { classes, record } = settings.model;
  const [chosen, other] = [first, next].map(({ label }) => classes.indexOf(label));
  const lead = async (text) => {
    const { probabilities } = await ask(text);
    return (record.temperature ?? 1) * (Math.log(Math.max(probabilities[chosen], LEAST)) - Math.log(Math.max(probabilities[other], LEAST)));
  };
  const parts = together(words(cleaned));
  const whole = await lead(cleaned);
  const found = [];
  for (const [at, word] of parts.entries()) {
    if (stopped()) return null;
    const without = parts.filter((_, place) => place !== at).join("").trim();
    found.push({ word, weight: whole - (await lead(without)) });
    await new Promise((resolve) => setTimeout(resolve)); // the page may draw in between
  }
  return { label: first.label, over: next.label, begins: null, words: found, left_out: 0 };
}

/** Words with the blanks before them; letters where words do not stand apart. */
function words(cleaned) {
  const letters = [...cleaned].filter((one) => /\p{L}/u.test(one));
  const unspaced = 2 * letters.filter((one) => UNSPACED.test(one)).length > letters.length;
  return unspaced ? [...cleaned] : cleaned.match(/\s*\S+/gu);
}

function together(parts) {
  const size = Math.ceil(parts.length / MOST_LEFT_OUT);
  return Array.from({ length: Math.ceil(parts.length / size) }, (_, at) => parts.slice(at * size, (at + 1) * size).join(""));
}
