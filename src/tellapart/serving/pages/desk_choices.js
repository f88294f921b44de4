// The classes to choose from, by key, by click or by typing. In: what the server says. Out: names that were picked. Next: desk_server.js

import { el, percent, settings, t } from "./words.js";

const $ = (id) => document.getElementById(id);

const KEYED = 9; // classes that a key alone names
const LISTED = 100; // of more, what is typed finds them

export class Choices {
  /** `picked()` is called when one was picked, `saved()` when the chosen ones are to be kept. */
  constructor({ picked, saved }) {
    Object.assign(this, { picked, saved, classes: [], chosen: new Set(), shown: null, first: 0, usable: false });
    $("filter").addEventListener("input", () => {
      this.first = 0;
      this.list();
    });
    $("save").addEventListener("click", () => this.leave() || this.saved());
  }

  /** The classes that there are. */
  know(classes) {
    this.classes = classes;
  }

  /** Another picture is looked at; null: none. */
  begin(shown) {
    this.shown = shown;
    this.chosen = new Set(shown?.labels ?? []);
    this.leave();
  }

  /** Whether there is a box to type into. */
  get finds() {
    return settings.new_classes || this.classes.length > KEYED;
  }

  /** Whether somebody types into it. */
  typing() {
    return document.activeElement === $("filter");
  }

  /** What is chosen, in the order of the classes; new ones last. */
  names() {
    const known = this.classes.filter((name) => this.chosen.has(name));
    return [...known, ...[...this.chosen].filter((name) => !known.includes(name))];
  }

  /** Pick the class at a place of the list. */
  pick(place) {
    const name = this.matches()[place];
    if (name !== undefined) this.take(name);
  }

  take(name) {
    if (!this.usable) return;
    if (!settings.several) this.chosen = new Set([name]);
    else if (!this.chosen.delete(name)) this.chosen.add(name);
    this.leave({ stay: settings.several && this.typing() });
    this.list();
    this.picked();
  }

  /** A key in the box: everything else is text. */
  pressed(event) {
    const count = this.matches().length;
    if (event.key === "Escape") this.leave();
    else if (event.key === "ArrowDown") this.first = Math.min(this.first + 1, Math.max(0, count - 1));
    else if (event.key === "ArrowUp") this.first = Math.max(0, this.first - 1);
    else if (event.key !== "Enter") return;
    event.preventDefault();
    if (event.key !== "Enter") return this.list();
    if (event.repeat) return;
    if (this.text()) this.pick(this.first);
    else if (settings.several) this.leave() || this.saved();
  }

  /** Out of the box, which is emptied; nothing is given back. With `stay` it goes on waiting for text. */
  leave({ stay = false } = {}) {
    $("filter").value = "";
    this.first = 0;
    if (!stay && $("choices").contains(document.activeElement)) $("stage").focus();
  }

  text() {
    return $("filter").value.trim().normalize("NFC");
  }

  /** The classes that fit what is typed, those that begin so first; a new one last, where it may be one. */
  matches() {
    const text = this.text();
    const low = text.toLocaleLowerCase();
    const found = [...new Set([...this.classes, ...this.chosen])].filter((name) => name.toLocaleLowerCase().includes(low));
    if (!text) return found;
    const rank = (name) => (name === text ? 0 : name.toLocaleLowerCase().startsWith(low) ? 1 : 2);
    const sorted = found.map((name, place) => [rank(name), place, name]).sort((a, b) => a[0] - b[0] || a[1] - b[1]).map((one) => one[2]);
    return settings.new_classes && !found.includes(text) ? [...sorted, text] : sorted;
  }

  /** Draw everything; `usable` says whether a class may be picked now. */
  render(usable) {
    this.usable = usable && !this.shown?.problem;
    $("choices-title").textContent = t(settings.several ? "desk_classes_several" : "desk_classes");
    $("find").hidden = !this.finds;
    $("saving").hidden = !settings.several;
    $("save").disabled = !this.usable;
    const asked = t(settings.new_classes ? "desk_filter_new" : "desk_filter");
    $("filter").placeholder = asked;
    $("filter").setAttribute("aria-label", asked);
    this.list();
  }

  list() {
    const found = this.matches();
    const typed = Boolean(this.text());
    $("classes").replaceChildren(...found.slice(0, LISTED).map((name, place) => this.row(name, place, typed)));
    $("others").textContent = found.length > LISTED ? t("desk_more_classes", { n: found.length - LISTED }) : found.length ? "" : t("desk_no_class");
  }

  row(name, place, typed) {
    const fresh = !this.classes.includes(name) && !this.chosen.has(name);
    const suggested = this.shown?.suggested.includes(name) ?? false;
    const key = typed ? (place === this.first ? "⏎" : "") : place < KEYED ? String(place + 1) : "";
    const share = suggested && this.shown.probability !== null && this.shown.suggested.length === 1 ? percent(this.shown.probability) : "";
    const marks = [suggested && "suggested", typed && place === this.first && "first"].filter(Boolean).join(" ");
    return el("li", {}, el("button", {
      type: "button", class: marks || null, "data-class": name, "aria-pressed": String(this.chosen.has(name)), disabled: !this.usable,
      onclick: () => this.take(name),
    }, key && el("kbd", {}, key), el("span", { class: "label" }, fresh ? t("desk_new_class", { name }) : name), share && el("span", { class: "figure" }, share)));
  }
}
