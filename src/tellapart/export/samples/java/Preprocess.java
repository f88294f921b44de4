// A decoded picture becomes the network's input, to the bit as Pillow does it. In: RGB pixels. Out: S x S x 3 bytes. Next: Faults.java
// Decode with ImageIO or whatever you have; preprocessing.json says what belongs to that.

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

final class Preprocess {
  /** data: red, green, blue of each pixel, row by row; bytes are read with & 0xff. */
  record Picture(int width, int height, byte[] data) {}

  /** Of a picture, in its pixels; it may reach beyond. */
  record Part(double left, double top, double right, double bottom) {}

  /** Of one new pixel: the first old one that it is made of, and whole numbers of 2^-22. */
  record Weights(int first, long[] factors) {}

  /** Of this model, as in preprocessing.json. */
  static final class Settings implements Cloneable {
{{numbers}}
    boolean antialias = true;

    Settings copy() {
      try {
        return (Settings) clone();
      } catch (CloneNotSupportedException impossible) {
        throw new AssertionError(impossible);
      }
    }
  }

  static final double GAP = 3; // a picture this many times too large, and more, is first averaged in whole blocks
  static final int BITS = 22; // of a weight after the point
  static final long HALF = 1L << (BITS - 1);

  static double support(String filter) {
    return filter.equals("bilinear") ? 1 : filter.equals("bicubic") ? 2 : 3;
  }

  static double kernel(String filter, double signed) {
    double x = Math.abs(signed);
    if (filter.equals("bilinear")) return Math.max(0, 1 - x);
    if (filter.equals("bicubic")) { // Keys 1981 with a = -0.5
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    }
    if (x == 0) return 1;
    return x < 3 ? Math.sin(Math.PI * x) / (Math.PI * x) * Math.sin(Math.PI * x / 3) / (Math.PI * x / 3) : 0;
  }

  /** Halves go to the even neighbour. */
  static int roundEven(double value) {
    return (int) Math.rint(value);
  }

  static Weights[] weights(int length, double from, double to, int count, String filter, boolean antialias) {
    float start = (float) from; // Pillow keeps the part in single precision
    double scale = (double) ((float) to - start) / count;
    double wide = antialias ? Math.max(scale, 1) : 1; // made smaller, the kernel grows with the scale
    double reach = support(filter) * wide;
    Weights[] found = new Weights[count];
    for (int at = 0; at < count; at++) {
      double centre = start + (at + 0.5) * scale;
      int first = Math.max(0, (int) (centre - reach + 0.5));
      int last = Math.min(length, (int) (centre + reach + 0.5));
      double[] raw = new double[Math.max(0, last - first)];
      double sum = 0;
      for (int place = 0; place < raw.length; place++) {
        raw[place] = kernel(filter, (place + first - centre + 0.5) / wide);
        sum += raw[place];
      }
      long[] factors = new long[raw.length];
      for (int place = 0; place < raw.length; place++) {
        double share = sum == 0 ? raw[place] : raw[place] / sum;
        factors[place] = (long) (share * (1 << BITS) + (raw[place] < 0 ? -0.5 : 0.5));
      }
      found[at] = new Weights(first, factors);
    }
    return found;
  }

  static byte clip(long sum) {
    return (byte) Math.max(0, Math.min(255, sum >> BITS));
  }

  static Picture passAcross(Picture given, Weights[] columns) {
    byte[] found = new byte[columns.length * given.height() * 3];
    int to = 0;
    for (int y = 0; y < given.height(); y++)
      for (Weights one : columns)
        for (int channel = 0; channel < 3; channel++) {
          long sum = HALF;
          int at = (y * given.width() + one.first()) * 3 + channel;
          for (long factor : one.factors()) {
            sum += (given.data()[at] & 0xff) * factor;
            at += 3;
          }
          found[to++] = clip(sum);
        }
    return new Picture(columns.length, given.height(), found);
  }

  static Picture passDown(Picture given, Weights[] rows) {
    int line = given.width() * 3;
    byte[] found = new byte[rows.length * line];
    for (int y = 0; y < rows.length; y++)
      for (int x = 0; x < line; x++) {
        long sum = HALF;
        int at = rows[y].first() * line + x;
        for (long factor : rows[y].factors()) {
          sum += (given.data()[at] & 0xff) * factor;
          at += line;
        }
        found[y * line + x] = clip(sum);
      }
    return new Picture(given.width(), rows.length, found);
  }

