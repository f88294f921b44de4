// The network itself, by ONNX Runtime. In: a text's numbers. Out: what differs from the golden answer. Next: Preparation.java
// Compiled only where onnxruntime.jar is (SelfTest.java says how); SelfTest finds it then.

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.nio.FloatBuffer;
import java.util.Map;

public final class OnnxNetwork implements SelfTest.Network {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  OnnxNetwork() throws OrtException {
    session = environment.createSession("../model.onnx");
  }

  @Override
  public String differs(int[][] tokens, double[] probabilities, double[] novelty) throws OrtException {
    try (OnnxTensor input = OnnxTensor.createTensor(environment, new int[][][] {tokens});
        OrtSession.Result found = session.run(Map.of("tokens", input))) {
      String first = differs("probabilities", found, probabilities);
      return first.isEmpty() ? differs("novelty", found, novelty) : first;
    }
  }

  private static String differs(String name, OrtSession.Result found, double[] right) {
    FloatBuffer mine = ((OnnxTensor) found.get(name).orElseThrow()).getFloatBuffer();
    for (int at = 0; at < right.length; at++)
      if (!(Math.abs(mine.get(at) - right[at]) <= 1e-4)) return "step 4 (the network): " + name + " " + mine.get(at) + ", not " + right[at];
    return "";
  }
}
