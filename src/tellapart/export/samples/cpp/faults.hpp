// What is wrong with a network's input. In: the right one, the found one, the picture. Out: the fault in words. Next: self_test.cpp
#pragma once

#include <functional>
#include <limits>
#include <utility>

#include "preprocess.hpp"

using Numbers = std::vector<double>;

struct Verdict {  // how two inputs differ, in levels of 255, and why; "" where no usual fault explains it
  double most = 0, mean = 0;
  std::string fault;
};

inline Verdict difference(const Numbers& one, const Numbers& other) {
  Verdict found;
  for (size_t at = 0; at < one.size(); ++at) {
    const double apart = std::fabs(one[at] - other[at]);
    found.most = std::max(found.most, apart);
    found.mean += apart / one.size();
  }
  return found;
}

const double IMAGENET_MEAN[] = {0.485, 0.456, 0.406}, IMAGENET_STD[] = {0.229, 0.224, 0.225};  // as many programs have them
const char* const SCALES[] = {"", "values run from 0 to 1; ", "values are normalised by mean and deviation, which the network does itself; ",
                              "values are normalised twice by mean and deviation; ",
                              "values are normalised by ImageNet's mean and deviation, which are not the network's; "};

inline Numbers numbers(const Bytes& bytes) { return Numbers(bytes.begin(), bytes.end()); }

inline Bytes mirrored(const Bytes& made, int size) {
  Bytes found(made.size());
  for (size_t at = 0; at < made.size(); ++at) {
    const size_t pixel = at / 3, across = pixel % size;
    found[at] = made[3 * (pixel - across + (size - 1 - across)) + at % 3];
  }
  return found;
}

// Other ways to prepare a picture, each a usual mistake, with its name; each once more, mirrored.
inline std::vector<std::pair<std::string, Bytes>> geometries(const Picture& picture, const Part& part, const Settings& settings) {
  std::vector<std::pair<std::string, Bytes>> found;
  const auto add = [&](const std::string& name, const std::function<void(Settings&)>& change, const Picture& shown) {
    Settings other = settings;
    change(other);
    found.emplace_back(name, prepare(shown, part, other));
  };
  const auto squeezed = [](Settings& one) { one.fit = "squash", one.crop = 1; };
  add("", [](Settings&) {}, picture);
  add("the filter does not widen (no antialiasing)", [](Settings& one) { one.antialias = false; }, picture);
  add("the filter is bilinear without antialiasing, as a canvas or OpenCV has it",
      [](Settings& one) { one.interpolation = "bilinear", one.antialias = false; }, picture);
  for (const std::string name : {"bilinear", "bicubic"})
    if (settings.interpolation != name) add("the filter is " + name, [&](Settings& one) { one.interpolation = name; }, picture);
  if (settings.fit == "crop") {
    add("nothing is cropped (the whole picture was squeezed into the square)", squeezed, picture);
    add("the crop is too large (the whole shorter side)", [](Settings& one) { one.crop = 1; }, picture);
    if (settings.interpolation != "bilinear") {
      add("nothing is cropped (the whole picture was squeezed into the square); the filter is bilinear",
          [](Settings& one) { one.fit = "squash", one.crop = 1, one.interpolation = "bilinear"; }, picture);
      add("the crop is too large (the whole shorter side); the filter is bilinear",
          [](Settings& one) { one.crop = 1, one.interpolation = "bilinear"; }, picture);
    }
  } else if (settings.fit == "pad") {
    add("the picture was squeezed, not padded", squeezed, picture);
    add("the picture was cropped, not padded", [](Settings& one) { one.fit = "crop", one.crop = 1; }, picture);
    add("the edge has another colour", [](Settings& one) { one.mean = {0, 0, 0}; }, picture);
  } else if (settings.fit == "crop_or_pad") {
    add("the picture was scaled, not cropped or padded as it is", squeezed, picture);
    add("the edge has another colour", [](Settings& one) { one.mean = {0, 0, 0}; }, picture);
  } else if (settings.fit == "tile") {
    add("the whole picture was squeezed, not cut into tiles", squeezed, picture);
  }
  Picture turned{picture.width, picture.height, Bytes(picture.data.size())};
  for (size_t at = 0; at < picture.data.size(); ++at) turned.data[picture.data.size() - 3 - at + 2 * (at % 3)] = picture.data[at];
  add("the picture is upside down (orientation)", [](Settings&) {}, turned);
  for (size_t at = 0, usual = found.size(); at < usual; ++at) {
    const auto [name, made] = found[at];
    found.emplace_back(name + (name.empty() ? "" : "; ") + "the picture is mirrored", mirrored(made, settings.size));
  }
  return found;
}

// The found numbers in every usual layout, order and scale, as S x S x 3 from 0 to 255.
inline std::vector<std::pair<std::string, Numbers>> views(const Numbers& found, bool whole, const Settings& settings) {
  std::vector<std::pair<std::string, Numbers>> all;
  const size_t pixels = found.size() / 3;
  for (int layout = 0; layout < 2; ++layout)
    for (int order = 0; order < 2; ++order)
      for (int scale = 0; scale < (whole ? 1 : 5); ++scale) {
        Numbers seen(found.size());
        for (size_t at = 0; at < found.size(); ++at) {
          const size_t channel = order ? 2 - at % 3 : at % 3;
          const double value = layout ? found[channel * pixels + at / 3] : found[at - at % 3 + channel];
          const double normal = value * settings.std[at % 3] + settings.mean[at % 3];
          const double scaled[] = {value, 255 * value, 255 * normal, 255 * (normal * settings.std[at % 3] + settings.mean[at % 3]),
                                   255 * (value * IMAGENET_STD[at % 3] + IMAGENET_MEAN[at % 3])};
          seen[at] = scaled[scale];
        }
        std::string name = layout ? "channels come first; " : "";
        if (order) name += "red and blue are swapped (BGR); ";
        name += SCALES[scale];
        all.emplace_back(name, std::move(seen));
      }
  return all;
}

// `whole`: the found numbers are bytes, not single precision.
inline Verdict judge(const Bytes& right, const Numbers& found, bool whole, const Picture& picture, const Part& part,
                     const Settings& settings) {
  const double infinite = std::numeric_limits<double>::infinity();
  if (found.size() != right.size())
    return {infinite, infinite, "there are " + std::to_string(found.size()) + " numbers, not " + std::to_string(right.size())};
  Verdict own = difference(numbers(right), found);
  if (own.most <= 1) return own;
  double best = own.mean;
  std::string faults;
  const auto seen = views(found, whole, settings);
  for (const auto& [name, made] : geometries(picture, part, settings)) {
    const Numbers wanted = numbers(made);
    for (const auto& [names, values] : seen) {
      const double mean = difference(wanted, values).mean;
      if (mean < 0.8 * best) best = mean, faults = name.empty() ? names.substr(0, names.size() - std::min<size_t>(2, names.size())) : names + name;
    }
  }
  // Where a fault leaves more than a level on average, it is not the only one.
  if (best <= 0.5 * own.mean) own.fault = faults + (best > 1 ? "; and that is not all of it" : "");
  return own;
}
