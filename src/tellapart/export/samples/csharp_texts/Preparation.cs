// A text to what model.onnx takes. In: steps.txt, unicode.txt, vocabularies. Out: rows of numbers. Next: SelfTest.cs
// Nothing here is tellapart's: copy it, or write the same in your own language. Numbers of characters: Unicode.Characters(text)

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;

public sealed class Preparation
{
    public readonly List<Told> Told = new List<Told>();
    private readonly List<ITextPart> parts = new List<ITextPart>();
    private readonly List<int[]> unseen = new List<int[]>();
    private readonly Unicode unicode;
    private readonly int letters;

    public Preparation(string folder)
    {
        var constants = new Dictionary<string, ulong>();
        unicode = new Unicode(Path.Combine(folder, "unicode.txt"));
        foreach (var line in Unicode.ReadLines(Path.Combine(folder, "steps.txt")))
        {
            if (line[0] == "letters") letters = int.Parse(line[1]);
            else if (line[0].StartsWith("of_", StringComparison.Ordinal)) constants[line[0]] = Convert.ToUInt64(line[1], 16);
            else if (line[0] == "unseen") unseen.Add(new[] { Convert.ToInt32(line[1], 16), Convert.ToInt32(line[2], 16) });
            else if (line[0] == "part") Told.Add(new Told(line[1], line[2]));
            else Told.Last().Add(line);
        }
        foreach (var one in Told)
        {
            var file = Path.Combine(folder, one.Vocabulary);
            parts.Add(one.Kind == "pieces" ? (ITextPart)new PiecePart(one, letters, unicode, file) : new CountedPart(one, constants, unicode, file));
        }
    }

    /// <summary>Step 1: what nobody sees is left out, forms are made one, letters small, one blank between words.</summary>
    public int[] Clean(int[] text)
    {
        var kept = text.Take(letters).Select(code => 0xD800 <= code && code < 0xE000 ? 0xFFFD : code).Where(code => !Unicode.Within(unseen, code)).ToArray();
        kept = unicode.Together(kept).Select(code => code < 0x20 || (0x7F <= code && code < 0xA0) ? ' ' : code).ToArray();
        var found = new List<int>();
        var open = false; // behind a letter
        foreach (var code in unicode.Folded(kept))
        {
            var blank = unicode.Is("blank", code);
            if (!blank) found.Add(code);
            else if (open) found.Add(' ');
            open = !blank;
        }
        if (found.Count > 0 && !open) found.RemoveAt(found.Count - 1);
        return found.ToArray();
    }

    /// <summary>Step 2: what each part looks at, a list a block.</summary>
    public List<List<List<string>>> Found(int[] text)
    {
        var cleaned = Clean(text);
        return parts.Select(part => part.Found(part.TakesCleaned ? cleaned : text)).ToList();
    }

    /// <summary>Step 3: rows of numbers, part by part, without what only fills up.</summary>
    public List<List<int[]>> Rows(int[] text)
    {
        return Found(text).Select((found, at) => parts[at].Rows(found)).ToList();
    }

    /// <summary>The network's input of one text, H rows filled up to the longest, one behind the other: a tensor [1, H, length].</summary>
    public int[] Tokens(int[] text, out int length)
    {
        var all = Rows(text);
        var longest = Math.Max(1, all.SelectMany(rows => rows).Max(row => row.Length));
        length = longest;
        return all.SelectMany((rows, at) => rows.SelectMany(row => row.Concat(Enumerable.Repeat(Told[at].One("padding"), longest - row.Length)))).ToArray();
    }
}
