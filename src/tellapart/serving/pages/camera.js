// A picture from the camera. In: a click. Out: a file. Next: page.js

import { el, t } from "./words.js";

const $ = (id) => document.getElementById(id);

let stream = null;
let facing = "environment"; // a phone's camera at its back, first

/** Wire the dialog; `take(file)` gets each picture. */
export function wire(take) {
  $("camera").addEventListener("click", start);
  $("camera-close").addEventListener("click", () => $("camera-box").close());
  $("camera-box").addEventListener("close", stop);
  $("camera-turn").addEventListener("click", () => {
    facing = facing === "environment" ? "user" : "environment";
    start();
  });
  $("camera-shoot").addEventListener("click", async () => {
    const view = $("camera-view");
    const canvas = document.createElement("canvas");
    canvas.width = view.videoWidth;
    canvas.height = view.videoHeight;
    canvas.getContext("2d").drawImage(view, 0, 0);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
    $("camera-box").close();
    const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
    if (blob) take(new File([blob], `camera-${time}.jpg`, { type: "image/jpeg" }));
  });
}

async function start() {
  stop();
  fail(null);
  if (!$("camera-box").open) $("camera-box").showModal();
  if (!window.isSecureContext || !navigator.mediaDevices) return fail("page_insecure");
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1920 } } });
  } catch (error) {
    return fail(error.name === "NotAllowedError" ? "page_denied" : "page_none_found");
  }
  if (!$("camera-box").open) return stop(); // closed while the browser asked
  const view = $("camera-view");
  view.srcObject = stream;
  await view.play().catch(() => {});
  $("camera-shoot").disabled = $("camera-live").disabled = false;
  const all = await navigator.mediaDevices.enumerateDevices();
  $("camera-turn").hidden = all.filter((one) => one.kind === "videoinput").length < 2;
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  $("camera-view").srcObject = null;
  $("camera-shoot").disabled = $("camera-live").disabled = true;
}

function fail(why) {
  for (const id of ["camera-view", "camera-shoot", "camera-live"]) $(id).hidden = why !== null;
  const box = $("camera-problem");
  box.hidden = why === null;
  box.replaceChildren(...(why ? [el("strong", { "data-t": "page_no_camera" }, t("page_no_camera")), el("p", { "data-t": why }, t(why))] : []));
}
