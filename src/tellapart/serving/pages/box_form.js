// Boxes as a person corrects them: dragged on the picture, or in numbers. In: rows. Out: an element. Next: card.js

import { drag } from "./dragging.js";
import { el, t } from "./words.js";

const SIDES = { left: "page_box_left", top: "page_box_top", right: "page_box_right", bottom: "page_box_bottom" };

/** The element to correct boxes with: a row a box, and what is dragged on the picture becomes one. `change(rows)` is told. */
export function boxForm(model, answer, rows, change, disabled, view) {
  const list = el("div", { class: "rows" });
  const fresh = el("select", { "data-key": "class", disabled }, model.classes.map((name) => el("option", { value: name }, name)));
  const set = (changed) => {
    rows = changed;
    change(rows);
    view.edit(rows);
    render();
  };
  const render = () => list.replaceChildren(...rows.map((row, at) => line(model, answer, row, at, disabled, (changed) =>
    set(changed ? rows.map((one, other) => (other === at ? changed : one)) : rows.filter((_, other) => other !== at)))));
  const middle = () => ({ label: fresh.value, left: answer.width / 4, top: answer.height / 4, right: (3 * answer.width) / 4, bottom: (3 * answer.height) / 4 });
  const heads = ["page_box_class", ...Object.values(SIDES)].map((phrase) => el("span", {}, t(phrase)));
  view.edit(rows);
  if (!disabled) drag(view.layer, answer, (sides) => set([...rows, { label: fresh.value, ...sides }]));
  render();
  return el("fieldset", { class: "boxes" }, el("legend", {}, t("page_right_boxes")),
    el("p", { class: "soft small" }, t("page_right_boxes_more")),
    el("div", { class: "fresh" }, el("label", {}, el("span", {}, t("page_box_class")), fresh),
      el("button", { type: "button", "data-key": "add", disabled, onclick: () => set([...rows, middle()]) }, t("page_box_add"))),
    el("div", { class: "line heads soft small", "aria-hidden": "true" }, heads, el("span", { class: "spare" })), list);
}

function line(model, answer, row, at, disabled, change) {
  const number = at + 1;
  const name = el("select", { disabled, "data-key": `box-${at}`, "aria-label": t("page_box_class_of", { n: number }) },
    model.classes.map((one) => el("option", { value: one, selected: one === row.label }, one)));
  name.addEventListener("change", () => change({ ...row, label: name.value }));
  const inputs = Object.entries(SIDES).map(([side, phrase]) => {
    const most = ["left", "right"].includes(side) ? answer.width : answer.height;
    const input = el("input", {
      type: "number", min: 0, max: most, step: "any", required: true, disabled, value: Math.round(10 * row[side]) / 10,
      "aria-label": t("page_box_side_of", { side: t(phrase), n: number }),
    });
    input.addEventListener("change", () => {
      const changed = { ...row, [side]: Number(input.value) };
      const wrong = changed.left >= changed.right || changed.top >= changed.bottom;
      input.setCustomValidity(wrong ? t("page_box_turned") : "");
      if (!wrong && input.reportValidity()) change(changed);
    });
    return input;
  });
  const remove = el("button", { type: "button", class: "quiet icon", disabled, "aria-label": t("page_box_remove", { n: number, label: row.label }), onclick: () => change(null) }, "×");
  return el("div", { class: "line" }, name, inputs, remove);
}
