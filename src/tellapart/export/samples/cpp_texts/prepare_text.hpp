// A text to what model.onnx takes. In: steps.txt, unicode.txt, vocabularies. Out: rows of numbers. Needs: C++17. Next: self_test.cpp
// Nothing here is tellapart's: copy it, or write the same in your own language.

#pragma once

#include <memory>

#include "prepare_grams.hpp"
#include "prepare_pieces.hpp"

/** All steps, with this model's numbers, from the folder of the bundle. */
class Preparation {
 public:
  explicit Preparation(const std::string& folder) : steps(folder + "/steps.txt"), unicode(folder + "/unicode.txt") {
    for (const PartSteps& part : steps.parts) {
      const std::string file = folder + "/" + part.vocabulary;
      if (part.kind == "pieces") parts.push_back(std::make_unique<PiecePart>(part, steps, unicode, file));
      else parts.push_back(std::make_unique<CountedPart>(part, steps, unicode, file));
    }
  }

  const Steps steps;
  const Unicode unicode;
  std::vector<std::unique_ptr<Part>> parts;

  /** Step 1: what nobody sees is left out, forms are made one, letters small, one blank between words. */
  Codes clean(const Codes& text) const {
    Codes kept;
    for (std::size_t at = 0; at < std::min(steps.letters, text.size()); at++) {
      const Code code = 0xD800 <= text[at] && text[at] < 0xE000 ? 0xFFFD : text[at];
      if (!within(steps.unseen, code)) kept.push_back(code);
    }
    kept = unicode.together(kept);
    for (Code& code : kept)
      if (code < 0x20 || (0x7F <= code && code < 0xA0)) code = ' ';
    Codes found;
    for (Code code : unicode.folded(kept)) {
      const bool blank = within(unicode.blank, code);
      if (!blank) found.push_back(code);
      else if (!found.empty() && found.back() != ' ') found.push_back(' ');
    }
    if (!found.empty() && found.back() == ' ') found.pop_back();
    return found;
  }

  /** Step 2: what each part looks at. */
  std::vector<Found> found(const Codes& text) const {
    const Codes cleaned = clean(text);
    std::vector<Found> all;
    for (const auto& part : parts) all.push_back(part->found(part->takes_cleaned() ? cleaned : text));
    return all;
  }

  /** Step 3: rows of numbers, part by part, without what only fills up. */
  std::vector<Rows> rows(const Codes& text) const {
    const std::vector<Found> all = found(text);
    std::vector<Rows> rows;
    for (std::size_t at = 0; at < parts.size(); at++) rows.push_back(parts[at]->rows(all[at]));
    return rows;
  }

  /** The network's input of one text, int32 [1, H, L]: the rows of all parts, filled up to the longest. Gives L. */
  std::size_t tokens(const Codes& text, std::vector<std::int32_t>& data) const {
    const std::vector<Rows> every = rows(text);
    std::size_t longest = 1;
    for (const Rows& rows : every)
      for (const auto& row : rows) longest = std::max(longest, row.size());
    data.clear();
    for (std::size_t at = 0; at < every.size(); at++)
      for (const auto& row : every[at]) {
        data.insert(data.end(), row.begin(), row.end());
        data.insert(data.end(), longest - row.size(), static_cast<std::int32_t>(steps.parts[at].one("padding")));
      }
    return longest;
  }
};
