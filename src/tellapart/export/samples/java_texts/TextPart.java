// What every part of a model of texts is, and what steps.txt tells of it. In: lines. Out: numbers by name. Next: CountedPart.java

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Text that a part begins with, cleaned or as it was given, to what it looks at and to rows of numbers. */
public interface TextPart {
  boolean takesCleaned();

  /** What it looks at, a list a block: hashes, or words, as golden.txt writes them. */
  List<List<String>> found(int[] text);

  List<int[]> rows(List<List<String>> found);

  /** What steps.txt tells of a part. */
  final class Told {
    final String kind, vocabulary;
    final Map<String, long[]> numbers = new HashMap<>();
    final List<int[]> chinese = new ArrayList<>();
    int[] before = {}; // how a piece begins that begins no word

    Told(String kind, String vocabulary) {
      this.kind = kind;
      this.vocabulary = vocabulary;
    }

    long one(String name) {
      return numbers.get(name)[0];
    }

    long[] all(String name) {
      return numbers.getOrDefault(name, new long[0]);
    }

    void add(String[] line) {
      if (line[0].equals("chinese")) chinese.add(new int[] {Integer.parseInt(line[1], 16), Integer.parseInt(line[2], 16)});
      else if (line[0].equals("within")) before = split(line[1]);
      else {
        long[] found = new long[line.length - 1];
        for (int at = 0; at < found.length; at++) found[at] = Long.parseLong(line[at + 1]);
        numbers.put(line[0], found);
      }
    }
  }

  /** Characters as a line has them, numbers with dots between. */
  static int[] split(String text) {
    String[] parts = text.split("\\.");
    int[] found = new int[parts.length];
    for (int at = 0; at < found.length; at++) found[at] = Integer.parseInt(parts[at], 16);
    return found;
  }

  /** The same the other way. */
  static String written(int[] text) {
    StringBuilder found = new StringBuilder();
    for (int code : text) found.append(found.length() > 0 ? "." : "").append(Integer.toHexString(code));
    return found.toString();
  }
}
