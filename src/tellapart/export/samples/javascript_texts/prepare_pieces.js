// A text to numbers of word pieces, as BERT takes them. In: the part's numbers, pieces. Out: rows of numbers. Next: self_test.js

/** A part that looks at word pieces; it begins with the text as it was given. */
export class Pieces {
  constructor(told, pieces, letters) {
    Object.assign(this, { told, letters });
    this.place = new Map(pieces.map((piece, number) => [piece, number]));
  }

  /** Step 2: its words and signs, as they are looked up: one block. */
  found(text) {
    text = [...text].slice(0, this.letters).map((one) => this.kept(one)).join("");
    if (this.told.unmarked) text = text.normalize("NFD").replace(/\p{Mn}/gu, "");
    if (this.told.lowercase) text = [...text].map((one) => one.toLowerCase()).join(""); // one by one: a sigma at a word's end is as any other
    return [text.replace(/[!-/:-@[-`{-~\p{P}]/gu, " $& ").split(/\s+/u).filter(Boolean)];
  }

  /** Step 3: the longest pieces that are known, from each word's beginning on, between the first and the last number. */
  rows([words]) {
    const { first, last, most } = this.told;
    return [[...[first, ...words.flatMap((word) => this.cut([...word]))].slice(0, most - 1), last]];
  }

  /** What becomes of a character first: blanks are one, what is never seen goes, Chinese characters stand apart. */
  kept(one) {
    if (/[\t\n\r]/.test(one)) return " ";
    if (/[\ufffd\p{Cc}\p{Cf}\p{Co}\p{Cs}]/u.test(one)) return "";
    if (/\s/u.test(one)) return " ";
    const code = one.codePointAt(0);
    return this.told.apart && this.told.chinese.some(([from, to]) => from <= code && code <= to) ? ` ${one} ` : one;
  }

  cut(letters) {
    if (letters.length > this.told.longest) return [this.told.unknown];
    const found = [];
    for (let start = 0; start < letters.length;) {
      const before = start ? this.told.within : "";
      let end = letters.length;
      while (end > start && !this.place.has(before + letters.slice(start, end).join(""))) end -= 1;
      if (end === start) return [this.told.unknown];
      found.push(this.place.get(before + letters.slice(start, end).join("")));
      start = end;
    }
    return found;
  }
}
