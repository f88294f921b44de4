// What Unicode says of characters, read from unicode.txt: forms, small letters, kinds. In: a file. Out: Unicode. Next: steps.hpp
// Texts are numbers of characters here (Codes), in whatever encoding they came. Nothing here is tellapart's: copy it.

#pragma once

#include <cstdint>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

using Code = std::uint32_t;
using Codes = std::vector<Code>;
using Ranges = std::vector<std::pair<Code, Code>>;
using Letters = std::unordered_map<Code, Codes>;

inline Code hexadecimal(const std::string& text) { return static_cast<Code>(std::stoul(text, nullptr, 16)); }

inline bool within(const Ranges& ranges, Code code) {
  for (const auto& [first, last] : ranges)
    if (first <= code && code <= last) return true;
  return false;
}

/** A file of lines, each a word and what it tells. */
inline std::vector<std::vector<std::string>> read_lines(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error(path + " is not there");
  std::vector<std::vector<std::string>> found;
  for (std::string line, part; std::getline(file, line);) {
    std::istringstream parts(line);
    found.emplace_back();
    while (parts >> part) found.back().push_back(part);
    if (found.back().empty()) found.pop_back();
  }
  return found;
}

class Unicode {
 public:
  explicit Unicode(const std::string& path) {
    std::map<std::string, Letters*> letters{{"canonical", &canonical_}, {"compatible", &compatible_}, {"fold", &fold_}, {"lower", &lower_}};
    std::map<std::string, Ranges*> kinds{{"blank", &blank}, {"word", &word}, {"mark", &mark}, {"sign", &sign}, {"hidden", &hidden}};
    for (const auto& line : read_lines(path)) {
      const std::string& name = line[0];
      const Code first = hexadecimal(line[1]);
      if (letters.count(name))
        for (std::size_t at = 2; at < line.size(); at++) (*letters[name])[first].push_back(hexadecimal(line[at]));
      else if (kinds.count(name)) kinds[name]->emplace_back(first, hexadecimal(line[2]));
      else if (name == "order") order_[first] = std::stoi(line[2]);
      else if (name == "compose") compose_[{first, hexadecimal(line[2])}] = hexadecimal(line[3]);
    }
  }

  Ranges blank, word, mark, sign, hidden;

  Codes folded(const Codes& text) const { return replaced(text, fold_); }
  Codes lowered(const Codes& text) const { return replaced(text, lower_); }
  /** The form NFD. */
  Codes apart(const Codes& text) const { return ordered(decomposed(text, false)); }
  /** The form NFKC. */
  Codes together(const Codes& text) const { return composed(ordered(decomposed(text, true))); }

 private:
  Letters canonical_, compatible_, fold_, lower_;
  std::unordered_map<Code, int> order_;
  std::map<std::pair<Code, Code>, Code> compose_;

  static Codes replaced(const Codes& text, const Letters& letters) {
    Codes found;
    for (Code code : text) {
      const auto other = letters.find(code);
      if (other == letters.end()) found.push_back(code);
      else found.insert(found.end(), other->second.begin(), other->second.end());
    }
    return found;
  }

  Codes decomposed(const Codes& text, bool compatible) const {
    Codes found;
    for (Code code : text) {
      if (0xAC00 <= code && code < 0xD7A4) {  // a syllable of Hangul: two or three of its letters
        const Code place = code - 0xAC00;
        found.push_back(0x1100 + place / 588);
        found.push_back(0x1161 + place % 588 / 28);
        if (place % 28) found.push_back(0x11A7 + place % 28);
        continue;
      }
      const auto& first = compatible && compatible_.count(code) ? compatible_ : canonical_;
      const auto parts = first.find(code);
      if (parts == first.end()) found.push_back(code);
      else found.insert(found.end(), parts->second.begin(), parts->second.end());
    }
    return found;
  }

  int order(Code code) const {
    const auto found = order_.find(code);
    return found == order_.end() ? 0 : found->second;
  }

  /** Combining characters in the order of their classes, behind each letter. */
  Codes ordered(Codes text) const {
    for (std::size_t at = 1; at < text.size(); at++)
      for (std::size_t to = at; to > 0 && order(text[to]) && order(text[to - 1]) > order(text[to]); to--) std::swap(text[to - 1], text[to]);
    return text;
  }

  Codes composed(const Codes& text) const {
    Codes found;
    std::size_t starter = 0;
    bool started = false;
    int last = 0;
    for (Code code : text) {
      const int own = order(code);
      const bool beside = started && found.size() - 1 == starter;
      Code both = 0;
      if (started && (beside || last < own) && (both = pair(found[starter], code))) {
        found[starter] = both;
        continue;
      }
      if (own == 0) {
        starter = found.size();
        started = true;
      }
      last = own;
      found.push_back(code);
    }
    return found;
  }

  /** What two characters become; 0 where they stay two. */
  Code pair(Code first, Code second) const {
    if (0x1100 <= first && first < 0x1113 && 0x1161 <= second && second < 0x1176) return 0xAC00 + (first - 0x1100) * 588 + (second - 0x1161) * 28;
    if (0xAC00 <= first && first < 0xD7A4 && (first - 0xAC00) % 28 == 0 && 0x11A7 < second && second < 0x11C3) return first + second - 0x11A7;
    const auto found = compose_.find({first, second});
    return found == compose_.end() ? 0 : found->second;
  }
};
