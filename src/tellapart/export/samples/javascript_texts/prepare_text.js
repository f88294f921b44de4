// A text to what model.onnx takes. In: texts.json, vocabulary.bin. Out: numbers of its n-grams. Needs: nothing. Next: self_test.js.

const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const cut = (number) => BigInt.asUintN(64, number);

class Preparation {
  constructor(folder) {
    this.told = JSON.parse(readFileSync(join(folder, "texts.json"), "utf8"));
    const bytes = readFileSync(join(folder, "vocabulary.bin"));
    this.place = new Map();
    for (let at = 0; at < bytes.length; at += 8) this.place.set(bytes.readBigUInt64LE(at), at / 8);
    for (const [name, value] of Object.entries(this.told.constants)) this[name === "words" ? "ofWords" : name === "characters" ? "ofCharacters" : name] = BigInt(value);
    this.unseen = new RegExp(this.told.unseen, "gu");
  }

  /** Step 1. Letters are folded one by one: `folds` has those that toLowerCase leaves otherwise. */
  clean(text) {
    text = [...text].slice(0, this.told.letters).map((one) => (/^[\ud800-\udfff]$/.test(one) ? "\ufffd" : one)).join("");
    if (/[^\x00-\x7f]/.test(text)) text = text.replace(this.unseen, "").normalize("NFKC");
    text = text.replace(/[\x00-\x1f\x7f-\x9f]/g, " ");
    return [...text].map((one) => this.told.folds[one] ?? one.toLowerCase()).join("").replace(/\s+/gu, " ").replace(/^ | $/g, "");
  }

  /** Step 2: numbers of n-grams, a list a block. */
  grams(cleaned) {
    const blocks = [];
    if (this.told.words.length) {
      const single = words(cleaned).map((word) => this.stretch([...word]));
      blocks.push(places(this.told.words, single.length).map(([size, at]) => this.run(single.slice(at, at + size))));
    }
    if (this.told.characters.length) {
      const padded = [...(this.told.across ? cleaned : ` ${cleaned} `)];
      const pieces = places(this.told.characters, padded.length).map(([size, at]) => padded.slice(at, at + size));
      const good = (piece) => !(this.told.across ? piece : piece.slice(1, -1)).includes(" ") && piece.some((one) => one !== " ");
      blocks.push(pieces.filter(good).map((piece) => this.mixed(this.stretch(piece) + this.ofCharacters * BigInt(piece.length))));
    }
    return blocks;
  }

  /** Step 3: rows of the model's table, of one text: a list a block, without what only fills up. */
  tokens(text) {
    const blocks = this.grams(this.clean(text));
    const every = blocks.flat();
    const unknown = every.length ? 1 - every.filter((number) => this.place.has(number)).length / every.length : 1;
    const first = this.place.size + 1 + rounded(unknown * this.told.steps);
    return blocks.map((block, number) => {
      const rows = [...new Set(block.filter((one) => this.place.has(one)).map((one) => this.place.get(one)))];
      return [number === 0 ? first : this.place.size, ...rows.sort((one, other) => one - other)];
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

module.exports = { Preparation };
