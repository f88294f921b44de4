// The box for texts. In: what people type. Out: texts, one at a time. Next: page.js

import * as tasks from "./tasks.js";
import { t } from "./words.js";

const NAMED = 60; // letters of a text that stand for its name
const MOST = 100_000; // letters of a text that the model looks at

const $ = (id) => document.getElementById(id);

/** Whether a model takes texts. */
export const takesTexts = (model) => Boolean(model && tasks.of(model)?.written);

/** Files that were chosen or dropped, which are sent as they are; `written` is what their cards show. */
export const opened = (files) =>
  Promise.all(files.map(async (file) => Object.assign(file, { written: (await file.slice(0, 4 * MOST).text()).slice(0, MOST) })));

function asFile(text) {
  const letters = [...text.trim().replace(/\s+/g, " ")];
  const name = letters.length > NAMED ? `${letters.slice(0, NAMED).join("")}…` : letters.join("");
  return Object.assign(new File([text], name, { type: "text/plain" }), { written: text });
}

/** Show the box for texts in the place of that for pictures, or the other way round. */
export function show(model) {
  const texts = takesTexts(model);
  $("write").hidden = !texts;
  $("drop").hidden = texts;
  $("empty").dataset.t = texts ? "page_empty_texts" : "page_empty";
  $("empty").textContent = t($("empty").dataset.t);
  $("privacy-texts").textContent = t("page_privacy_texts");
}

/** `take(files)` is given each text. */
export function wire(take) {
  const ask = () => {
    const text = $("text").value;
    if (!text.trim()) return $("text").focus();
    take([asFile(text)]);
  };
  $("ask").addEventListener("click", ask);
  $("text").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      ask();
    }
  });
  $("choose-texts").addEventListener("click", () => $("text-files").click());
  $("text-files").addEventListener("change", async () => {
    const files = [...$("text-files").files];
    $("text-files").value = "";
    take(await opened(files));
  });
}
