// Tests every step against the golden pictures. In: the bundle. Out: which step differs first. Next: Preprocess.java
//   javac SelfTest.java && java SelfTest    tests this sample, from the folder that it lies in
//   java SelfTest --inputs FOLDER           tests what another program made: FOLDER/01.bin ..., bytes or float32 of its first input
// With the network, by com.microsoft.onnxruntime:onnxruntime from Maven, whose file is called onnxruntime.jar here:
//   javac -cp onnxruntime.jar *.java && java -cp onnxruntime.jar:. SelfTest

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;

public final class SelfTest {
  static final Path GOLDEN = Path.of("..", "golden");

  /** What runs the network: OnnxNetwork.java. */
  interface Network {
    /** How far the outputs are from the golden ones at most, relative where these are over 1. */
    double apart(byte[] input, int size, Path golden) throws Exception;
  }

  /** The one that was compiled beside this test; null where none was. */
  static Network network() throws ReflectiveOperationException {
    try {
      return (Network) Class.forName("OnnxNetwork").getDeclaredConstructor().newInstance();
    } catch (ClassNotFoundException | NoClassDefFoundError absent) {
      return null;
    }
  }

  static Preprocess.Picture readPpm(Path path) throws IOException {
    byte[] file = Files.readAllBytes(path);
    int end = 0;
    while (file[end] != '\n') end++;
    String[] head = new String(file, 0, end, StandardCharsets.US_ASCII).split(" ");
    return new Preprocess.Picture(Integer.parseInt(head[1]), Integer.parseInt(head[2]), Arrays.copyOfRange(file, end + 1, file.length));
  }

  /** Another program's numbers, bytes or single precision. */
  static double[] numbers(byte[] file, boolean whole) {
    if (whole) return Preprocess.numbers(file);
    ByteBuffer buffer = ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN);
    double[] found = new double[file.length / 4];
    for (int at = 0; at < found.length; at++) found[at] = buffer.getFloat(4 * at);
    return found;
  }

  static Faults.Verdict test(String[] row, Preprocess.Settings settings, Path inputs) throws IOException {
    Preprocess.Picture decoded = readPpm(GOLDEN.resolve(row[0]).resolve("decoded.ppm"));
    byte[] right = readPpm(GOLDEN.resolve(row[0]).resolve("input-1.ppm")).data();
    List<Preprocess.Part> parts = Preprocess.parts(Integer.parseInt(row[1]), Integer.parseInt(row[2]), settings);
    if (parts.size() != Integer.parseInt(row[3])) return new Faults.Verdict(256, 256, "there are " + parts.size() + " tiles, not " + row[3]);
    byte[] file = inputs == null ? Preprocess.prepare(decoded, parts.get(0), settings) : Files.readAllBytes(inputs.resolve(row[0] + ".bin"));
    boolean whole = inputs == null || file.length != 4 * right.length;
    return Faults.judge(right, numbers(file, whole), whole, decoded, parts.get(0), settings);
  }

  public static void main(String[] given) throws Exception {
    Path inputs = given.length == 2 && given[0].equals("--inputs") ? Path.of(given[1]) : null;
    Preprocess.Settings settings = new Preprocess.Settings();
    Network network = inputs == null ? network() : null;
    List<String> rows = Files.readAllLines(GOLDEN.resolve("list.txt"));
    Set<String> faults = new LinkedHashSet<>();
    int wrong = 0, wrongNetwork = 0;
    for (String line : rows) {
      String[] row = line.split(" ");
      Faults.Verdict told = test(row, settings, inputs);
      String says = told.most() == 0 ? "same" : String.format(Locale.ROOT, "%.0f levels at most, %.2f on average", told.most(), told.mean());
      if (told.most() > 1) wrong++;
      if (!told.fault().isEmpty()) faults.add(told.fault());
      if (network != null) {
        Path golden = GOLDEN.resolve(row[0]);
        double apart = network.apart(readPpm(golden.resolve("input-1.ppm")).data(), settings.size, golden);
        if (!(apart <= 1e-3)) wrongNetwork++;
        says += String.format(Locale.ROOT, "  network: outputs differ by %.0e", apart);
      }
      System.out.println(row[0] + "  input: " + says);
    }
    if (wrong + wrongNetwork == 0) {
      System.out.println("All steps that were tested give what they should, for " + rows.size() + " pictures.");
      return;
    }
    String why = faults.isEmpty() ? "No usual fault explains it: compare with preprocessing.json." : "It looks like this: " + String.join("; or ", faults) + ".";
    String step = wrong > 0 ? "input" : "network";
    System.out.println("The first step that differs is \"" + step + "\", in " + (wrong > 0 ? wrong : wrongNetwork) + " of " + rows.size() + " pictures. " + why);
    System.exit(1);
  }
}
