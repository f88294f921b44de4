// One picture and what the model says of it. In: a file, a model. Out: an element that looks after itself. Next: answer.js

import { bar, complaint, similar, smaller } from "./answer.js";
import * as models from "./models.js";
import * as tasks from "./tasks.js";
import { Cancelled, Problem, correct, fit, inTurn, predict, withFewer } from "./server.js";
import { el, settings, speak, t } from "./words.js";

const ASKED = 1000;
const NEIGHBOURS = 5;

export class Card {
  /** `model` as /models describes it; `answered(card)` is called when there is an answer, `removed(card)` to let go. */
  constructor(file, model, { answered, removed }) {
    Object.assign(this, { file, model, answered, removed });
    this.name = file.name || "picture";
    this.written = file.written ?? null; // the text, where it is one
    this.url = this.written === null ? URL.createObjectURL(file) : null;
    this.gone = new AbortController();
    this.previewFailed = false;
    this.#forget();
    this.element = el("article", { class: "card result", tabindex: "-1", "aria-label": this.name });
    this.image = this.url && el("img", { src: this.url, alt: this.name, onerror: () => ((this.previewFailed = true), this.render()) });
    this.render();
  }

  /** Ask the server; never raises. Nothing more happens once the card was let go. */
  async classify() {
    // The model that is gone is not waited for: what the picker shows now is asked.
    if (this.problem?.kind === "page_model_gone") this.model = models.named(this.model.name) ?? models.chosen();
    this.#forget();
    this.render();
    await inTurn(() => this.#answer(), this.gone.signal);
    if (this.gone.signal.aborted) return;
    this.render();
    speak(this.sentence());
    if (this.state !== "done") return;
    this.answered(this);
    if (this.#explainable && this.written !== null) this.#toggleHeat(); // which costs a moment, not seconds
  }

  #forget() {
    this.state = "waiting"; // working, done, failed
    this.all = this.showsHeat = this.outdated = false;
    this.heat = this.heatOf = this.heatProblem = this.answer = this.view = this.problem = this.shrunk = null;
    this.correction = { state: "none", value: null }; // open, saving, saved, failed
  }

  get #task() {
    return tasks.of(this.model);
  }

