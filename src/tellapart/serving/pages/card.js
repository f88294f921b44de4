// One picture and what the model says of it. In: a file, a model. Out: an element that looks after itself. Next: history.js

import { Problem, correct, fit, inTurn, predict } from "./server.js";
import { el, joined, percent, settings, size, speak, t } from "./words.js";

const SHOWN = 5; // classes
const ASKED = 1000;
const NEIGHBOURS = 5;
const NAMED = 6; // classes of a set that a sentence names

export class Card {
  /** `model` as /models describes it, one of `several` or not; `answered(card)` is called when there is an answer, `removed(card)` to let go. */
  constructor(file, model, { several, answered, removed }) {
    Object.assign(this, { file, model, several, answered, removed });
    this.name = file.name || "picture";
    this.url = URL.createObjectURL(file);
    this.state = "waiting"; // working, done, failed
    this.all = this.showsHeat = this.previewFailed = false;
    this.heat = this.heatProblem = this.answer = this.problem = this.shrunk = null;
    this.correction = { state: "none", label: "" }; // open, saving, saved, failed
    this.element = el("article", { class: "card result", tabindex: "-1", "aria-label": this.name });
    this.image = el("img", { src: this.url, alt: this.name, onerror: () => ((this.previewFailed = true), this.render()) });
    this.render();
  }

  /** Ask the server; never raises. */
  async classify() {
    this.state = "waiting";
    this.render();
    await inTurn(async () => {
      this.state = "working";
      this.render();
      try {
        const { file, width, height } = await fit(this.file);
        this.sent = file;
        this.shrunk = width ? { width, height } : null;
        const neighbours = this.model.gallery ? { neighbours: Math.min(NEIGHBOURS, this.model.gallery) } : {};
        const top = Math.min(ASKED, this.model.classes.length);
        this.answer = await predict(file, this.model.name, { top, ...neighbours });
        this.state = "done";
      } catch (error) {
        if (!(error instanceof Problem)) console.error(error);
        this.problem = error instanceof Problem ? error : new Problem("page_failed", { detail: String(error), retry: true });
        this.state = "failed";
      }
    });
    this.render();
    speak(this.sentence());
    if (this.state === "done") this.answered(this);
  }

  /** The answer in one sentence. */
  sentence() {
    const { name, answer, problem } = this;
    if (this.state === "failed") return t("page_said_failed", { name, reason: t(problem.kind) });
    if (answer.unknown) return t("page_said_unknown", { name, label: answer.label });
    return t("page_said", { name, label: answer.label, share: percent(answer.probability) });
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
    this.element.replaceChildren(
      this.#picture(),
      el("div", { class: "says" }, el("div", { class: "file" }, el("span", {}, this.name, this.several && ` · ${this.model.name}`), remove), parts[this.state]()),
    );
    // What had the focus may be gone for now: the card itself keeps its place.
    if (inside) (this.element.querySelector(`[data-key="${this.focused}"]`) ?? this.element).focus({ preventScroll: true });
  }

  /** Give back the memory of the picture. */
  free() {
    URL.revokeObjectURL(this.url);
  }

