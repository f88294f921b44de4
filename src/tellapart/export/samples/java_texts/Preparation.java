// A text to what model.onnx takes. In: steps.txt, unicode.txt, vocabularies. Out: rows of numbers. Needs: Java 17. Next: SelfTest.java
// Nothing here is tellapart's: copy it, or write the same in your own language. Numbers of characters: text.codePoints().toArray()

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class Preparation {
  final List<TextPart.Told> told = new ArrayList<>();
  private final List<TextPart> parts = new ArrayList<>();
  private final Map<String, Long> constants = new HashMap<>();
  private final List<int[]> unseen = new ArrayList<>();
  private final Unicode unicode;
  private int letters;

  public Preparation(Path folder) throws IOException {
    unicode = new Unicode(folder.resolve("unicode.txt"));
    for (String[] line : Unicode.readLines(folder.resolve("steps.txt"))) {
      if (line[0].equals("letters")) letters = Integer.parseInt(line[1]);
      else if (line[0].startsWith("of_")) constants.put(line[0], Long.parseUnsignedLong(line[1], 16));
      else if (line[0].equals("unseen")) unseen.add(new int[] {Integer.parseInt(line[1], 16), Integer.parseInt(line[2], 16)});
      else if (line[0].equals("part")) told.add(new TextPart.Told(line[1], line[2]));
      else told.get(told.size() - 1).add(line);
    }
    for (TextPart.Told one : told) {
      Path file = folder.resolve(one.vocabulary);
      parts.add(one.kind.equals("pieces") ? new PiecePart(one, letters, unicode, file) : new CountedPart(one, constants, unicode, file));
    }
  }

  /** Step 1: what nobody sees is left out, forms are made one, letters small, one blank between words. */
  public int[] clean(int[] text) {
    int[] kept = Arrays.stream(text).limit(letters).map(code -> 0xD800 <= code && code < 0xE000 ? 0xFFFD : code).filter(code -> !Unicode.within(unseen, code)).toArray();
    kept = Arrays.stream(unicode.together(kept)).map(code -> code < 0x20 || (0x7F <= code && code < 0xA0) ? ' ' : code).toArray();
    List<Integer> found = new ArrayList<>();
    boolean open = false; // behind a letter
    for (int code : unicode.folded(kept)) {
      boolean blank = unicode.is("blank", code);
      if (!blank) found.add(code);
      else if (open) found.add((int) ' ');
      open = !blank;
    }
    if (!found.isEmpty() && !open) found.remove(found.size() - 1);
    return Unicode.array(found);
  }

  /** Step 2: what each part looks at, a list a block. */
  public List<List<List<String>>> found(int[] text) {
    int[] cleaned = clean(text);
    List<List<List<String>>> all = new ArrayList<>();
    for (TextPart part : parts) all.add(part.found(part.takesCleaned() ? cleaned : text));
    return all;
  }

  /** Step 3: rows of numbers, part by part, without what only fills up. */
  public List<List<int[]>> rows(int[] text) {
    List<List<List<String>>> all = found(text);
    List<List<int[]>> rows = new ArrayList<>();
    for (int at = 0; at < parts.size(); at++) rows.add(parts.get(at).rows(all.get(at)));
    return rows;
  }

  /** The network's input of one text, H rows filled up to the longest; of a batch all must be as long. */
  public int[][] tokens(int[] text) {
    List<List<int[]>> all = rows(text);
    int longest = Math.max(1, all.stream().flatMap(List::stream).mapToInt(row -> row.length).max().orElse(1));
    List<int[]> found = new ArrayList<>();
    for (int at = 0; at < all.size(); at++)
      for (int[] row : all.get(at)) {
        int[] filled = Arrays.copyOf(row, longest);
        Arrays.fill(filled, row.length, longest, (int) told.get(at).one("padding"));
        found.add(filled);
      }
    return found.toArray(new int[0][]);
  }
}
