// A picture's file becomes upright RGB, in Node. In: bytes. Out: {picture, width, height, note}. Next: preprocess.js
// JPEG decoders differ. sharp is built on libjpeg-turbo, as Pillow is, and gives the same pixels. Where it is not to be had, jpeg-js and
// pngjs decode without anything compiled: jpeg-js repeats colours where libjpeg smooths them, which moves edges by some levels and
// answers by hundredths, and colour profiles are not followed.

import { shrinking, shrunk } from "./preprocess.js";

const ORIENTATION = 0x0112;
const MEMORY = 2048; // MB that a JPEG may take
const { default: sharp } = await import("sharp").catch(() => ({ default: null }));

/** `width`, `height` are those of the whole upright picture; `picture` may be smaller. */
export async function decode(data, settings) {
  const isPng = data[0] === 0x89 && data[1] === 0x50;
  if (!isPng && !(data[0] === 0xff && data[1] === 0xd8)) throw new Error("neither a PNG nor a JPEG file");
  const { width, height, pixels } = sharp ? await bySharp(data) : await byScripts(data, isPng);
  const times = isPng ? 1 : shrinking(width, height, settings);
  const stored = shrunk({ width, height, data: onWhite(pixels) }, times);
  const orientation = isPng ? 1 : orientationOf(data);
  const sides = orientation > 4 ? { width: height, height: width } : { width, height };
  const note = [times > 1 && "not decoded smaller, but averaged", ...(sharp ? [] : notes(data, isPng, settings))];
  return { ...sides, picture: upright(stored, orientation), note: note.filter(Boolean).join("; ") };
}

/** Red, green, blue and alpha of each pixel as it is stored. */
async function bySharp(data) {
  const { data: pixels, info } = await sharp(data).toColourspace("srgb").ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, pixels };
}

async function byScripts(data, isPng) {
  const [{ default: jpeg }, { PNG }] = await Promise.all([import("jpeg-js"), import("pngjs")]);
  const found = isPng ? PNG.sync.read(Buffer.from(data)) : jpeg.decode(data, { useTArray: true, maxMemoryUsageInMB: MEMORY });
  return { width: found.width, height: found.height, pixels: found.data };
}

/** Why the pixels may be others than tellapart's. */
function notes(data, isPng, { colour }) {
  const start = new TextDecoder("latin1").decode(data.subarray(0, 1 << 16));
  const profile = colour === "srgb" && /ICC_PROFILE|iCCP/.test(start);
  return [!isPng && "this JPEG decoder is not libjpeg", profile && "its colour profile is not followed"].filter(Boolean);
}

/** Red, green, blue of pixels with transparency on white, rounded as Pillow does. */
export function onWhite(pixels) {
  const found = new Uint8Array((pixels.length / 4) * 3);
  for (let from = 0, to = 0; from < pixels.length; from += 4) {
    const alpha = pixels[from + 3];
    for (let channel = 0; channel < 3; channel += 1) {
      const sum = pixels[from + channel] * alpha + 255 * (255 - alpha) + 128;
      found[to++] = ((sum >> 8) + sum) >> 8;
    }
  }
  return found;
}

/** The picture turned and mirrored as EXIF's orientation, 1 to 8, says. */
export function upright(picture, orientation) {
  const { width, height, data } = picture;
  if (orientation <= 1) return picture;
  const [across, down] = orientation > 4 ? [height, width] : [width, height];
  const found = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < down; y += 1) {
    for (let x = 0; x < across; x += 1, to += 3) {
      const [column, row] = [
        [x, y], [across - 1 - x, y], [across - 1 - x, down - 1 - y], [x, down - 1 - y],
        [y, x], [y, across - 1 - x], [down - 1 - y, across - 1 - x], [down - 1 - y, x],
      ][orientation - 1];
      found.set(data.subarray((row * width + column) * 3, (row * width + column) * 3 + 3), to);
    }
  }
  return { width: across, height: down, data: found };
}

/** What EXIF says of a JPEG's orientation; 1 where it says nothing. */
export function orientationOf(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let at = 2; at + 4 < data.length && data[at] === 0xff && data[at + 1] !== 0xda; at += 2 + view.getUint16(at + 2)) {
    if (data[at + 1] !== 0xe1 || view.getUint32(at + 4) !== 0x45786966) continue; // APP1, "Exif"
    const start = at + 10;
    const little = view.getUint16(start) === 0x4949;
    const first = start + view.getUint32(start + 4, little);
    for (let entry = 0; entry < view.getUint16(first, little); entry += 1) {
      const place = first + 2 + 12 * entry;
      if (view.getUint16(place, little) === ORIENTATION) return view.getUint16(place + 8, little);
    }
  }
  return 1;
}
