// A text as it was given to numbers of word pieces. In: Steps, a vocabulary. Out: rows of numbers. Next: prepare_text.hpp

#pragma once

#include "steps.hpp"

/** A part that looks at word pieces, as BERT takes them. */
class PiecePart : public Part {
 public:
  PiecePart(const PartSteps& told, const Steps& steps, const Unicode& unicode, const std::string& vocabulary)
      : told_(told), unicode_(unicode), letters_(steps.letters) {
    std::ifstream file(vocabulary, std::ios::binary);
    std::int32_t number = 0;
    for (std::string line; std::getline(file, line, '\n');) place_[characters(line)] = number++;
  }

  bool takes_cleaned() const override { return false; }

  Found found(const Codes& given) const override {
    Codes text;
    for (std::size_t at = 0; at < std::min(letters_, given.size()); at++) keep(given[at], text);
    if (told_.one("unmarked")) {
      text = unicode_.apart(text);
      text.erase(std::remove_if(text.begin(), text.end(), [&](Code code) { return within(unicode_.mark, code); }), text.end());
    }
    if (told_.one("lowercase")) text = unicode_.lowered(text);
    Found found;
    bool open = false;
    for (Code code : text) {
      const bool blank = within(unicode_.blank, code), sign = within(unicode_.sign, code);
      if (!blank && open && !sign) found.words.back().push_back(code);
      else if (!blank) found.words.push_back({code});
      open = !blank && !sign;
    }
    return found;
  }

  Rows rows(const Found& found) const override {
    std::vector<std::int32_t> row{number("first")};
    for (const Codes& word : found.words) cut(word, row);
    if (static_cast<long long>(row.size()) > told_.one("most") - 1) row.resize(static_cast<std::size_t>(told_.one("most") - 1));
    row.push_back(number("last"));
    return {row};
  }

 private:
  const PartSteps& told_;
  const Unicode& unicode_;
  std::size_t letters_;
  std::map<Codes, std::int32_t> place_;

  std::int32_t number(const std::string& name) const { return static_cast<std::int32_t>(told_.one(name)); }

  /** What becomes of a character first: blanks are one, what is never seen goes, Chinese characters stand apart. */
  void keep(Code code, Codes& text) const {
    if ((0xD800 <= code && code < 0xE000) || within(unicode_.hidden, code)) return;
    const bool chinese = told_.one("apart") && within(told_.chinese, code);
    if (chinese) text.push_back(' ');
    text.push_back(within(unicode_.blank, code) ? ' ' : code);
    if (chinese) text.push_back(' ');
  }

  /** The longest pieces that are known, from the word's beginning on. */
  void cut(const Codes& word, std::vector<std::int32_t>& row) const {
    std::vector<std::int32_t> found;
    for (std::size_t start = 0; start < word.size();) {
      std::size_t end = static_cast<long long>(word.size()) > told_.one("longest") ? start : word.size();
      for (; end > start; end--) {
        Codes piece = start ? told_.before : Codes{};
        piece.insert(piece.end(), word.begin() + static_cast<std::ptrdiff_t>(start), word.begin() + static_cast<std::ptrdiff_t>(end));
        const auto known = place_.find(piece);
        if (known == place_.end()) continue;
        found.push_back(known->second);
        break;
      }
      if (end == start) {
        row.push_back(number("unknown"));
        return;
      }
      start = end;
    }
    row.insert(row.end(), found.begin(), found.end());
  }
};
