// The network itself, by ONNX Runtime. In: a network's input. Out: how far its outputs are from the golden ones. Next: Preprocess.java
// Compiled only where onnxruntime.jar is (SelfTest.java says how); SelfTest finds it then.

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

public final class OnnxNetwork implements SelfTest.Network {
  private final OrtEnvironment environment = OrtEnvironment.getEnvironment();
  private final OrtSession session;

  OnnxNetwork() throws OrtException {
    session = environment.createSession("../model.onnx");
  }

  @Override
  public double apart(byte[] input, int size, Path golden) throws OrtException, IOException {
    ByteBuffer pixels = ByteBuffer.allocateDirect(input.length).order(ByteOrder.nativeOrder()).put(input).rewind();
    double most = -1; // nothing was compared
    try (OnnxTensor image = OnnxTensor.createTensor(environment, pixels, new long[] {1, size, size, 3}, OnnxJavaType.UINT8);
        OrtSession.Result found = session.run(Map.of("image", image))) {
      for (Map.Entry<String, OnnxValue> output : found) {
        Path file = golden.resolve(output.getKey() + ".bin");
        if (!Files.exists(file)) continue;
        double[] right = SelfTest.numbers(Files.readAllBytes(file), false), mine = numbers((OnnxTensor) output.getValue());
        if (mine.length != right.length) return Double.POSITIVE_INFINITY;
        for (int at = 0; at < right.length; at++) {
          double apart = Math.abs(mine[at] - right[at]) / Math.max(1, Math.abs(right[at]));
          if (Double.isNaN(apart)) return apart;
          most = Math.max(most, apart);
        }
      }
    }
    return most < 0 ? Double.POSITIVE_INFINITY : most;
  }

  private static double[] numbers(OnnxTensor tensor) {
    if (tensor.getInfo().type == OnnxJavaType.INT64) {
      LongBuffer whole = tensor.getLongBuffer();
      double[] found = new double[whole.remaining()];
      for (int at = 0; at < found.length; at++) found[at] = whole.get(at);
      return found;
    }
    FloatBuffer single = tensor.getFloatBuffer();
    double[] found = new double[single.remaining()];
    for (int at = 0; at < found.length; at++) found[at] = single.get(at);
    return found;
  }
}
