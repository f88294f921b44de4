// Tests every step against the golden pictures. In: the bundle. Out: which step differs first. Next: Preprocess.cs
//   dotnet run                          tests this sample, from the folder that it lies in
//   dotnet run -- --inputs FOLDER       tests what another program made: FOLDER/01.bin ..., bytes or float32 of its first input
// With the network, by Microsoft.ML.OnnxRuntime from NuGet, of whatever version:
//   dotnet run -p:OnnxRuntime=VERSION

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;

public static class SelfTest
{
    static readonly string Golden = Path.Combine("..", "golden");

    static Picture ReadPpm(string path)
    {
        byte[] file = File.ReadAllBytes(path);
        int end = Array.IndexOf(file, (byte)'\n');
        string[] head = Encoding.ASCII.GetString(file, 0, end).Split(' ');
        return new Picture(int.Parse(head[1]), int.Parse(head[2]), file.Skip(end + 1).ToArray());
    }

    /// <summary>Another program's numbers, bytes or single precision.</summary>
    internal static double[] Numbers(byte[] file, bool whole)
    {
        if (whole) return Faults.Numbers(file);
        return Enumerable.Range(0, file.Length / 4).Select(at => (double)BitConverter.ToSingle(file, 4 * at)).ToArray();
    }

    static Verdict Test(string[] row, Settings settings, string inputs)
    {
        Picture decoded = ReadPpm(Path.Combine(Golden, row[0], "decoded.ppm"));
        byte[] right = ReadPpm(Path.Combine(Golden, row[0], "input-1.ppm")).Data;
        List<Part> parts = Preprocess.Parts(int.Parse(row[1]), int.Parse(row[2]), settings);
        if (parts.Count != int.Parse(row[3])) return new Verdict { Most = 256, Fault = "there are " + parts.Count + " tiles, not " + row[3] };
        byte[] file = inputs == null ? Preprocess.Prepare(decoded, parts[0], settings) : File.ReadAllBytes(Path.Combine(inputs, row[0] + ".bin"));
        bool whole = inputs == null || file.Length != 4 * right.Length;
        return Faults.Judge(right, Numbers(file, whole), whole, decoded, parts[0], settings);
    }

    public static int Main(string[] given)
    {
        string inputs = given.Length == 2 && given[0] == "--inputs" ? given[1] : null;
        string[] rows = File.ReadAllLines(Path.Combine(Golden, "list.txt"));
        var faults = new List<string>();
        int wrong = 0, wrongNetwork = 0;
        foreach (string line in rows)
        {
            string name = line.Split(' ')[0];
            Verdict told = Test(line.Split(' '), new Settings(), inputs);
            string says = told.Most == 0 ? "same" : string.Format(CultureInfo.InvariantCulture, "{0:F0} levels at most, {1:F2} on average", told.Most, told.Mean);
#if WITH_ONNXRUNTIME
            if (inputs == null)
            {
                double apart = OnnxNetwork.Apart(ReadPpm(Path.Combine(Golden, name, "input-1.ppm")).Data, new Settings().size, Path.Combine(Golden, name));
                if (!(apart <= 1e-3)) wrongNetwork++;
                says += string.Format(CultureInfo.InvariantCulture, "  network: outputs differ by {0:0e+00}", apart);
            }
#endif
            Console.WriteLine(name + "  input: " + says);
            if (told.Most > 1) wrong++;
            if (told.Fault != "" && !faults.Contains(told.Fault)) faults.Add(told.Fault);
        }
        if (wrong + wrongNetwork == 0)
        {
            Console.WriteLine("All steps that were tested give what they should, for " + rows.Length + " pictures.");
            return 0;
        }
        string why = faults.Count == 0 ? "No usual fault explains it: compare with preprocessing.json." : "It looks like this: " + string.Join("; or ", faults) + ".";
        string step = wrong > 0 ? "input" : "network";
        Console.WriteLine("The first step that differs is \"" + step + "\", in " + (wrong > 0 ? wrong : wrongNetwork) + " of " + rows.Length + " pictures. " + why);
        return 1;
    }
}
