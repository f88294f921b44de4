// A cleaned text to numbers of n-grams, or of words in their order. In: Told, a vocabulary. Out: rows. Next: PiecePart.java

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

public final class CountedPart implements TextPart {
  private final Told told;
  private final Unicode unicode;
  private final long base, first, second, ofWords, ofCharacters; // 64 bits without a sign; sums and products are the same
  private final Map<Long, Integer> place = new HashMap<>();

  public CountedPart(Told told, Map<String, Long> constants, Unicode unicode, Path vocabulary) throws IOException {
    this.told = told;
    this.unicode = unicode;
    base = constants.get("of_base");
    first = constants.get("of_first");
    second = constants.get("of_second");
    ofWords = constants.get("of_words");
    ofCharacters = constants.get("of_characters");
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(vocabulary)).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) place.put(bytes.getLong(), place.size());
  }

  @Override
  public boolean takesCleaned() {
    return true;
  }

  @Override
  public List<List<String>> found(int[] cleaned) {
    List<List<String>> found = new ArrayList<>();
    if (told.all("words").length > 0) {
      List<Long> single = new ArrayList<>();
      for (int[] word : words(cleaned)) single.add(stretch(word, 0, word.length));
      List<String> block = new ArrayList<>();
      for (long size : told.all("words")) for (int at = 0; at + size <= single.size(); at++) block.add(written(run(single, at, (int) size)));
      found.add(block);
    }
    if (told.all("characters").length > 0) {
      boolean across = told.one("across") > 0;
      int[] padded = across ? cleaned : new int[cleaned.length + 2];
      if (!across) {
        padded[0] = padded[padded.length - 1] = ' ';
        System.arraycopy(cleaned, 0, padded, 1, cleaned.length);
      }
      List<String> block = new ArrayList<>();
      for (long size : told.all("characters"))
        for (int at = 0; at + size <= padded.length; at++)
          if (counts(padded, at, (int) size, across)) block.add(written(mixed(stretch(padded, at, (int) size) + ofCharacters * size)));
      found.add(block);
    }
    return found;
  }

  /** Words in their order; or n-grams each once, in order, and before those of the first block how much is not known. */
  @Override
  public List<int[]> rows(List<List<String>> found) {
    List<int[]> rows = new ArrayList<>();
    if (told.kind.equals("words")) {
      rows.add(found.get(0).stream().limit(told.one("window")).mapToInt(one -> place.getOrDefault(number(one), place.size() + 1)).toArray());
      return rows;
    }
    int all = 0, there = 0;
    for (List<String> block : found) {
      TreeSet<Integer> each = new TreeSet<>();
      for (String one : block) {
        Integer row = place.get(number(one));
        all++;
        if (row == null) continue;
        there++;
        each.add(row);
      }
      int[] row = new int[each.size() + 1];
      row[0] = place.size(); // of each block the first place; nothing stands there but in the first
      int at = 1;
      for (int one : each) row[at++] = one;
      rows.add(row);
    }
    double unknown = all > 0 ? 1 - (double) there / all : 1.0;
    rows.get(0)[0] = place.size() + 1 + (int) Math.rint(unknown * told.one("steps"));
    return rows;
  }

  private static String written(long number) {
    return String.format("%016x", number);
  }

  private static long number(String written) {
    return Long.parseUnsignedLong(written, 16);
  }

  /** Words, and signs that are a word each. */
  private List<int[]> words(int[] cleaned) {
    List<int[]> found = new ArrayList<>();
    int start = -1;
    for (int at = 0; at <= cleaned.length; at++) {
      int code = at < cleaned.length ? cleaned[at] : ' ';
      boolean part = !unicode.is("blank", code) && unicode.is("word", code);
      if (part && start < 0) start = at;
      if (!part && start >= 0) {
        found.add(Arrays.copyOfRange(cleaned, start, at));
        start = -1;
      }
      if (!part && code != ' ') found.add(new int[] {code});
    }
    return found;
  }

  /** Whether a run of characters counts: of one word and the blanks around it, or across words but for blanks. */
  private static boolean counts(int[] text, int at, int size, boolean across) {
    boolean letters = false;
    for (int place = 0; place < size; place++) {
      boolean blank = text[at + place] == ' ';
      if (blank && (across || (place > 0 && place + 1 < size))) return false;
      letters |= !blank;
    }
    return letters;
  }

  private long stretch(int[] text, int at, int size) {
    long total = 0, power = 1;
    for (int place = 0; place < size; place++) {
      long letter = (text[at + place] + 1L) * first;
      total += (letter ^ letter >>> 31) * power;
      power *= base;
    }
    return total;
  }

  private long run(List<Long> single, int at, int size) {
    long number = single.get(at) + ofWords * size;
    for (int place = 1; place < size; place++) number = mixed(number) * second + single.get(at + place);
    return mixed(number);
  }

  private long mixed(long number) {
    number = (number ^ number >>> 30) * first;
    number = (number ^ number >>> 27) * second;
    return number ^ number >>> 31;
  }
}
