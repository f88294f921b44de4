// A decoded picture becomes the network's input, to the bit as Pillow does it. In: RGB pixels. Out: S x S x 3 bytes. Next: faults.hpp
// Decode with libjpeg-turbo, libpng or whatever you have; preprocessing.json says what belongs to that.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

using Bytes = std::vector<uint8_t>;

struct Picture {
  int width = 0, height = 0;
  Bytes data;  // red, green, blue of each pixel, row by row
};

struct Part {  // of a picture, in its pixels; it may reach beyond
  double left, top, right, bottom;
};

struct Settings {  // of this model, as in preprocessing.json
{{numbers}}
  bool antialias = true;
};

constexpr double GAP = 3;  // a picture this many times too large, and more, is first averaged in whole blocks
constexpr int BITS = 22;   // of a weight after the point
constexpr int64_t HALF = int64_t(1) << (BITS - 1);

inline double support(const std::string& filter) { return filter == "bilinear" ? 1 : filter == "bicubic" ? 2 : 3; }

inline double kernel(const std::string& filter, double x) {
  x = std::fabs(x);
  if (filter == "bilinear") return std::max(0.0, 1 - x);
  if (filter == "bicubic") {  // Keys 1981 with a = -0.5
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
  }
  if (x == 0) return 1;
  if (x >= 3) return 0;
  const double pi = std::acos(-1.0);
  return std::sin(pi * x) / (pi * x) * std::sin(pi * x / 3) / (pi * x / 3);
}

// Halves go to the even neighbour.
inline int round_even(double value) { return static_cast<int>(std::nearbyint(value)); }

struct Weights {  // of one new pixel: the first old one that it is made of, and whole numbers of 2^-22
  int first = 0;
  std::vector<int64_t> factors;
};

inline std::vector<Weights> weights(int length, double from, double to, int count, const std::string& filter, bool antialias) {
  const float start = static_cast<float>(from), end = static_cast<float>(to);  // Pillow keeps the part in single precision
  const double scale = static_cast<double>(end - start) / count;
  const double wide = antialias ? std::max(scale, 1.0) : 1.0;  // made smaller, the kernel grows with the scale
  const double reach = support(filter) * wide;
  std::vector<Weights> found(count);
  for (int at = 0; at < count; ++at) {
    const double centre = start + (at + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5));
    const int last = std::min(length, static_cast<int>(centre + reach + 0.5));
    std::vector<double> raw;
    double sum = 0;
    for (int place = first; place < last; ++place) {
      raw.push_back(kernel(filter, (place - centre + 0.5) / wide));
      sum += raw.back();
    }
    found[at].first = first;
    for (double one : raw) {
      if (sum != 0) one /= sum;
      found[at].factors.push_back(static_cast<int64_t>(one * (1 << BITS) + (one < 0 ? -0.5 : 0.5)));
    }
  }
  return found;
}

inline uint8_t clip(int64_t sum) { return static_cast<uint8_t>(std::clamp<int64_t>(sum >> BITS, 0, 255)); }

inline Picture pass_across(const Picture& given, const std::vector<Weights>& columns) {
  Picture found{static_cast<int>(columns.size()), given.height, Bytes(columns.size() * given.height * 3)};
  size_t to = 0;
  for (int y = 0; y < given.height; ++y)
    for (const Weights& one : columns)
      for (int channel = 0; channel < 3; ++channel) {
        int64_t sum = HALF;
        size_t at = (size_t(y) * given.width + one.first) * 3 + channel;
        for (int64_t factor : one.factors) sum += given.data[at] * factor, at += 3;
        found.data[to++] = clip(sum);
      }
  return found;
}

inline Picture pass_down(const Picture& given, const std::vector<Weights>& rows) {
  const size_t line = size_t(given.width) * 3;
  Picture found{given.width, static_cast<int>(rows.size()), Bytes(rows.size() * line)};
  for (size_t y = 0; y < rows.size(); ++y)
    for (size_t x = 0; x < line; ++x) {
      int64_t sum = HALF;
      for (size_t k = 0; k < rows[y].factors.size(); ++k) sum += given.data[(rows[y].first + k) * line + x] * rows[y].factors[k];
      found.data[y * line + x] = clip(sum);
    }
  return found;
}