  /** Pillow's resize of a part: one direction, rounded to 8 bits, then the other. */
  static Picture resample(Picture given, int across, int down, Part part, String filter, boolean antialias) {
    Weights[] columns = weights(given.width(), part.left(), part.right(), across, filter, antialias);
    Weights[] rows = weights(given.height(), part.top(), part.bottom(), down, filter, antialias);
    // Since Pillow 13 the height goes first where it shrinks by much more than the width does.
    if (given.height() - down > 2 * Math.max(0, given.width() - across)) return passAcross(passDown(given, rows), columns);
    return passDown(passAcross(given, columns), rows);
  }

  /** Pillow's reduce: the mean of whole blocks within a part; what is left over is a smaller block. */
  static Picture reduce(Picture given, int wide, int high, int left, int top, int right, int bottom) {
    int across = (right - left + wide - 1) / wide, down = (bottom - top + high - 1) / high;
    byte[] found = new byte[across * down * 3];
    int to = 0;
    for (int y = top; y < bottom; y += high)
      for (int x = left; x < right; x += wide) {
        int y1 = Math.min(bottom, y + high), x1 = Math.min(right, x + wide);
        long count = (long) (x1 - x) * (y1 - y);
        long factor = (long) (4294967296.0f / (float) (count * 256));
        for (int channel = 0; channel < 3; channel++) {
          long sum = count / 2;
          for (int row = y; row < y1; row++)
            for (int column = x; column < x1; column++) sum += given.data()[(row * given.width() + column) * 3 + channel] & 0xff;
          found[to++] = (byte) (sum * factor >> 24);
        }
      }
    return new Picture(across, down, found);
  }

  /** Pillow's resize with reducing_gap = 3. */
  static Picture resize(Picture given, int across, int down, Part part, Settings settings) {
    double beside = (part.right() - part.left()) / across, above = (part.bottom() - part.top()) / down;
    int wide = Math.max(1, (int) (beside / GAP)), high = Math.max(1, (int) (above / GAP));
    String filter = settings.interpolation;
    if ((wide == 1 && high == 1) || !settings.antialias) return resample(given, across, down, part, filter, settings.antialias);
    double reach = support(filter) - 0.5;
    int left = Math.max(0, (int) (part.left() - beside * reach)), top = Math.max(0, (int) (part.top() - above * reach));
    int right = Math.min(given.width(), (int) Math.ceil(part.right() + beside * reach));
    int bottom = Math.min(given.height(), (int) Math.ceil(part.bottom() + above * reach));
    Part within = new Part((part.left() - left) / wide, (part.top() - top) / high, (part.right() - left) / wide, (part.bottom() - top) / high);
    return resample(reduce(given, wide, high, left, top, right, bottom), across, down, within, filter, true);
  }

  /** How wide and high a picture stands in its padded square. */
  static int[] paddedSize(int width, int height, int size) {
    double longer = Math.max(width, height);
    return new int[] {Math.max(1, roundEven(size * width / longer)), Math.max(1, roundEven(size * height / longer))};
  }

  static int[] tileStarts(int length, int size, int overlap) {
    if (length <= size) return new int[] {0};
    int steps = (length - size + size - overlap - 1) / (size - overlap);
    int[] found = new int[steps + 1];
    for (int number = 0; number <= steps; number++) found[number] = roundEven((double) number * (length - size) / steps);
    return found;
  }

