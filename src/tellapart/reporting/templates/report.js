"use strict";
(function () {
  const read = (id) => { const found = document.getElementById(id); return found ? JSON.parse(found.textContent) : null; };

  const matrix = read("matrix-data");
  if (matrix) {
    const image = document.getElementById("matrix"), cell = document.getElementById("matrix-cell");
    image.addEventListener("pointermove", (event) => {
      const box = image.getBoundingClientRect(), count = matrix.classes.length;
      const at = (offset, size) => Math.max(0, Math.min(count - 1, Math.floor(offset / size * count)));
      const row = at(event.clientY - box.top, box.height), column = at(event.clientX - box.left, box.width);
      cell.textContent = `${matrix.truth}: ${matrix.classes[row]} · ${matrix.answer}: ${matrix.classes[column]} · ${matrix.counts[row * count + column] || 0}`;
    });
  }

  const plane = read("plane-data");
  if (!plane) return;
  const canvas = document.getElementById("plane"), card = document.getElementById("card");
  const picture = document.getElementById("card-picture"), text = document.getElementById("card-text");
  const sheet = document.getElementById("sprites");
  const [xs, ys, labels, splits] = plane.points;
  const colours = 8, margin = 16;
  let width = 0, height = 0;
  const place = (index) => [
    margin + xs[index] / 1000 * (width - 2 * margin),
    margin + ys[index] / 1000 * (height - 2 * margin),
  ];
  function draw(chosen) {
    const ratio = window.devicePixelRatio || 1, box = canvas.getBoundingClientRect();
    width = box.width; height = box.height;
    canvas.width = Math.round(width * ratio); canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    const shades = Array.from({ length: colours }, (_, number) => style.getPropertyValue(`--series-${number + 1}`).trim());
    pen.scale(ratio, ratio);
    const radius = xs.length > 1500 ? 2.6 : 3.6;
    for (let index = 0; index < xs.length; index++) {
      const [x, y] = place(index);
      pen.globalAlpha = 0.72;
      pen.fillStyle = shades[Math.min(labels[index], colours - 1)];
      pen.beginPath(); pen.arc(x, y, radius, 0, 7); pen.fill();
    }
    if (chosen >= 0) {
      const [x, y] = place(chosen);
      pen.globalAlpha = 1; pen.lineWidth = 2; pen.strokeStyle = style.getPropertyValue("--ink").trim();
      pen.beginPath(); pen.arc(x, y, radius + 4, 0, 7); pen.stroke();
    }
  }
  function nearest(x, y) {
    let best = -1, least = 18 * 18;
    for (let index = 0; index < xs.length; index++) {
      const [px, py] = place(index), distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) { least = distance; best = index; }
    }
    return best;
  }
  function show(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    const index = nearest(x, y);
    draw(index);
    card.hidden = index < 0;
    if (index < 0) return;
    const side = plane.side, scale = 2;
    if (side) {
      picture.style.width = picture.style.height = `${side * scale}px`;
      picture.style.backgroundImage = `url(${sheet.src})`;
      picture.style.backgroundSize = `${plane.columns * side * scale}px auto`;
      picture.style.backgroundPosition = `-${index % plane.columns * side * scale}px -${Math.floor(index / plane.columns) * side * scale}px`;
    }
    text.textContent = `${plane.classes[labels[index]]} · ${plane.splits[splits[index]]} · ${plane.names[index]}`;
    const [px, py] = place(index);
    card.style.left = `${Math.max(4, px > width / 2 ? px - 16 - card.offsetWidth : px + 16)}px`;
    card.style.top = `${Math.max(4, Math.min(py - 20, height - card.offsetHeight - 4))}px`;
  }
  canvas.addEventListener("pointermove", show);
  canvas.addEventListener("pointerdown", show);
  canvas.addEventListener("pointerleave", () => { card.hidden = true; draw(-1); });
  window.addEventListener("resize", () => draw(-1));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(-1));
  draw(-1);
})();