// Pillow's resize of a part: one direction, rounded to 8 bits, then the other.
inline Picture resample(const Picture& given, int across, int down, const Part& part, const std::string& filter, bool antialias = true) {
  const auto columns = weights(given.width, part.left, part.right, across, filter, antialias);
  const auto rows = weights(given.height, part.top, part.bottom, down, filter, antialias);
  // Since Pillow 13 the height goes first where it shrinks by much more than the width does.
  if (given.height - down > 2 * std::max(0, given.width - across)) return pass_across(pass_down(given, rows), columns);
  return pass_down(pass_across(given, columns), rows);
}

// Pillow's reduce: the mean of whole blocks within a part [left, top, right, bottom]; what is left over is a smaller block.
inline Picture reduce(const Picture& given, int wide, int high, const std::array<int, 4>& part) {
  const auto [left, top, right, bottom] = part;
  Picture found{(right - left + wide - 1) / wide, (bottom - top + high - 1) / high, {}};
  for (int y = top; y < bottom; y += high)
    for (int x = left; x < right; x += wide) {
      const int y1 = std::min(bottom, y + high), x1 = std::min(right, x + wide);
      const uint64_t count = uint64_t(x1 - x) * (y1 - y);
      const uint64_t factor = static_cast<uint64_t>(4294967296.0f / static_cast<float>(count * 256));
      for (int channel = 0; channel < 3; ++channel) {
        uint64_t sum = count / 2;
        for (int row = y; row < y1; ++row)
          for (int column = x; column < x1; ++column) sum += given.data[(size_t(row) * given.width + column) * 3 + channel];
        found.data.push_back(static_cast<uint8_t>(sum * factor >> 24));
      }
    }
  return found;
}

// Pillow's resize with reducing_gap = 3.
inline Picture resize(const Picture& given, int across, int down, const Part& part, const Settings& settings) {
  const int wide = std::max(1, static_cast<int>((part.right - part.left) / across / GAP));
  const int high = std::max(1, static_cast<int>((part.bottom - part.top) / down / GAP));
  const std::string& filter = settings.interpolation;
  if ((wide == 1 && high == 1) || !settings.antialias) return resample(given, across, down, part, filter, settings.antialias);
  const double beside = (part.right - part.left) / across * (support(filter) - 0.5);
  const double above = (part.bottom - part.top) / down * (support(filter) - 0.5);
  const std::array<int, 4> safe{
      std::max(0, static_cast<int>(part.left - beside)), std::max(0, static_cast<int>(part.top - above)),
      std::min(given.width, static_cast<int>(std::ceil(part.right + beside))),
      std::min(given.height, static_cast<int>(std::ceil(part.bottom + above)))};
  const Part within{(part.left - safe[0]) / wide, (part.top - safe[1]) / high, (part.right - safe[0]) / wide,
                    (part.bottom - safe[1]) / high};
  return resample(reduce(given, wide, high, safe), across, down, within, filter);
}

// How wide and high a picture stands in its padded square.
inline std::array<int, 2> padded_size(int width, int height, int size) {
  const double longer = std::max(width, height);
  return {std::max(1, round_even(size * width / longer)), std::max(1, round_even(size * height / longer))};
}

inline std::vector<int> tile_starts(int length, int size, int overlap) {
  if (length <= size) return {0};
  const int steps = (length - size + size - overlap - 1) / (size - overlap);
  std::vector<int> found;
  for (int number = 0; number <= steps; ++number) found.push_back(round_even(double(number) * (length - size) / steps));
  return found;
}

