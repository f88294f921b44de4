// What Unicode says of characters, read from unicode.txt: forms, small letters, kinds. In: a file. Out: Unicode. Next: TextPart.java
// Java's own tables are of whatever version of Unicode it came with. Texts are numbers of characters here.

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class Unicode {
  private final Map<String, Map<Integer, int[]>> letters = new HashMap<>();
  private final Map<String, List<int[]>> kinds = new HashMap<>();
  private final Map<Integer, Integer> order = new HashMap<>();
  private final Map<Long, Integer> compose = new HashMap<>();

  public Unicode(Path path) throws IOException {
    for (String name : List.of("canonical", "compatible", "fold", "lower")) letters.put(name, new HashMap<>());
    for (String name : List.of("blank", "word", "mark", "sign", "hidden")) kinds.put(name, new ArrayList<>());
    for (String[] line : readLines(path)) {
      int[] codes = new int[line.length - 1];
      boolean ordered = line[0].equals("order");
      for (int at = 0; at < codes.length; at++) codes[at] = Integer.parseInt(line[at + 1], ordered && at == 1 ? 10 : 16);
      if (letters.containsKey(line[0])) letters.get(line[0]).put(codes[0], java.util.Arrays.copyOfRange(codes, 1, codes.length));
      else if (kinds.containsKey(line[0])) kinds.get(line[0]).add(codes);
      else if (ordered) order.put(codes[0], codes[1]);
      else if (line[0].equals("compose")) compose.put(both(codes[0], codes[1]), codes[2]);
    }
  }

  /** A file of lines, each a word and what it tells. */
  static List<String[]> readLines(Path path) throws IOException {
    List<String[]> found = new ArrayList<>();
    for (String line : Files.readString(path, StandardCharsets.UTF_8).split("\n")) if (!line.isBlank()) found.add(line.strip().split(" +"));
    return found;
  }

  static boolean within(List<int[]> ranges, int code) {
    for (int[] one : ranges) if (one[0] <= code && code <= one[1]) return true;
    return false;
  }

  /** Whether a character is a "blank", part of a "word", a "mark", a "sign" or "hidden". */
  public boolean is(String kind, int code) {
    return within(kinds.get(kind), code);
  }

  public int[] folded(int[] text) {
    return replaced(text, letters.get("fold"));
  }

  public int[] lowered(int[] text) {
    return replaced(text, letters.get("lower"));
  }

  /** The form NFD. */
  public int[] apart(int[] text) {
    return ordered(decomposed(text, false));
  }

  /** The form NFKC. */
  public int[] together(int[] text) {
    return composed(ordered(decomposed(text, true)));
  }

  static int[] array(List<Integer> codes) {
    return codes.stream().mapToInt(Integer::intValue).toArray();
  }

  private static long both(int first, int second) {
    return (long) first << 32 | second;
  }

  private static int[] replaced(int[] text, Map<Integer, int[]> letters) {
    List<Integer> found = new ArrayList<>();
    for (int code : text) for (int one : letters.getOrDefault(code, new int[] {code})) found.add(one);
    return array(found);
  }

  private int[] decomposed(int[] text, boolean compatible) {
    List<Integer> found = new ArrayList<>();
    for (int code : text) {
      if (0xAC00 <= code && code < 0xD7A4) { // a syllable of Hangul: two or three of its letters
        int place = code - 0xAC00;
        found.add(0x1100 + place / 588);
        found.add(0x1161 + place % 588 / 28);
        if (place % 28 > 0) found.add(0x11A7 + place % 28);
        continue;
      }
      int[] parts = compatible ? letters.get("compatible").get(code) : null;
      if (parts == null) parts = letters.get("canonical").getOrDefault(code, new int[] {code});
      for (int one : parts) found.add(one);
    }
    return array(found);
  }

  private int order(int code) {
    return order.getOrDefault(code, 0);
  }

  /** Combining characters in the order of their classes, behind each letter. */
  private int[] ordered(int[] text) {
    for (int at = 1; at < text.length; at++)
      for (int to = at; to > 0 && order(text[to]) > 0 && order(text[to - 1]) > order(text[to]); to--) {
        int other = text[to];
        text[to] = text[to - 1];
        text[to - 1] = other;
      }
    return text;
  }

  private int[] composed(int[] text) {
    List<Integer> found = new ArrayList<>();
    int starter = -1, last = 0;
    for (int code : text) {
      int own = order(code);
      boolean beside = starter >= 0 && found.size() - 1 == starter;
      int one = starter >= 0 && (beside || last < own) ? pair(found.get(starter), code) : 0;
      if (one > 0) {
        found.set(starter, one);
        continue;
      }
      if (own == 0) starter = found.size();
      last = own;
      found.add(code);
    }
    return array(found);
  }

  /** What two characters become; 0 where they stay two. */
  private int pair(int first, int second) {
    if (0x1100 <= first && first < 0x1113 && 0x1161 <= second && second < 0x1176) return 0xAC00 + (first - 0x1100) * 588 + (second - 0x1161) * 28;
    if (0xAC00 <= first && first < 0xD7A4 && (first - 0xAC00) % 28 == 0 && 0x11A7 < second && second < 0x11C3) return first + second - 0x11A7;
    return compose.getOrDefault(both(first, second), 0);
  }
}
