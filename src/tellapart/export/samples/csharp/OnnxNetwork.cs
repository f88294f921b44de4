// The network itself, by ONNX Runtime. In: a network's input. Out: how far its outputs are from the golden ones. Next: Preprocess.cs
#if WITH_ONNXRUNTIME

using System;
using System.IO;
using System.Linq;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

public static class OnnxNetwork
{
    static readonly InferenceSession Session = new InferenceSession(Path.Combine("..", "model.onnx"));

    /// <summary>How far the outputs are from the golden ones at most, relative where these are over 1.</summary>
    public static double Apart(byte[] input, int size, string golden)
    {
        var image = new DenseTensor<byte>(input, new[] { 1, size, size, 3 });
        double most = -1; // nothing was compared
        using (var found = Session.Run(new[] { NamedOnnxValue.CreateFromTensor("image", image) }))
        {
            foreach (var output in found)
            {
                string file = Path.Combine(golden, output.Name + ".bin");
                if (!File.Exists(file)) continue;
                double[] right = SelfTest.Numbers(File.ReadAllBytes(file), false), mine = Numbers(output);
                if (mine.Length != right.Length) return double.PositiveInfinity;
                for (int at = 0; at < right.Length; at++)
                {
                    double apart = Math.Abs(mine[at] - right[at]) / Math.Max(1, Math.Abs(right[at]));
                    if (double.IsNaN(apart)) return apart;
                    most = Math.Max(most, apart);
                }
            }
        }
        return most < 0 ? double.PositiveInfinity : most;
    }

    static double[] Numbers(NamedOnnxValue output)
    {
        if (output.Value is Tensor<long>) return output.AsTensor<long>().Select(one => (double)one).ToArray();
        return output.AsTensor<float>().Select(one => (double)one).ToArray();
    }
}
#endif