// What the inputs of a picture of that size show: one part, or tiles row by row.
inline std::vector<Part> parts(int width, int height, const Settings& settings) {
  const int size = settings.size;
  if (settings.fit == "tile") {
    const int across = std::max(1, round_even(width * settings.scale)), down = std::max(1, round_even(height * settings.scale));
    const double wide = double(width) / across, high = double(height) / down;
    std::vector<Part> found;
    for (int top : tile_starts(down, size, settings.overlap))
      for (int left : tile_starts(across, size, settings.overlap))
        found.push_back({left * wide, top * high, (left + size) * wide, (top + size) * high});
    return found;
  }
  if (settings.fit == "pad") {
    const auto [across, down] = padded_size(width, height, size);
    const double wide = double(width) / across, high = double(height) / down;
    const double left = -((size - across) / 2) * wide, top = -((size - down) / 2) * high;
    return {{left, top, left + size * wide, top + size * high}};
  }
  if (settings.fit == "crop_or_pad") {
    const double left = (width - size) / 2, top = (height - size) / 2;
    return {{left, top, left + size, top + size}};
  }
  const double share = size / std::max<double>(size, std::floor(size / settings.crop));
  const double wide = settings.fit == "squash" ? width * share : std::min(width, height) * share;
  const double high = settings.fit == "squash" ? height * share : wide;
  const double left = (width - wide) / 2, top = (height - high) / 2;
  return {{left, top, left + wide, top + high}};
}

// A picture in a square; what is beside it is the mean colour, or mirrored at its right and lower edge.
inline Bytes placed(const Picture& given, int left, int top, const Settings& settings, bool mirrored = false) {
  const auto mirror = [](int at, int length) {
    if (length == 1) return 0;
    const int place = at % (2 * length - 2);
    return place < length ? place : 2 * length - 2 - place;
  };
  Bytes found;
  for (int y = 0; y < settings.size; ++y)
    for (int x = 0; x < settings.size; ++x) {
      const int column = mirrored ? mirror(x, given.width) : x - left, row = mirrored ? mirror(y, given.height) : y - top;
      const bool there = column >= 0 && column < given.width && row >= 0 && row < given.height;
      for (int channel = 0; channel < 3; ++channel)
        found.push_back(there ? given.data[(size_t(row) * given.width + column) * 3 + channel]
                              : static_cast<uint8_t>(round_even(255 * settings.mean[channel])));
    }
  return found;
}

inline Picture copied(const Picture& given, int left, int top, int right, int bottom) {
  Picture found{right - left, bottom - top, {}};
  for (int y = top; y < bottom; ++y) {
    const auto row = given.data.begin() + size_t(y) * given.width * 3;
    found.data.insert(found.data.end(), row + left * 3, row + right * 3);
  }
  return found;
}

// The input S x S x 3 of one of `parts(...)` of the decoded picture; the part counts for tiles alone.
inline Bytes prepare(const Picture& given, const Part& part, const Settings& settings) {
  const int size = settings.size;
  if (settings.fit == "tile") {
    const Part in{std::max(part.left, 0.0), std::max(part.top, 0.0), std::min<double>(part.right, given.width),
                  std::min<double>(part.bottom, given.height)};
    if (settings.scale == 1.0) {
      const Picture cut = copied(given, round_even(in.left), round_even(in.top), round_even(in.right), round_even(in.bottom));
      return placed(cut, 0, 0, settings, settings.beyond == "mirror");
    }
    const int across = std::max(1, round_even(size * (in.right - in.left) / (part.right - part.left)));
    const int down = std::max(1, round_even(size * (in.bottom - in.top) / (part.bottom - part.top)));
    const Picture cut = resample(given, across, down, in, settings.interpolation, settings.antialias);
    return placed(cut, 0, 0, settings, settings.beyond == "mirror");
  }
  if (settings.fit == "crop_or_pad") {
    const int left = (given.width - size) / 2, top = (given.height - size) / 2;
    const int right = std::min(given.width, left + size), bottom = std::min(given.height, top + size);
    const Picture middle = copied(given, std::max(0, left), std::max(0, top), right, bottom);
    return placed(middle, std::max(0, -left), std::max(0, -top), settings);
  }
  if (settings.fit == "pad") {
    const auto [across, down] = padded_size(given.width, given.height, size);
    const Picture inner = resize(given, across, down, {0, 0, double(given.width), double(given.height)}, settings);
    return placed(inner, (size - across) / 2, (size - down) / 2, settings);
  }
  return resize(given, size, size, parts(given.width, given.height, settings).front(), settings).data;
}
