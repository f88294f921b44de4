// What Unicode says of characters, read from unicode.txt: forms, small letters, kinds. In: a file. Out: Unicode. Next: TextPart.cs
// The tables of .NET and Mono are of whatever version of Unicode they came with. Texts are numbers of characters here.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

public sealed class Unicode
{
    private readonly Dictionary<string, Dictionary<int, int[]>> letters = new Dictionary<string, Dictionary<int, int[]>>();
    private readonly Dictionary<string, List<int[]>> kinds = new Dictionary<string, List<int[]>>();
    private readonly Dictionary<int, int> order = new Dictionary<int, int>();
    private readonly Dictionary<long, int> compose = new Dictionary<long, int>();

    public Unicode(string path)
    {
        foreach (var name in new[] { "canonical", "compatible", "fold", "lower" }) letters[name] = new Dictionary<int, int[]>();
        foreach (var name in new[] { "blank", "word", "mark", "sign", "hidden" }) kinds[name] = new List<int[]>();
        foreach (var line in ReadLines(path))
        {
            var ordered = line[0] == "order";
            var codes = line.Skip(1).Select((one, at) => Convert.ToInt32(one, ordered && at == 1 ? 10 : 16)).ToArray();
            if (letters.ContainsKey(line[0])) letters[line[0]][codes[0]] = codes.Skip(1).ToArray();
            else if (kinds.ContainsKey(line[0])) kinds[line[0]].Add(codes);
            else if (ordered) order[codes[0]] = codes[1];
            else if (line[0] == "compose") compose[Both(codes[0], codes[1])] = codes[2];
        }
    }

    /// <summary>A file of lines, each a word and what it tells.</summary>
    public static IEnumerable<string[]> ReadLines(string path)
    {
        return File.ReadLines(path).Select(line => line.Split(new[] { ' ' }, StringSplitOptions.RemoveEmptyEntries)).Where(line => line.Length > 0);
    }

    public static bool Within(List<int[]> ranges, int code)
    {
        foreach (var one in ranges) if (one[0] <= code && code <= one[1]) return true;
        return false;
    }

    /// <summary>The characters of a text; half a pair of surrogates stays what it is.</summary>
    public static int[] Characters(string text)
    {
        var found = new List<int>();
        for (var at = 0; at < text.Length; at++)
        {
            var pair = char.IsHighSurrogate(text[at]) && at + 1 < text.Length && char.IsLowSurrogate(text[at + 1]);
            found.Add(pair ? char.ConvertToUtf32(text[at], text[at + 1]) : text[at]);
            if (pair) at++;
        }
        return found.ToArray();
    }

    /// <summary>Whether a character is a "blank", part of a "word", a "mark", a "sign" or "hidden".</summary>
    public bool Is(string kind, int code) { return Within(kinds[kind], code); }

    public int[] Folded(int[] text) { return Replaced(text, letters["fold"]); }

    public int[] Lowered(int[] text) { return Replaced(text, letters["lower"]); }

    /// <summary>The form NFD.</summary>
    public int[] Apart(int[] text) { return Ordered(Decomposed(text, false)); }

    /// <summary>The form NFKC.</summary>
    public int[] Together(int[] text) { return Composed(Ordered(Decomposed(text, true))); }

    private static long Both(int first, int second) { return (long)first << 32 | (uint)second; }

    private static int[] Replaced(int[] text, Dictionary<int, int[]> letters)
    {
        return text.SelectMany(code => letters.TryGetValue(code, out var found) ? found : new[] { code }).ToArray();
    }

    private int[] Decomposed(int[] text, bool compatible)
    {
        var found = new List<int>();
        foreach (var code in text)
        {
            if (0xAC00 <= code && code < 0xD7A4) // a syllable of Hangul: two or three of its letters
            {
                var place = code - 0xAC00;
                found.Add(0x1100 + place / 588);
                found.Add(0x1161 + place % 588 / 28);
                if (place % 28 > 0) found.Add(0x11A7 + place % 28);
            }
            else if (compatible && letters["compatible"].TryGetValue(code, out var parts)) found.AddRange(parts);
            else if (letters["canonical"].TryGetValue(code, out parts)) found.AddRange(parts);
            else found.Add(code);
        }
        return found.ToArray();
    }

    private int Order(int code) { return order.TryGetValue(code, out var found) ? found : 0; }

    /// <summary>Combining characters in the order of their classes, behind each letter.</summary>
    private int[] Ordered(int[] text)
    {
        for (var at = 1; at < text.Length; at++)
            for (var to = at; to > 0 && Order(text[to]) > 0 && Order(text[to - 1]) > Order(text[to]); to--)
            {
                var other = text[to];
                text[to] = text[to - 1];
                text[to - 1] = other;
            }
        return text;
    }

    private int[] Composed(int[] text)
    {
        var found = new List<int>();
        int starter = -1, last = 0;
        foreach (var code in text)
        {
            var own = Order(code);
            var beside = starter >= 0 && found.Count - 1 == starter;
            var one = starter >= 0 && (beside || last < own) ? Pair(found[starter], code) : 0;
            if (one > 0)
            {
                found[starter] = one;
                continue;
            }
            if (own == 0) starter = found.Count;
            last = own;
            found.Add(code);
        }
        return found.ToArray();
    }

    /// <summary>What two characters become; 0 where they stay two.</summary>
    private int Pair(int first, int second)
    {
        if (0x1100 <= first && first < 0x1113 && 0x1161 <= second && second < 0x1176) return 0xAC00 + (first - 0x1100) * 588 + (second - 0x1161) * 28;
        if (0xAC00 <= first && first < 0xD7A4 && (first - 0xAC00) % 28 == 0 && 0x11A7 < second && second < 0x11C3) return first + second - 0x11A7;
        return compose.TryGetValue(Both(first, second), out var found) ? found : 0;
    }
}
