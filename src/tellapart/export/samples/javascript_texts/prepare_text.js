// A text to what model.onnx takes. In: texts.json, vocabularies as bytes. Out: rows of numbers. Needs: nothing. Next: prepare_pieces.js

import { Pieces } from "./prepare_pieces.js";

const cut = (number) => BigInt.asUintN(64, number);

/** The steps, with a model's numbers: what texts.json holds, and the bytes of each vocabulary by its file's name. */
export class Preparation {
  constructor(told, bytes) {
    this.told = told;
    this.unseen = new RegExp(told.unseen, "gu");
    const text = (name) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes[name]);
    this.parts = told.parts.map((part) =>
      part.kind === "pieces" ? new Pieces(part, text(part.vocabulary).split("\n"), told.letters) : new Grams(part, bytes[part.vocabulary], told.constants));
  }

  /** Step 1. Letters are folded one by one: `folds` has those that toLowerCase leaves otherwise. */
  clean(text) {
    text = [...text].slice(0, this.told.letters).map((one) => (/^[\ud800-\udfff]$/.test(one) ? "\ufffd" : one)).join("");
    if (/[^\x00-\x7f]/.test(text)) text = text.replace(this.unseen, "").normalize("NFKC");
    text = text.replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
    return [...text].map((one) => this.told.folds[one] ?? one.toLowerCase()).join("").replace(/\s+/gu, " ").replace(/^ | $/g, "");
  }

  /** Step 2: what each part looks at, a list a block. */
  found(text) {
    const cleaned = this.clean(text);
    return this.parts.map((part) => part.found(part instanceof Pieces ? text : cleaned));
  }

  /** Step 3: rows of numbers, part by part, without what only fills up. */
  rows(text) {
    return this.found(text).map((found, at) => this.parts[at].rows(found));
  }

  /** The network's input of one text: {data, dims}, the rows of all parts filled up to the longest. */
  tokens(text) {
    const rows = this.rows(text).flat();
    const padding = this.told.parts.flatMap((part) => Array(part.rows).fill(part.padding));
    const longest = Math.max(1, ...rows.map((row) => row.length));
    const data = new Int32Array(rows.length * longest);
    rows.forEach((row, at) => data.fill(padding[at], at * longest, (at + 1) * longest).set(row, at * longest));
    return { data, dims: [1, rows.length, longest] };
  }
}

/** A part that looks at n-grams, or at words (or characters) in their order. */
class Grams {
  constructor(told, bytes, constants) {
    this.told = told;
    this.place = new Map();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = 0; at < bytes.length; at += 8) this.place.set(view.getBigUint64(at, true), at / 8);
    const [base, first, second, ofWords, ofCharacters] = ["base", "first", "second", "words", "characters"].map((name) => BigInt(constants[name]));
    Object.assign(this, { base, first, second, ofWords, ofCharacters });
  }

  found(cleaned) {
    const { words: sizes, characters, across } = this.told;
    const blocks = [];
    if (sizes.length) {
      const single = words(cleaned).map((word) => this.stretch([...word]));
      blocks.push(places(sizes, single.length).map(([size, at]) => this.run(single.slice(at, at + size))));
    }
    if (characters.length) {
      const padded = [...(across ? cleaned : ` ${cleaned} `)];
      const pieces = places(characters, padded.length).map(([size, at]) => padded.slice(at, at + size));
      const good = (piece) => !(across ? piece : piece.slice(1, -1)).includes(" ") && piece.some((one) => one !== " ");
      blocks.push(pieces.filter(good).map((piece) => this.mixed(this.stretch(piece) + this.ofCharacters * BigInt(piece.length))));
    }
    return blocks;
  }

  /** Words in their order; or n-grams each once, in order, and before those of the first block how much is not known. */
  rows(blocks) {
    const { kind, window: reach, steps } = this.told;
    if (kind === "words") return [blocks[0].slice(0, reach).map((number) => this.place.get(number) ?? this.place.size + 1)];
    const every = blocks.flat();
    const unknown = every.length ? 1 - every.filter((number) => this.place.has(number)).length / every.length : 1;
    const first = this.place.size + 1 + rounded(unknown * steps);
    return blocks.map((block, at) => {
      const rows = [...new Set(block.filter((one) => this.place.has(one)).map((one) => this.place.get(one)))];
      return [at === 0 ? first : this.place.size, ...rows.sort((one, other) => one - other)];
    });
  }

  stretch(letters) {
    let [total, power] = [0n, 1n];
    for (const one of letters) {
      const letter = cut(BigInt(one.codePointAt(0) + 1) * this.first);
      total = cut(total + (letter ^ (letter >> 31n)) * power);
      power = cut(power * this.base);
    }
    return total;
  }

  run(single) {
    let number = cut(single[0] + this.ofWords * BigInt(single.length));
    for (const one of single.slice(1)) number = cut(this.mixed(number) * this.second + one);
    return this.mixed(number);
  }

  mixed(given) {
    let number = cut(given);
    number = cut((number ^ (number >> 30n)) * this.first);
    number = cut((number ^ (number >> 27n)) * this.second);
    return number ^ (number >> 31n);
  }
}

const rounded = (number) => (number % 1 === 0.5 ? 2 * Math.round(number / 2) : Math.round(number)); // halves to the even one
const places = (sizes, count) => sizes.flatMap((size) => Array.from({ length: Math.max(0, count - size + 1) }, (_, at) => [size, at]));
const words = (cleaned) => cleaned.match(/[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu) ?? [];