  /** What the inputs of a picture of that size show: one part, or tiles row by row. */
  static List<Part> parts(int width, int height, Settings settings) {
    int size = settings.size;
    if (settings.fit.equals("tile")) {
      int across = Math.max(1, roundEven(width * settings.scale)), down = Math.max(1, roundEven(height * settings.scale));
      double wide = (double) width / across, high = (double) height / down;
      List<Part> found = new ArrayList<>();
      for (int top : tileStarts(down, size, settings.overlap))
        for (int left : tileStarts(across, size, settings.overlap))
          found.add(new Part(left * wide, top * high, (left + size) * wide, (top + size) * high));
      return found;
    }
    if (settings.fit.equals("pad")) {
      int[] inner = paddedSize(width, height, size);
      double wide = (double) width / inner[0], high = (double) height / inner[1];
      double left = -((size - inner[0]) / 2) * wide, top = -((size - inner[1]) / 2) * high;
      return List.of(new Part(left, top, left + size * wide, top + size * high));
    }
    if (settings.fit.equals("crop_or_pad")) {
      int left = (width - size) / 2, top = (height - size) / 2;
      return List.of(new Part(left, top, left + size, top + size));
    }
    double share = size / Math.max(size, Math.floor(size / settings.crop));
    boolean squash = settings.fit.equals("squash");
    double wide = squash ? width * share : Math.min(width, height) * share;
    double high = squash ? height * share : wide;
    double left = (width - wide) / 2, top = (height - high) / 2;
    return List.of(new Part(left, top, left + wide, top + high));
  }

  /** 0 1 2 3 2 1 0 1 ...: the edge itself is not doubled. */
  static int mirror(int at, int length) {
    if (length == 1) return 0;
    int place = at % (2 * length - 2);
    return place < length ? place : 2 * length - 2 - place;
  }

  /** A picture in a square; what is beside it is the mean colour, or mirrored at its right and lower edge. */
  static byte[] placed(Picture given, int left, int top, Settings settings, boolean mirrored) {
    byte[] found = new byte[settings.size * settings.size * 3];
    int to = 0;
    for (int y = 0; y < settings.size; y++)
      for (int x = 0; x < settings.size; x++) {
        int column = mirrored ? mirror(x, given.width()) : x - left, row = mirrored ? mirror(y, given.height()) : y - top;
        boolean there = column >= 0 && column < given.width() && row >= 0 && row < given.height();
        for (int channel = 0; channel < 3; channel++)
          found[to++] = there ? given.data()[(row * given.width() + column) * 3 + channel] : (byte) roundEven(255 * settings.mean[channel]);
      }
    return found;
  }

  static Picture copied(Picture given, int left, int top, int right, int bottom) {
    byte[] found = new byte[(right - left) * (bottom - top) * 3];
    for (int y = top; y < bottom; y++)
      System.arraycopy(given.data(), (y * given.width() + left) * 3, found, (y - top) * (right - left) * 3, (right - left) * 3);
    return new Picture(right - left, bottom - top, found);
  }

  /** The input S x S x 3 of one of `parts(...)` of the decoded picture; the part counts for tiles alone. */
  static byte[] prepare(Picture given, Part part, Settings settings) {
    int size = settings.size;
    if (settings.fit.equals("tile")) {
      double left = Math.max(part.left(), 0), top = Math.max(part.top(), 0);
      double right = Math.min(part.right(), given.width()), bottom = Math.min(part.bottom(), given.height());
      boolean mirrored = settings.beyond.equals("mirror");
      if (settings.scale == 1)
        return placed(copied(given, roundEven(left), roundEven(top), roundEven(right), roundEven(bottom)), 0, 0, settings, mirrored);
      int across = Math.max(1, roundEven(size * (right - left) / (part.right() - part.left())));
      int down = Math.max(1, roundEven(size * (bottom - top) / (part.bottom() - part.top())));
      Part inside = new Part(left, top, right, bottom);
      return placed(resample(given, across, down, inside, settings.interpolation, settings.antialias), 0, 0, settings, mirrored);
    }
    if (settings.fit.equals("crop_or_pad")) {
      int left = (given.width() - size) / 2, top = (given.height() - size) / 2;
      Picture middle = copied(given, Math.max(0, left), Math.max(0, top), Math.min(given.width(), left + size), Math.min(given.height(), top + size));
      return placed(middle, Math.max(0, -left), Math.max(0, -top), settings, false);
    }
    if (settings.fit.equals("pad")) {
      int[] inner = paddedSize(given.width(), given.height(), size);
      Picture resized = resize(given, inner[0], inner[1], new Part(0, 0, given.width(), given.height()), settings);
      return placed(resized, (size - inner[0]) / 2, (size - inner[1]) / 2, settings, false);
    }
    return resize(given, size, size, parts(given.width(), given.height(), settings).get(0), settings).data();
  }

  static double[] numbers(byte[] bytes) {
    double[] found = new double[bytes.length];
    Arrays.setAll(found, at -> bytes[at] & 0xff);
    return found;
  }
}
