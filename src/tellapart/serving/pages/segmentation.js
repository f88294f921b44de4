// A class a pixel. In: an answer. Out: what the page shows of it. Next: card.js

import { MaskView, said } from "./masks.js";
import { t } from "./words.js";

export const doubt = "page_unknown_labels"; // beside a picture unlike those trained on
export const asks = {};
export const made = (answer) => "areas" in answer;
export const classes = ({ areas }) => areas.map(({ label }) => label);
export const view = (answer, model) => new MaskView(answer, model);
export const sentence = (name, answer) => t("page_said_mask", { name, areas: said(answer, background(answer)) });
export const brief = (answer) => ({ label: answer.areas.some(({ pixels, parts }) => pixels && parts !== null) ? said(answer, background(answer)) : "", probability: null });

/** The class that has no parts to count is the background. */
const background = ({ areas }) => areas.findIndex(({ parts }) => parts === null);
