// A text as it was given to numbers of word pieces, as BERT takes them. In: Told, a vocabulary. Out: rows. Next: Preparation.java

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

public final class PiecePart implements TextPart {
  private final Told told;
  private final Unicode unicode;
  private final int letters;
  private final Map<String, Integer> place = new HashMap<>(); // pieces as golden.txt writes words

  public PiecePart(Told told, int letters, Unicode unicode, Path vocabulary) throws IOException {
    this.told = told;
    this.letters = letters;
    this.unicode = unicode;
    for (String piece : Files.readString(vocabulary, StandardCharsets.UTF_8).split("\n", -1)) place.put(TextPart.written(piece.codePoints().toArray()), place.size());
  }

  @Override
  public boolean takesCleaned() {
    return false;
  }

  @Override
  public List<List<String>> found(int[] given) {
    List<Integer> kept = new ArrayList<>();
    for (int at = 0; at < Math.min(letters, given.length); at++) keep(given[at], kept);
    int[] text = Unicode.array(kept);
    if (told.one("unmarked") > 0) text = Arrays.stream(unicode.apart(text)).filter(code -> !unicode.is("mark", code)).toArray();
    if (told.one("lowercase") > 0) text = unicode.lowered(text);
    List<String> words = new ArrayList<>();
    int start = -1;
    for (int at = 0; at <= text.length; at++) {
      boolean blank = at == text.length || unicode.is("blank", text[at]), sign = !blank && unicode.is("sign", text[at]);
      if (start < 0 && !blank && !sign) start = at;
      if (start >= 0 && (blank || sign)) {
        words.add(TextPart.written(Arrays.copyOfRange(text, start, at)));
        start = -1;
      }
      if (sign) words.add(Integer.toHexString(text[at]));
    }
    return List.of(words);
  }

  @Override
  public List<int[]> rows(List<List<String>> found) {
    List<Integer> row = new ArrayList<>(List.of((int) told.one("first")));
    for (String word : found.get(0)) row.addAll(cut(TextPart.split(word)));
    List<Integer> first = new ArrayList<>(row.subList(0, Math.min(row.size(), (int) told.one("most") - 1)));
    first.add((int) told.one("last"));
    return List.of(Unicode.array(first));
  }

  /** What becomes of a character first: blanks are one, what is never seen goes, Chinese characters stand apart. */
  private void keep(int code, List<Integer> kept) {
    if ((0xD800 <= code && code < 0xE000) || unicode.is("hidden", code)) return;
    boolean chinese = told.one("apart") > 0 && Unicode.within(told.chinese, code);
    if (chinese) kept.add((int) ' ');
    kept.add(unicode.is("blank", code) ? ' ' : code);
    if (chinese) kept.add((int) ' ');
  }

  /** The longest pieces that are known, from the word's beginning on. */
  private List<Integer> cut(int[] word) {
    List<Integer> found = new ArrayList<>();
    String before = TextPart.written(told.before) + ".";
    for (int start = 0; start < word.length; ) {
      int end = word.length > told.one("longest") ? start : word.length;
      for (; end > start; end--) {
        Integer known = place.get((start > 0 ? before : "") + TextPart.written(Arrays.copyOfRange(word, start, end)));
        if (known == null) continue;
        found.add(known);
        break;
      }
      if (end == start) return List.of((int) told.one("unknown"));
      start = end;
    }
    return found;
  }
}