  async #answer() {
    this.state = "working";
    this.render();
    try {
      const { file, width, height } = await fit(this.file);
      this.sent = file;
      this.shrunk = width ? { width, height } : null;
      this.model = models.named(this.model.name) ?? this.model; // other cards may have seen that it changed
      this.answer = await this.#ask();
      this.view = this.#task.view?.(this.answer, this.model) ?? null;
      if (this.view) this.view.aimed = () => this.#nameHeat();
      this.state = "done";
    } catch (error) {
      if (!(error instanceof Problem || error instanceof Cancelled)) console.error(error);
      this.problem = error instanceof Problem ? error : new Problem("page_failed", { detail: String(error), retry: true });
      this.state = "failed";
    }
  }

  /** The answer of the model as it is now: where it is no longer what we know of it, the page looks at all models again. */
  async #ask(again = true) {
    const neighbours = this.model.gallery ? { neighbours: Math.min(NEIGHBOURS, this.model.gallery) } : {};
    const { asks } = this.#task;
    let answer;
    try {
      answer = await predict(this.sent, this.model.name, { top: ASKED, ...neighbours, ...asks }, this.gone.signal);
    } catch (error) {
      if (error.pixels && !this.shrunk?.pixels) return this.#askSmaller(error);
      if (!again || !tasks.renewable(error)) throw error;
      await this.#renew();
      return this.#ask(false);
    }
    const task = tasks.taskOf(answer, this.model.task);
    const named = tasks.of({ task }).classes(answer);
    const knows = (model) =>
      model.version === answer.version && model.task === task && named.every((label) => model.classes.includes(label));
    if (knows(this.model)) return answer;
    await models.look().catch(() => {}); // the answer is there all the same
    this.model = models.named(this.model.name) ?? this.model;
    if (again && ((this.model.gallery && !answer.neighbours) || this.#task.asks !== asks)) return this.#ask(false);
    // Two servers behind one address may be at different versions: what the answer itself says of its model goes first.
    if (!knows(this.model)) this.model = { ...this.model, task, version: answer.version, classes: named, record: null };
    return answer;
  }

  async #askSmaller(problem) {
    const found = await withFewer(this.file, problem.pixels);
    if (!found) throw problem;
    this.sent = found.file;
    this.shrunk = { ...found, pixels: problem.pixels };
    return this.#ask();
  }

  async #renew() {
    const known = await models.look();
    const found = models.named(this.model.name) ?? (known.length === 1 ? known[0] : null);
    if (!found) throw new Problem("page_model_gone", { more: ["page_model_gone_more", { name: this.model.name }], retry: true });
    this.model = found;
  }

  /** The answer in one sentence. */
  sentence() {
    const { name, answer, problem } = this;
    if (this.state === "failed") return t("page_said_failed", { name, reason: t(problem.kind) });
    return this.#task.sentence(name, answer);
  }

  /** Draw everything again; the focus stays where it was. */
  render() {
    const { activeElement } = document;
    const inside = this.element.contains(activeElement);
    if (inside && activeElement !== this.element) this.focused = activeElement.dataset.key;
    const parts = { waiting: () => this.#progress(), working: () => this.#progress(), done: () => this.#done(), failed: () => this.#failed() };
    const remove = el("button", {
      type: "button", class: "quiet icon", "data-key": "remove", "aria-label": t("page_remove", { name: this.name }), onclick: () => this.removed(this),
    }, "×");
    this.element.setAttribute("aria-busy", String(["waiting", "working"].includes(this.state)));
    this.element.classList.toggle("failed", this.state === "failed");
    this.element.classList.toggle("drawn", this.view !== null || this.written !== null);
    this.element.replaceChildren(
      this.#picture(),
      el("div", { class: "says" }, el("div", { class: "file" }, el("span", {}, this.name, models.several() && ` · ${this.model.name}`), remove), parts[this.state]()),
    );
    // What had the focus may be gone for now: the card itself keeps its place.
    if (inside) (this.element.querySelector(`[data-key="${this.focused}"]:enabled`) ?? this.element).focus({ preventScroll: true });
  }

  /** Let go: wait for nothing more, give back the memory of the picture. */
  free() {
    this.gone.abort();
    if (this.url) URL.revokeObjectURL(this.url);
  }

  #picture() {
    if (this.written !== null) {
      const reason = this.showsHeat && this.heat?.words ? this.heat : null;
      return el("figure", { class: "picture" }, tasks.shownText(this.written, reason), reason && el("figcaption", {}, tasks.legend(reason)));
    }
    if (this.showsHeat && this.heat) {
      const label = this.#task.shown(this.answer, this.heatOf);
      return el("figure", { class: "picture" },
        el("img", { src: this.heat, alt: t("page_heat_alt", { name: this.name, label }) }),
        el("figcaption", { class: "soft small" }, t("page_heat_note", { label })));
    }
    const missing = this.previewFailed && el("div", { class: "gone soft small" }, t("page_no_preview"));
    this.image.alt = this.name;
    if (this.view) return el("figure", { class: "picture" }, this.view.over(missing || this.image));
    if (missing) missing.classList.add("picture");
    return missing || el("figure", { class: "picture" }, this.image);
  }

  #progress() {
    return el("p", { class: "progress soft" }, t(this.state === "working" ? "page_working" : "page_waiting"));
  }

  #failed() {
    return complaint(this.problem, this.problem.retry && this.#button("retry", t("page_retry"), () => this.classify()));
  }

  #done() {
    const { answer } = this;
    return [
      answer.unknown && el("div", { class: "notice" }, el("strong", {}, t(this.written === null ? "page_unknown" : "page_unknown_text")), el("p", {}, t(this.#task.doubt))),
      this.view ? this.view.parts() : this.#told(),
      smaller(this.shrunk),
      similar(answer, this.#task),
      this.heatProblem && el("p", { class: "small", role: "alert" }, t("page_heat_failed", { reason: this.heatProblem })),
      this.outdated && el("div", { class: "notice", role: "alert" }, el("p", {}, t("page_outdated"))),
      this.outdated ? el("p", { class: "buttons" }, this.#button("again", t("page_again"), () => this.classify())) : this.#actions(),
    ];
  }

  #told() {
    const below = this.#task.below(this.answer, this.model);
    return [this.#task.title(this.answer), this.#bars(), below && el("p", { class: "soft small" }, below)];
  }

  #bars() {
    const [rows, always] = this.#task.bars(this.answer, this.model);
    const shown = this.all ? rows : rows.slice(0, always);
    const rest = rows.length - always;
    return [
      el("ol", { class: this.answer.unknown ? "bars doubtful" : "bars", "aria-label": t("page_classes") }, shown.map(bar)),
      rest > 0 && el("p", {}, this.#button("all", this.all ? t("page_fewer") : t("page_more", { n: rest }), () => {
        this.all = !this.all;
        this.render();
      }, "quiet")),
    ];
  }

  #actions() {
    const heat = this.#explainable && this.#button("heat", "", () => this.#toggleHeat());
    if (heat) this.#nameHeat(heat);
    if (!settings.corrections || !this.#task.form) return el("div", { class: "buttons" }, heat);
    const { state, value } = this.correction;
    if (state === "saved") {
      return [
        el("div", { class: "buttons" }, heat),
        el("p", { class: "saved", role: "status" }, t("page_saved", { label: this.#task.text(value) }), " ",
          this.#button("wrong", t("page_change"), () => this.#open(), "quiet")),
      ];
    }
    const wrong = state === "none" && this.#button("wrong", t("page_wrong"), () => this.#open());
    return [el("div", { class: "buttons" }, heat, wrong), state !== "none" && this.#form(this.correction)];
  }

  #form({ state, value, reason }) {
    const saving = state === "saving";
    const change = (chosen) => (this.correction.value = chosen);
    return el("form", { class: "correct", onsubmit: (event) => (event.preventDefault(), this.#save(this.correction.value)) },
      this.#task.form(this.model, this.answer, value, change, saving, this.view),
      state === "failed" && el("p", { class: "notice", role: "alert" }, t("page_not_saved", { reason })),
      el("p", { class: "buttons" },
        el("button", { type: "submit", class: "main", "data-key": "save", disabled: saving }, t(saving ? "page_saving" : "page_save")),
        this.#button("cancel", t("page_cancel"), () => this.#close())));
  }

  #open() {
    this.correction = { state: "open", value: this.#task.before(this.answer, this.view) };
    this.render();
    this.element.querySelector('[data-key="class"]').focus();
  }

  #close() {
    this.correction = { state: "none", value: null };
    this.view?.edit(null);
    this.render();
    this.element.querySelector('[data-key="wrong"]').focus();
  }

  async #save(value) {
    // Not cancelled with the card: who let it go has said what it is.
    this.correction = { state: "saving", value };
    this.render();
    try {
      await correct(this.sent, this.model.name, this.answer.version, this.#task.fields(value));
      this.correction = { state: "saved", value };
      this.view?.edit(null);
      speak(t("page_saved", { label: this.#task.text(value) }));
    } catch (problem) {
      this.outdated = problem.status === 404;
      this.correction = { state: "failed", value, reason: problem.detail || t(problem.kind) };
    }
    this.#renderAt(this.outdated ? "again" : this.correction.state === "saved" ? "wrong" : "save");
  }

  get #explainable() {
    return settings.heatmaps && this.model.explainable;
  }

  /** What is asked for a heatmap now; null where there is nothing to explain. */
  get #aim() {
    return this.#task.aim ? this.#task.aim(this.view) : {};
  }

  /** What the button of heatmaps says now, in place: the view's aim moves under it. */
  #nameHeat(button = this.element.querySelector('[data-key="heat"]')) {
    if (!button) return;
    const aim = this.#aim;
    button.hidden = !aim && !this.showsHeat;
    if (this.heat === "working") button.textContent = t(this.written === null ? "page_heat_working" : "page_words_working");
    else if (this.showsHeat) button.textContent = t(this.written === null ? "page_heat_hide" : "page_words_hide");
    else if (this.written !== null) button.textContent = t("page_words");
    else if (aim) button.textContent = this.#task.aim ? t("page_heat_of", { label: this.#task.shown(this.answer, aim) }) : t("page_heat");
  }

  async #toggleHeat() {
    if (this.heat === "working") return;
    const of = this.#aim;
    if (this.showsHeat || (this.heat && JSON.stringify(of) === JSON.stringify(this.heatOf))) {
      this.showsHeat = !this.showsHeat;
      this.render();
      return;
    }
    Object.assign(this, { heat: "working", heatOf: of, heatProblem: null });
    this.render();
    const { version } = this.answer;
    const label = this.#task.shown(this.answer, of);
    try {
      const found = await predict(this.sent, this.model.name, { version, top: 1, explain: true, ...of }, this.gone.signal);
      // Another answer to the same picture: another model stands there now under the same number.
      if (tasks.taskOf(found, this.model.task) !== this.model.task || this.#task.shown(found, of) !== label) throw new Problem("page_outdated", { status: 404 });
      Object.assign(this, { heat: found.heatmap ?? found.reason, showsHeat: true });
      if (this.written === null) speak(t("page_heat_alt", { name: this.name, label }));
    } catch (problem) {
      this.outdated = problem.status === 404;
      Object.assign(this, { heat: null, heatProblem: this.outdated ? null : problem.detail || t(problem.kind) });
    }
    this.#renderAt(this.outdated ? "again" : "heat");
  }

  /** Draw again; who is still in this card goes on at the button of that key, who left it is left alone. */
  #renderAt(key) {
    if (this.gone.signal.aborted) return;
    const inside = this.element.contains(document.activeElement);
    this.render();
    if (inside) this.element.querySelector(`[data-key="${key}"]`)?.focus();
  }

  #button(key, text, onclick, kind = "") {
    return el("button", { type: "button", class: kind || null, "data-key": key, onclick }, text);
  }
}
