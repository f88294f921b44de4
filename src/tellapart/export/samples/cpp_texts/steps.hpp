// What steps.txt tells, and what every part of a model is. In: a file. Out: Steps. Next: prepare_grams.hpp

#pragma once

#include <algorithm>

#include "unicode.hpp"

using Rows = std::vector<std::vector<std::int32_t>>;

/** What a part looks at, a list a block: numbers of n-grams and words, or words as they are. */
struct Found {
  std::vector<std::vector<std::uint64_t>> numbers;
  std::vector<Codes> words;
};

/** The characters of a text in UTF-8; what is none becomes U+FFFD. */
inline Codes characters(const std::string& text) {
  Codes found;
  for (std::size_t at = 0; at < text.size();) {
    const unsigned char lead = static_cast<unsigned char>(text[at]);
    const int more = lead < 0x80 ? 0 : lead < 0xC0 ? -1 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : lead < 0xF5 ? 3 : -1;
    Code code = more < 0 ? 0xFFFD : more == 0 ? lead : lead & (0x3F >> more);
    for (int place = 1; place <= more; place++) {
      const unsigned char next = at + place < text.size() ? static_cast<unsigned char>(text[at + place]) : 0;
      if ((next & 0xC0) != 0x80) code = 0xFFFD;
      code = code == 0xFFFD ? code : (code << 6 | (next & 0x3F));
    }
    found.push_back(code);
    at += 1 + std::max(0, more);
  }
  return found;
}

/** What steps.txt tells of a part: numbers by name. */
struct PartSteps {
  std::string kind, vocabulary;
  std::map<std::string, std::vector<long long>> told;
  Codes before;  // how a piece begins that begins no word
  Ranges chinese;

  long long one(const std::string& name) const { return told.at(name).at(0); }
  const std::vector<long long>& all(const std::string& name) const { return told.at(name); }
};

struct Steps {
  std::map<std::string, std::uint64_t> constants;
  std::size_t letters = 0;
  Ranges unseen;
  std::vector<PartSteps> parts;

  explicit Steps(const std::string& path) {
    for (const auto& line : read_lines(path)) {
      const std::string& name = line[0];
      if (name == "letters") letters = std::stoull(line[1]);
      else if (name.rfind("of_", 0) == 0) constants[name] = std::stoull(line[1], nullptr, 16);
      else if (name == "unseen") unseen.emplace_back(hexadecimal(line[1]), hexadecimal(line[2]));
      else if (name == "part") parts.push_back({line[1], line[2], {}, {}, {}});
      else if (name == "chinese") parts.back().chinese.emplace_back(hexadecimal(line[1]), hexadecimal(line[2]));
      else if (name == "within") parts.back().before = split(line[1]);
      else
        for (std::size_t at = 1; at < line.size(); at++) parts.back().told[name].push_back(std::stoll(line[at]));
    }
  }

  /** Characters as a line has them, numbers with dots between. */
  static Codes split(const std::string& text) {
    Codes found;
    std::istringstream parts(text);
    for (std::string part; std::getline(parts, part, '.');) found.push_back(hexadecimal(part));
    return found;
  }
};

/** Text that a part begins with, cleaned or as it was given, to what it looks at and to rows of numbers. */
class Part {
 public:
  virtual ~Part() = default;
  virtual bool takes_cleaned() const = 0;
  virtual Found found(const Codes& text) const = 0;
  virtual Rows rows(const Found& found) const = 0;
};
