// Whether texts are made ready as tellapart does it. In: golden.txt. Out: the first step that differs. Next: Preparation.cs
//   dotnet run                          from the folder that it lies in
//   mcs -out:self_test.exe *.cs && mono self_test.exe
// With the network, by Microsoft.ML.OnnxRuntime from NuGet, of whatever version:
//   dotnet run -p:OnnxRuntime=VERSION

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

public static class SelfTest
{
    /// <summary>A golden text, as it is written.</summary>
    private sealed class Golden
    {
        public int[] Text = { };
        public string Cleaned = "";
        public double[] Probabilities = { }, Novelty = { };
        public readonly List<string> Kinds = new List<string>();
        public readonly List<List<List<string>>> Found = new List<List<List<string>>>(), Tokens = new List<List<List<string>>>();
    }

    private static double[] Numbers(IEnumerable<string> written)
    {
        return written.Select(one => double.Parse(one, CultureInfo.InvariantCulture)).ToArray();
    }

    private static List<Golden> Read(string path)
    {
        var all = new List<Golden>();
        foreach (var line in Unicode.ReadLines(path))
        {
            var rest = line.Skip(1).ToList();
            if (line[0] == "text") all.Add(new Golden());
            var one = all.Last();
            if (line[0] == "text" && rest.Count > 0) one.Text = Told.Split(rest[0]);
            else if (line[0] == "cleaned" && rest.Count > 0) one.Cleaned = rest[0];
            else if (line[0] == "part")
            {
                one.Kinds.Add(rest[0]);
                one.Found.Add(new List<List<string>>());
                one.Tokens.Add(new List<List<string>>());
            }
            else if (line[0] == "found") one.Found.Last().Add(rest);
            else if (line[0] == "tokens") one.Tokens.Last().Add(rest);
            else if (line[0] == "probabilities") one.Probabilities = Numbers(rest);
            else if (line[0] == "novelty") one.Novelty = Numbers(rest);
        }
        return all;
    }

    private static string Joined(IEnumerable<IEnumerable<string>> rows)
    {
        return string.Join(" | ", rows.Select(row => string.Join(" ", row)));
    }

    /// <summary>Without what only fills up.</summary>
    private static string Trimmed(IEnumerable<List<string>> rows, string padding, int least)
    {
        return Joined(rows.Select(row =>
        {
            var end = row.Count;
            while (end > least && row[end - 1] == padding) end--;
            return row.Take(end);
        }));
    }

    /// <summary>Which step differs first, and how; "" where none does.</summary>
    private static string FirstDifference(Preparation steps, Golden golden)
    {
        var cleaned = Told.Written(steps.Clean(golden.Text));
        if (cleaned != golden.Cleaned) return "step 1 (cleaning): " + cleaned + ", not " + golden.Cleaned;
        var found = steps.Found(golden.Text);
        var rows = steps.Rows(golden.Text);
        for (var at = 0; at < golden.Kinds.Count; at++)
        {
            var kind = golden.Kinds[at];
            string mine = Joined(found[at]), right = Joined(golden.Found[at]);
            if (mine != right) return "step 2 (" + kind + "): " + mine + ", not " + right;
            var padding = steps.Told[at].One("padding").ToString();
            var least = kind == "grams" ? 1 : 0; // how much is not known
            mine = Trimmed(rows[at].Select(row => row.Select(one => one.ToString()).ToList()), padding, least);
            right = Trimmed(golden.Tokens[at], padding, least);
            if (mine != right) return "step 3 (numbers of " + kind + "): " + mine + ", not " + right;
        }
        return "";
    }

    public static int Main()
    {
        var steps = new Preparation("..");
        var all = Read(Path.Combine("..", "golden.txt"));
        for (var at = 0; at < all.Count; at++)
            if (Differs(at, FirstDifference(steps, all[at]))) return 1;
        Console.WriteLine(all.Count + " texts: cleaning, parts and numbers are the same");
#if WITH_ONNXRUNTIME
        for (var at = 0; at < all.Count; at++)
            if (Differs(at, OnnxNetwork.Differs(steps.Tokens(all[at].Text, out var length), length, all[at].Probabilities, all[at].Novelty))) return 1;
        Console.WriteLine("the network says the same");
#else
        Console.WriteLine("the network was not asked: the head of SelfTest.cs says how");
#endif
        return 0;
    }

    private static bool Differs(int at, string different)
    {
        if (different != "") Console.WriteLine("text " + (at + 1) + ", " + different);
        return different != "";
    }
}
