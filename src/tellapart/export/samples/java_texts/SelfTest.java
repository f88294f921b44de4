// Whether texts are made ready as tellapart does it. In: golden.txt. Out: the first step that differs. Next: Preparation.java
//   javac SelfTest.java && java SelfTest      from the folder that it lies in
// With the network, by com.microsoft.onnxruntime:onnxruntime from Maven, whose file is called onnxruntime.jar here:
//   javac -cp onnxruntime.jar *.java && java -cp onnxruntime.jar:. SelfTest

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public final class SelfTest {
  /** A golden text, as it is written. */
  static final class Golden {
    int[] text = {};
    String cleaned = "";
    final List<String> kinds = new ArrayList<>();
    final List<List<List<String>>> found = new ArrayList<>(), tokens = new ArrayList<>();
    double[] probabilities = {}, novelty = {};
  }

  /** What runs the network: OnnxNetwork.java. */
  interface Network {
    /** How it differs from a golden text's probabilities and novelty; "" where it does not. */
    String differs(int[][] tokens, double[] probabilities, double[] novelty) throws Exception;
  }

  /** The one that was compiled beside this test; null where none was. */
  static Network network() throws ReflectiveOperationException {
    try {
      return (Network) Class.forName("OnnxNetwork").getDeclaredConstructor().newInstance();
    } catch (ClassNotFoundException | NoClassDefFoundError absent) {
      return null;
    }
  }

  static double[] numbers(List<String> written) {
    return written.stream().mapToDouble(Double::parseDouble).toArray();
  }

  static List<Golden> read(Path path) throws IOException {
    List<Golden> all = new ArrayList<>();
    for (String[] line : Unicode.readLines(path)) {
      List<String> rest = Arrays.asList(line).subList(1, line.length);
      if (line[0].equals("text")) all.add(new Golden());
      Golden one = all.get(all.size() - 1);
      int last = one.kinds.size() - 1;
      if (line[0].equals("text") && !rest.isEmpty()) one.text = TextPart.split(rest.get(0));
      else if (line[0].equals("cleaned") && !rest.isEmpty()) one.cleaned = rest.get(0);
      else if (line[0].equals("part")) {
        one.kinds.add(rest.get(0));
        one.found.add(new ArrayList<>());
        one.tokens.add(new ArrayList<>());
      } else if (line[0].equals("found")) one.found.get(last).add(rest);
      else if (line[0].equals("tokens")) one.tokens.get(last).add(rest);
      else if (line[0].equals("probabilities")) one.probabilities = numbers(rest);
      else if (line[0].equals("novelty")) one.novelty = numbers(rest);
    }
    return all;
  }

  /** Without what only fills up. */
  static List<List<String>> trimmed(List<List<String>> rows, String padding, int least) {
    List<List<String>> found = new ArrayList<>();
    for (List<String> row : rows) {
      int end = row.size();
      while (end > least && row.get(end - 1).equals(padding)) end--;
      found.add(row.subList(0, end));
    }
    return found;
  }

  /** Which step differs first, and how; "" where none does. */
  static String firstDifference(Preparation steps, Golden golden) {
    String cleaned = TextPart.written(steps.clean(golden.text));
    if (!cleaned.equals(golden.cleaned)) return "step 1 (cleaning): " + cleaned + ", not " + golden.cleaned;
    List<List<List<String>>> found = steps.found(golden.text);
    List<List<int[]>> rows = steps.rows(golden.text);
    for (int at = 0; at < golden.kinds.size(); at++) {
      String kind = golden.kinds.get(at);
      if (!found.get(at).equals(golden.found.get(at))) return "step 2 (" + kind + "): " + found.get(at) + ", not " + golden.found.get(at);
      List<List<String>> mine = new ArrayList<>();
      for (int[] row : rows.get(at)) mine.add(Arrays.stream(row).mapToObj(String::valueOf).toList());
      String padding = String.valueOf(steps.told.get(at).one("padding"));
      int least = kind.equals("grams") ? 1 : 0; // how much is not known
      mine = trimmed(mine, padding, least);
      List<List<String>> right = trimmed(golden.tokens.get(at), padding, least);
      if (!mine.equals(right)) return "step 3 (numbers of " + kind + "): " + mine + ", not " + right;
    }
    return "";
  }

  public static void main(String[] arguments) throws Exception {
    Preparation steps = new Preparation(Path.of(".."));
    List<Golden> all = read(Path.of("..", "golden.txt"));
    Network network = network();
    for (int at = 0; at < all.size(); at++) stop(at, firstDifference(steps, all.get(at)));
    System.out.println(all.size() + " texts: cleaning, parts and numbers are the same");
    for (int at = 0; network != null && at < all.size(); at++) {
      Golden golden = all.get(at);
      stop(at, network.differs(steps.tokens(golden.text), golden.probabilities, golden.novelty));
    }
    System.out.println(network == null ? "the network was not asked: the head of SelfTest.java says how" : "the network says the same");
  }

  private static void stop(int at, String different) {
    if (different.isEmpty()) return;
    System.out.println("text " + (at + 1) + ", " + different);
    System.exit(1);
  }
}
