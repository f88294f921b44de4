// What every part of a model of texts is, and what steps.txt tells of it. In: lines. Out: numbers by name. Next: CountedPart.cs

using System;
using System.Collections.Generic;
using System.Linq;

/// <summary>Text that a part begins with, cleaned or as it was given, to what it looks at and to rows of numbers.</summary>
public interface ITextPart
{
    bool TakesCleaned { get; }

    /// <summary>What it looks at, a list a block: hashes, or words, as golden.txt writes them.</summary>
    List<List<string>> Found(int[] text);

    List<int[]> Rows(List<List<string>> found);
}

/// <summary>What steps.txt tells of a part.</summary>
public sealed class Told
{
    public readonly string Kind, Vocabulary;
    public readonly List<int[]> Chinese = new List<int[]>();
    public int[] Before = { }; // how a piece begins that begins no word
    private readonly Dictionary<string, long[]> numbers = new Dictionary<string, long[]>();

    public Told(string kind, string vocabulary)
    {
        Kind = kind;
        Vocabulary = vocabulary;
    }

    public int One(string name) { return (int)numbers[name][0]; }

    public long[] All(string name) { return numbers.TryGetValue(name, out var found) ? found : new long[0]; }

    public void Add(string[] line)
    {
        if (line[0] == "chinese") Chinese.Add(new[] { Convert.ToInt32(line[1], 16), Convert.ToInt32(line[2], 16) });
        else if (line[0] == "within") Before = Split(line[1]);
        else numbers[line[0]] = line.Skip(1).Select(long.Parse).ToArray();
    }

    /// <summary>Characters as a line has them, numbers with dots between.</summary>
    public static int[] Split(string text) { return text.Split('.').Select(one => Convert.ToInt32(one, 16)).ToArray(); }

    /// <summary>The same the other way.</summary>
    public static string Written(IEnumerable<int> text) { return string.Join(".", text.Select(code => code.ToString("x"))); }
}
