// A cleaned text to numbers of n-grams, or of words in their order. In: Steps, a vocabulary. Out: rows. Next: prepare_pieces.hpp

#pragma once

#include <cmath>
#include <set>

#include "steps.hpp"

/** A part that looks at n-grams, or at words (or characters) in their order. */
class CountedPart : public Part {
 public:
  CountedPart(const PartSteps& told, const Steps& steps, const Unicode& unicode, const std::string& vocabulary)
      : told_(told), unicode_(unicode), base_(steps.constants.at("of_base")), first_(steps.constants.at("of_first")),
        second_(steps.constants.at("of_second")), words_(steps.constants.at("of_words")), characters_(steps.constants.at("of_characters")) {
    std::ifstream file(vocabulary, std::ios::binary);
    for (unsigned char bytes[8]; file.read(reinterpret_cast<char*>(bytes), 8);) {
      std::uint64_t number = 0;
      for (int at = 7; at >= 0; at--) number = number << 8 | bytes[at];
      known_.push_back(number);
    }
  }

  bool takes_cleaned() const override { return true; }

  Found found(const Codes& cleaned) const override {
    Found found;
    if (told_.told.count("words") && !told_.all("words").empty()) {
      std::vector<std::uint64_t> single;
      for (const Codes& word : words(cleaned)) single.push_back(stretch(word, 0, word.size()));
      found.numbers.emplace_back();
      for (long long size : told_.all("words"))
        for (std::size_t at = 0; at + size <= single.size(); at++) found.numbers.back().push_back(run(single, at, size));
    }
    if (told_.told.count("characters") && !told_.all("characters").empty()) {
      const bool across = told_.one("across");
      Codes padded = cleaned;
      if (!across) {
        padded.insert(padded.begin(), ' ');
        padded.push_back(' ');
      }
      found.numbers.emplace_back();
      for (std::size_t size : told_.all("characters"))
        for (std::size_t at = 0; at + size <= padded.size(); at++)
          if (counts(padded, at, size, across)) found.numbers.back().push_back(mixed(stretch(padded, at, size) + characters_ * size));
    }
    return found;
  }

  /** Words in their order; or n-grams each once, in order, and before those of the first block how much is not known. */
  Rows rows(const Found& found) const override {
    const std::int32_t count = static_cast<std::int32_t>(known_.size());
    Rows rows;
    if (told_.kind == "words") {
      rows.emplace_back();
      for (std::uint64_t number : found.numbers[0]) {
        if (static_cast<long long>(rows[0].size()) == told_.one("window")) break;
        const std::int32_t row = place(number);
        rows[0].push_back(row < 0 ? count + 1 : row);
      }
      return rows;
    }
    std::size_t all = 0, there = 0;
    for (const auto& block : found.numbers) {
      std::set<std::int32_t> each;
      for (std::uint64_t number : block) {
        const std::int32_t row = place(number);
        all++;
        there += row >= 0;
        if (row >= 0) each.insert(row);
      }
      rows.push_back({count});  // of each block the first place; nothing stands there but in the first
      rows.back().insert(rows.back().end(), each.begin(), each.end());
    }
    const double unknown = all ? 1 - static_cast<double>(there) / static_cast<double>(all) : 1.0;
    rows[0][0] = count + 1 + static_cast<std::int32_t>(std::nearbyint(unknown * static_cast<double>(told_.one("steps"))));
    return rows;
  }

 private:
  const PartSteps& told_;
  const Unicode& unicode_;
  std::uint64_t base_, first_, second_, words_, characters_;
  std::vector<std::uint64_t> known_;

  std::int32_t place(std::uint64_t number) const {
    const auto found = std::lower_bound(known_.begin(), known_.end(), number);
    return found == known_.end() || *found != number ? -1 : static_cast<std::int32_t>(found - known_.begin());
  }

  /** Words, and signs that are a word each. */
  std::vector<Codes> words(const Codes& cleaned) const {
    std::vector<Codes> found;
    bool open = false;
    for (Code code : cleaned) {
      const bool part = !within(unicode_.blank, code) && within(unicode_.word, code);
      if (part && open) found.back().push_back(code);
      else if (code != ' ') found.push_back({code});
      open = part;
    }
    return found;
  }

  /** Whether a run of characters counts: of one word and the blanks around it, or across words but for blanks. */
  static bool counts(const Codes& text, std::size_t at, std::size_t size, bool across) {
    bool letters = false;
    for (std::size_t place = 0; place < size; place++) {
      const bool blank = text[at + place] == ' ';
      if (blank && (across || (place > 0 && place + 1 < size))) return false;
      letters = letters || !blank;
    }
    return letters;
  }

  std::uint64_t stretch(const Codes& text, std::size_t at, std::size_t size) const {
    std::uint64_t total = 0, power = 1;
    for (std::size_t place = 0; place < size; place++) {
      const std::uint64_t letter = (static_cast<std::uint64_t>(text[at + place]) + 1) * first_;
      total += (letter ^ letter >> 31) * power;
      power *= base_;
    }
    return total;
  }

  std::uint64_t run(const std::vector<std::uint64_t>& single, std::size_t at, std::size_t size) const {
    std::uint64_t number = single[at] + words_ * size;
    for (std::size_t place = 1; place < size; place++) number = mixed(number) * second_ + single[at + place];
    return mixed(number);
  }

  std::uint64_t mixed(std::uint64_t number) const {
    number = (number ^ number >> 30) * first_;
    number = (number ^ number >> 27) * second_;
    return number ^ number >> 31;
  }
};
