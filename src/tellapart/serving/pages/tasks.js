// What the page shows of an answer, by the task of its model. In: a model. Out: functions. Next: classification.js

import * as classification from "./classification.js";
import * as detection from "./detection.js";
import * as multilabel from "./multilabel.js";
import * as segmentation from "./segmentation.js";
import * as text from "./text.js";

const TASKS = { classification, multilabel, detection, segmentation, text };

/*
 * The functions of a task:
 *   made(answer)                   whether the answer is of this task
 *   classes(answer)                the names that it has probabilities of
 *   asks                           what is asked of /predict besides; left out: nothing
 *   view(answer, model)            where in the picture it says that: over(picture), layer, parts(), renew(answer), edit(value), aimed();
 *                                  left out: title, bars, below say all, doubt too, and named, agrees where there is such
 *   aim(view)                      what is asked for a heatmap of that part of the answer, null where there is nothing to explain;
 *                                  left out: of the answer as a whole
 *   title(answer)                  what it says, as elements
 *   sentence(name, answer)         the same for a screen reader; `name` of the picture
 *   doubt                          the phrase beside an unknown picture
 *   bars(answer, model)            rows {label, probability, from, chosen}, and how many of them are always shown
 *   below(answer, model)           what is to be said below the bars, or null
 *   brief(answer)                  {label, probability} for the history; the label "" where it names nothing
 *   shown(answer, aim)             what a heatmap is of, in words
 *   named(neighbour)               what a training picture like it is, in words
 *   agrees(answer, neighbour)      whether that is what the answer says
 *   before(answer, view)           what a correction starts from
 *   fields(value), text(value)     a correction as the server takes it, and for people
 *   written                        true where what is asked is a text
 *   form(model, answer, value, change, disabled, view)   the element to correct it with; `change(value)` is told of every change;
 *                                  left out where nothing is corrected here
 */

/** What shows a text, and what its colours mean. */
export const shownText = text.shownText;
export const legend = text.legend;

/** The functions for a model's answers. */
export const of = (model) => TASKS[model.task];

/** The task that an answer itself is of: its model may have been exchanged meanwhile. Of two that answer alike, the one `asked`. */
export const taskOf = (answer, asked) => (asked && TASKS[asked]?.made(answer) ? asked : Object.keys(TASKS).find((name) => TASKS[name].made(answer)));

/** Whether a request failed since the model is another by now: it is gone, or cannot do what the one before could. */
export const renewable = ({ status }) => [404, 409].includes(status);
