// What the model says of the camera's picture, again and again. In: the video. Out: boxes over it, words below. Next: page.js

import * as models from "./models.js";
import * as tasks from "./tasks.js";
import { Cancelled, Problem, predict } from "./server.js";
import { el, t, tag } from "./words.js";

const $ = (id) => document.getElementById(id);

const SIDE = 960; // pixels of the longer side of what is sent
const QUALITY = 0.85; // of a JPEG
const PAUSE = 1000; // milliseconds, where the server has others to answer
const COUNTED = 10; // answers whose pace is told

let under = null; // the AbortController of the pictures that are asked about now

/** Wire the button: it begins, and ends; whatever closes the dialog or stops the camera ends it too. */
export function wire() {
  $("camera-live").addEventListener("click", () => (under ? stop() : run()));
  $("camera-box").addEventListener("close", stop);
}

function stop() {
  under?.abort();
  under = null;
  $("camera-live").setAttribute("aria-pressed", "false");
  $("camera-says").replaceChildren();
  $("camera-stage").querySelector(".layer")?.remove();
}

async function run() {
  const own = (under = new AbortController());
  $("camera-live").setAttribute("aria-pressed", "true");
  try {
    await models.ready();
    const shown = new Live(models.chosen());
    // One picture after the other: the next is taken when the last answer is there, so it is as quick as the machines are.
    while (!own.signal.aborted) {
      await visible();
      const answer = await ask(shown, own.signal);
      if (own.signal.aborted) return;
      if (answer) shown.show(answer);
    }
  } catch (error) {
    if (error instanceof Cancelled || own.signal.aborted) return;
    stop();
    const problem = error instanceof Problem ? error : new Problem("page_failed", { detail: String(error) });
    $("camera-says").replaceChildren(el("p", { class: "notice", role: "alert" }, t(problem.kind), problem.detail && ` ${problem.detail}`));
  }
}

/** The answer to what the camera sees now; null where there is none to show yet. */
async function ask(shown, signal) {
  const file = await picture();
  if (!file) return pause();
  try {
    const answer = await predict(file, shown.model.name, { top: 1, ...tasks.of(shown.model).asks }, signal);
    if (tasks.taskOf(answer, shown.model.task) === shown.model.task && answer.version === shown.model.version) return answer;
  } catch (error) {
    if (error.kind === "page_busy") return pause();
    if (!tasks.renewable(error)) throw error;
  }
  await models.look();
  shown.change(models.named(shown.model.name) ?? models.chosen());
  return null;
}

/** The answers of one model, as they come. */
class Live {
  constructor(model) {
    this.times = [];
    this.pace = el("p", { class: "soft small" });
    this.change(model);
  }

  change(model) {
    this.view?.layer.remove();
    Object.assign(this, { model, view: null });
  }

  show(answer) {
    this.times = [...this.times, performance.now()].slice(-COUNTED);
    const [first, last] = [this.times[0], this.times.at(-1)];
    const pace = last > first ? (1000 * (this.times.length - 1)) / (last - first) : 0;
    this.pace.textContent = pace ? t("page_live_pace", { n: Number(pace.toLocaleString("en", { maximumSignificantDigits: 2 })).toLocaleString(tag()) }) : "";
    const task = tasks.of(this.model);
    if (!task.view) return $("camera-says").replaceChildren(task.title(answer), this.pace);
    if (this.view) return this.view.renew(answer);
    this.view = task.view(answer, this.model);
    const video = $("camera-view");
    $("camera-stage").style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`;
    $("camera-stage").append(this.view.layer);
    $("camera-says").replaceChildren(...this.view.parts(), this.pace);
  }
}

/** What the camera sees, as a file; null before it sees anything. */
async function picture() {
  const video = $("camera-view");
  const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
  if (!(video.videoWidth > 0 && video.videoHeight > 0)) return null;
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
  return blob && new File([blob], "camera.jpg", { type: "image/jpeg" });
}

const pause = () => new Promise((resolve) => setTimeout(() => resolve(null), PAUSE));

/** Until the page is seen: nobody asks for what nobody sees. */
async function visible() {
  while (document.hidden) await pause();
}
