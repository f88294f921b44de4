// A box dragged on a picture. In: what the pointer does. Out: sides in the picture's pixels. Next: boxes.js

import { el } from "./words.js";

const LEAST = 2; // pixels of a side; less was a click

/** Let a person drag boxes on a layer over a picture of that size; `made` gets {left, top, right, bottom}. */
export function drag(layer, { width, height }, made) {
  release(layer);
  const band = el("div", { class: "band", hidden: true });
  let begun = null;
  const place = (event) => {
    const { left, top, width: wide, height: high } = layer.getBoundingClientRect();
    const inside = (share, most) => Math.min(Math.max(share, 0), 1) * most;
    return [inside((event.clientX - left) / wide, width), inside((event.clientY - top) / high, height)];
  };
  const sides = (event) => {
    const [[x, y], [other, below]] = [begun, place(event)];
    return { left: Math.min(x, other), top: Math.min(y, below), right: Math.max(x, other), bottom: Math.max(y, below) };
  };
  layer.classList.add("drawn-on");
  layer.append(band);
  layer.onpointerdown = (event) => {
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    begun = place(event);
  };
  layer.onpointermove = (event) => {
    if (!begun) return;
    const { left, top, right, bottom } = sides(event);
    band.hidden = false;
    Object.assign(band.style, {
      left: `${(100 * left) / width}%`, top: `${(100 * top) / height}%`,
      width: `${(100 * (right - left)) / width}%`, height: `${(100 * (bottom - top)) / height}%`,
    });
  };
  layer.onpointerup = (event) => {
    if (!begun) return;
    const found = sides(event);
    begun = null;
    band.hidden = true;
    if (found.right - found.left >= LEAST && found.bottom - found.top >= LEAST) made(found);
  };
  layer.onpointercancel = () => {
    begun = null;
    band.hidden = true;
  };
}

/** No longer. */
export function release(layer) {
  layer.querySelector(".band")?.remove();
  layer.classList.remove("drawn-on");
  layer.onpointerdown = layer.onpointermove = layer.onpointerup = layer.onpointercancel = null;
}
