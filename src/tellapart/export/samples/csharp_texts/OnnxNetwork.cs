// The network itself, by ONNX Runtime. In: a text's numbers. Out: what differs from the golden answer. Next: Preparation.cs
#if WITH_ONNXRUNTIME

using System;
using System.IO;
using System.Linq;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

public static class OnnxNetwork
{
    private static readonly InferenceSession Session = new InferenceSession(Path.Combine("..", "model.onnx"));

    /// <summary>How it differs from a golden text's probabilities and novelty; "" where it does not.</summary>
    public static string Differs(int[] data, int length, double[] probabilities, double[] novelty)
    {
        var tokens = new DenseTensor<int>(data, new[] { 1, data.Length / length, length });
        using (var found = Session.Run(new[] { NamedOnnxValue.CreateFromTensor("tokens", tokens) }))
        {
            foreach (var name in new[] { "probabilities", "novelty" })
            {
                var right = name == "novelty" ? novelty : probabilities;
                var mine = found.First(one => one.Name == name).AsTensor<float>().ToArray();
                for (var at = 0; at < right.Length; at++)
                    if (!(Math.Abs(mine[at] - right[at]) <= 1e-4)) return "step 4 (the network): " + name + " " + mine[at] + ", not " + right[at];
            }
        }
        return "";
    }
}
#endif
