// The models that are served. In: /models, as often as it may have changed. Out: the picker, the one that is chosen. Next: card.js

import { about } from "./about.js";
import { Problem, models } from "./server.js";
import { el } from "./words.js";
import * as writing from "./writing.js";

const FRESH = 60_000; // milliseconds after which new pictures are a reason to look again

let known = [];
let looking = null; // one look for all who ask meanwhile
let looked = 0;

const picker = document.getElementById("model");

/** The one to ask, as /models describes it. */
export const chosen = () => named(picker.value) ?? known[0];
export const named = (name) => known.find((model) => model.name === name);
export const several = () => known.length > 1;

/** Show the card of the chosen one, and what it is given. */
export function show() {
  about(chosen());
  writing.show(chosen());
}

/** Ask the server what it serves, and show it: every model. */
export function look() {
  return (looking ??= load().finally(() => (looking = null)));
}

/** Come back when there is a model to ask. */
export async function ready() {
  if (!known.length) return look();
  if (Date.now() - looked > FRESH) look().catch(() => {}); // what is wrong will show when the pictures are sent
}

async function load() {
  const found = await models();
  if (!found.length) throw new Problem("page_busy", { more: ["page_busy_more"], retry: true });
  const before = picker.value;
  known = found;
  looked = Date.now();
  picker.replaceChildren(...known.map((model) => el("option", { value: model.name, selected: model.name === before }, model.name)));
  document.getElementById("model-choice").hidden = !several();
  show();
  return known;
}
