// What is wrong with a network's input. In: the right one, the found one, the picture. Out: the fault in words. Next: SelfTest.java

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

final class Faults {
  /** How two inputs differ, in levels of 255, and why; "" where no usual fault explains it. */
  record Verdict(double most, double mean, String fault) {}

  record View(String names, double[] values) {}

  static Verdict difference(double[] one, double[] other) {
    double most = 0, sum = 0;
    for (int at = 0; at < one.length; at++) {
      double apart = Math.abs(one[at] - other[at]);
      most = Math.max(most, apart);
      sum += apart;
    }
    return new Verdict(most, sum / one.length, "");
  }

  static final double[] IMAGENET_MEAN = {0.485, 0.456, 0.406}, IMAGENET_STD = {0.229, 0.224, 0.225}; // as many programs have them
  static final String[] SCALES = {
    "", "values run from 0 to 1", "values are normalised by mean and deviation, which the network does itself",
    "values are normalised twice by mean and deviation", "values are normalised by ImageNet's mean and deviation, which are not the network's",
  };

  /** Other ways to prepare a picture, each a usual mistake, by its name; each once more, mirrored. */
  static Map<String, byte[]> geometries(Preprocess.Picture picture, Preprocess.Part part, Preprocess.Settings settings) {
    Map<String, Consumer<Preprocess.Settings>> changes = new LinkedHashMap<>();
    Consumer<Preprocess.Settings> squeezed = one -> { one.fit = "squash"; one.crop = 1; };
    changes.put("", one -> {});
    changes.put("the filter does not widen (no antialiasing)", one -> one.antialias = false);
    changes.put("the filter is bilinear without antialiasing, as a canvas or OpenCV has it", one -> { one.interpolation = "bilinear"; one.antialias = false; });
    for (String name : List.of("bilinear", "bicubic"))
      if (!settings.interpolation.equals(name)) changes.put("the filter is " + name, one -> one.interpolation = name);
    switch (settings.fit) {
      case "crop" -> {
        changes.put("nothing is cropped (the whole picture was squeezed into the square)", squeezed);
        changes.put("the crop is too large (the whole shorter side)", one -> one.crop = 1);
        if (!settings.interpolation.equals("bilinear")) {
          changes.put("nothing is cropped (the whole picture was squeezed into the square); the filter is bilinear", one -> { one.fit = "squash"; one.crop = 1; one.interpolation = "bilinear"; });
          changes.put("the crop is too large (the whole shorter side); the filter is bilinear", one -> { one.crop = 1; one.interpolation = "bilinear"; });
        }
      }
      case "pad" -> {
        changes.put("the picture was squeezed, not padded", squeezed);
        changes.put("the picture was cropped, not padded", one -> { one.fit = "crop"; one.crop = 1; });
        changes.put("the edge has another colour", one -> one.mean = new double[] {0, 0, 0});
      }
      case "crop_or_pad" -> {
        changes.put("the picture was scaled, not cropped or padded as it is", squeezed);
        changes.put("the edge has another colour", one -> one.mean = new double[] {0, 0, 0});
      }
      case "tile" -> changes.put("the whole picture was squeezed, not cut into tiles", squeezed);
      default -> { }
    }
    Map<String, byte[]> found = new LinkedHashMap<>();
    changes.forEach((name, change) -> {
      Preprocess.Settings other = settings.copy();
      change.accept(other);
      found.put(name, Preprocess.prepare(picture, part, other));
    });
    found.put("the picture is upside down (orientation)", Preprocess.prepare(turned(picture), part, settings));
    for (Map.Entry<String, byte[]> one : List.copyOf(found.entrySet()))
      found.put(joined(List.of(one.getKey(), "the picture is mirrored")), mirrored(one.getValue(), settings.size));
    return found;
  }

  static byte[] mirrored(byte[] made, int size) {
    byte[] found = new byte[made.length];
    for (int at = 0; at < made.length; at++) {
      int pixel = at / 3, across = pixel % size;
      found[at] = made[3 * (pixel - across + (size - 1 - across)) + at % 3];
    }
    return found;
  }

  /** By 180 degrees. */
  static Preprocess.Picture turned(Preprocess.Picture picture) {
    byte[] data = picture.data(), found = new byte[data.length];
    for (int at = 0; at < data.length; at++) found[data.length - 3 - at + 2 * (at % 3)] = data[at];
    return new Preprocess.Picture(picture.width(), picture.height(), found);
  }

  /** The found numbers in every usual layout, order and scale, as S x S x 3 from 0 to 255. */
  static List<View> views(double[] found, boolean whole, Preprocess.Settings settings) {
    List<View> all = new ArrayList<>();
    for (String layout : List.of("", "channels come first"))
      for (String order : List.of("", "red and blue are swapped (BGR)"))
        for (int scale = 0; scale < (whole ? 1 : SCALES.length); scale++) {
          double[] seen = new double[found.length];
          for (int at = 0; at < found.length; at++) {
            int channel = order.isEmpty() ? at % 3 : 2 - at % 3;
            double value = layout.isEmpty() ? found[at - at % 3 + channel] : found[channel * (found.length / 3) + at / 3];
            double normal = value * settings.std[at % 3] + settings.mean[at % 3];
            seen[at] = switch (scale) {
              case 0 -> value;
              case 1 -> 255 * value;
              case 2 -> 255 * normal;
              case 3 -> 255 * (normal * settings.std[at % 3] + settings.mean[at % 3]);
              default -> 255 * (value * IMAGENET_STD[at % 3] + IMAGENET_MEAN[at % 3]);
            };
          }
          all.add(new View(joined(List.of(layout, order, SCALES[scale])), seen));
        }
    return all;
  }

  static String joined(List<String> names) {
    return String.join("; ", names.stream().filter(one -> !one.isEmpty()).toList());
  }

  /** `whole`: the found numbers are bytes, not single precision. */
  static Verdict judge(byte[] right, double[] found, boolean whole, Preprocess.Picture picture, Preprocess.Part part, Preprocess.Settings settings) {
    if (found.length != right.length)
      return new Verdict(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, "there are " + found.length + " numbers, not " + right.length);
    Verdict own = difference(Preprocess.numbers(right), found);
    if (own.most() <= 1) return own;
    double best = own.mean();
    String faults = "";
    List<View> seen = views(found, whole, settings);
    for (Map.Entry<String, byte[]> made : geometries(picture, part, settings).entrySet()) {
      double[] wanted = Preprocess.numbers(made.getValue());
      for (View view : seen) {
        double mean = difference(wanted, view.values()).mean();
        if (mean < 0.8 * best) {
          best = mean;
          faults = joined(List.of(view.names(), made.getKey()));
        }
      }
    }
    String more = best > 1 ? "; and that is not all of it" : ""; // levels on average
    return new Verdict(own.most(), own.mean(), best <= 0.5 * own.mean() ? faults + more : "");
  }
}