  #picture() {
    if (this.showsHeat && this.heat) {
      const { label } = this.answer;
      return el("figure", { class: "picture" },
        el("img", { src: this.heat, alt: t("page_heat_alt", { name: this.name, label }) }),
        el("figcaption", { class: "soft small" }, t("page_heat_note", { label })));
    }
    if (this.previewFailed) return el("div", { class: "picture gone soft small" }, t("page_no_preview"));
    this.image.alt = this.name;
    return el("figure", { class: "picture" }, this.image);
  }

  #progress() {
    return el("p", { class: "progress soft" }, t(this.state === "working" ? "page_working" : "page_waiting"));
  }

  #failed() {
    const { kind, more, detail, retry } = this.problem;
    return [
      el("h3", {}, t(kind)),
      more && el("p", {}, t(...more)),
      detail && el("p", { class: "soft small", lang: "en" }, detail),
      retry && el("p", { class: "buttons" }, this.#button("retry", t("page_retry"), () => this.classify())),
    ];
  }

  #done() {
    const { answer } = this;
    return [
      answer.unknown && el("div", { class: "notice" }, el("strong", {}, t("page_unknown")), el("p", {}, t("page_unknown_more"))),
      answer.unknown
        ? el("h3", { class: "unsure" }, t("page_nearest", { label: answer.label }))
        : el("h3", {}, answer.label, " ", el("span", { class: "sure" }, t("page_sure", { share: percent(answer.probability) }))),
      this.#bars(),
      this.#set(),
      this.shrunk && el("p", { class: "soft small" }, t("page_shrunk", { ...this.shrunk, size: size(settings.body_bytes) })),
      this.#similar(),
      this.heatProblem && el("p", { class: "small", role: "alert" }, t("page_heat_failed", { reason: this.heatProblem })),
      this.#actions(),
    ];
  }

  #bars() {
    const { classes, unknown } = this.answer;
    const shown = this.all ? classes : classes.slice(0, SHOWN);
    const bars = shown.map(({ label, probability }) => {
      const fill = el("span", { class: "fill" });
      fill.style.width = `${100 * probability}%`;
      return el("li", {}, el("span", { class: "label" }, label), el("span", { class: "figure" }, percent(probability)),
        el("span", { class: "bar", "aria-hidden": "true" }, fill));
    });
    const rest = classes.length - SHOWN;
    return [
      el("ol", { class: unknown ? "bars doubtful" : "bars", "aria-label": t("page_classes") }, bars),
      rest > 0 && el("p", {}, this.#button("all", this.all ? t("page_fewer") : t("page_more", { n: rest }), () => {
        this.all = !this.all;
        this.render();
      }, "quiet")),
    ];
  }

  #set() {
    const names = this.answer.set;
    if (!names || this.answer.unknown) return null; // a set of known classes says nothing of what is none of them
    const coverage = percent(this.model.abstention.coverage).replace(".0", "");
    const text = names.length === 1 ? t("page_set_one")
      : names.length > NAMED ? t("page_set_many", { n: names.length, coverage })
      : t("page_set_more", { names: joined(names), coverage });
    return el("p", { class: "soft small" }, text);
  }

  #similar() {
    const { neighbours } = this.answer;
    if (!neighbours?.length) return null;
    return el("div", { class: "similar" },
      el("h4", {}, t("page_similar")),
      el("ul", {}, neighbours.map(({ label, similarity, thumbnail }) =>
        el("li", { class: label === this.answer.label || this.answer.unknown ? null : "other" },
          el("img", { src: thumbnail, alt: t("page_similar_alt", { label, share: percent(similarity) }) }),
          el("span", { "aria-hidden": "true" }, label)))));
  }

  #actions() {
    const heat = settings.heatmaps && this.#button("heat",
      t(this.heat === "working" ? "page_heat_working" : this.showsHeat ? "page_heat_hide" : "page_heat"), () => this.#toggleHeat());
    if (!settings.corrections) return el("div", { class: "buttons" }, heat);
    const { state, label, reason } = this.correction;
    if (state === "saved") {
      return [
        el("div", { class: "buttons" }, heat),
        el("p", { class: "saved", role: "status" }, t("page_saved", { label }), " ",
          this.#button("wrong", t("page_change"), () => this.#open(), "quiet")),
      ];
    }
    const wrong = state === "none" && this.#button("wrong", t("page_wrong"), () => this.#open());
    return [el("div", { class: "buttons" }, heat, wrong), state !== "none" && this.#form(state, label, reason)];
  }

  #form(state, label, reason) {
    const likeliest = this.answer.classes.slice(0, SHOWN).map((one) => one.label);
    const others = this.model.classes.filter((name) => !likeliest.includes(name));
    const options = [...likeliest, ...others].map((name) => el("option", { value: name, selected: name === label }, name));
    const select = el("select", { required: true, "data-key": "class", disabled: state === "saving" },
      el("option", { value: "" }, t("page_choose_class")), options);
    select.addEventListener("change", () => (this.correction.label = select.value));
    return el("form", { class: "correct", onsubmit: (event) => (event.preventDefault(), this.#save(select.value)) },
      el("label", {}, el("span", {}, t("page_right_class")), select),
      state === "failed" && el("p", { class: "notice", role: "alert" }, t("page_not_saved", { reason })),
      el("p", { class: "buttons" },
        el("button", { type: "submit", class: "main", "data-key": "save", disabled: state === "saving" }, t(state === "saving" ? "page_saving" : "page_save")),
        this.#button("cancel", t("page_cancel"), () => this.#close())));
  }

  #open() {
    this.correction = { state: "open", label: "" };
    this.render();
    this.element.querySelector('[data-key="class"]').focus();
  }

  #close() {
    this.correction = { state: "none", label: "" };
    this.render();
    this.element.querySelector('[data-key="wrong"]').focus();
  }

  async #save(label) {
    this.correction = { state: "saving", label };
    this.render();
    try {
      await correct(this.sent, this.model.name, label);
      this.correction = { state: "saved", label };
      speak(t("page_saved", { label }));
    } catch (problem) {
      this.correction = { state: "failed", label, reason: problem.detail || t(problem.kind) };
    }
    this.render();
    this.element.querySelector(`[data-key="${this.correction.state === "saved" ? "wrong" : "save"}"]`).focus();
  }

  async #toggleHeat() {
    if (this.heat === "working") return;
    if (this.heat) {
      this.showsHeat = !this.showsHeat;
      this.render();
      return;
    }
    Object.assign(this, { heat: "working", heatProblem: null });
    this.render();
    try {
      this.heat = (await predict(this.sent, this.model.name, { top: 1, explain: true })).heatmap;
      this.showsHeat = true;
      speak(t("page_heat_alt", { name: this.name, label: this.answer.label }));
    } catch (problem) {
      Object.assign(this, { heat: null, heatProblem: problem.detail || t(problem.kind) });
    }
    this.render();
  }

  #button(key, text, onclick, kind = "") {
    return el("button", { type: "button", class: kind || null, "data-key": key, onclick }, text);
  }
}
