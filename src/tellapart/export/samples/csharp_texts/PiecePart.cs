// A text as it was given to numbers of word pieces, as BERT takes them. In: Told, a vocabulary. Out: rows. Next: Preparation.cs

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;

public sealed class PiecePart : ITextPart
{
    private readonly Told told;
    private readonly Unicode unicode;
    private readonly int letters;
    private readonly Dictionary<string, int> place = new Dictionary<string, int>(); // pieces as golden.txt writes words

    public PiecePart(Told told, int letters, Unicode unicode, string vocabulary)
    {
        this.told = told;
        this.letters = letters;
        this.unicode = unicode;
        foreach (var piece in new UTF8Encoding(false).GetString(File.ReadAllBytes(vocabulary)).Split('\n')) place[Told.Written(Unicode.Characters(piece))] = place.Count;
    }

    public bool TakesCleaned { get { return false; } }

    public List<List<string>> Found(int[] given)
    {
        var text = given.Take(letters).SelectMany(Kept).ToArray();
        if (told.One("unmarked") > 0) text = unicode.Apart(text).Where(code => !unicode.Is("mark", code)).ToArray();
        if (told.One("lowercase") > 0) text = unicode.Lowered(text);
        var words = new List<string>();
        var word = new List<int>();
        foreach (var code in text.Concat(new[] { (int)' ' }))
        {
            bool blank = unicode.Is("blank", code), sign = unicode.Is("sign", code);
            if (!blank && !sign)
            {
                word.Add(code);
                continue;
            }
            if (word.Count > 0) words.Add(Told.Written(word));
            if (sign) words.Add(Told.Written(new[] { code }));
            word.Clear();
        }
        return new List<List<string>> { words };
    }

    public List<int[]> Rows(List<List<string>> found)
    {
        var row = new[] { told.One("first") }.Concat(found[0].SelectMany(word => Cut(Told.Split(word))));
        return new List<int[]> { row.Take(told.One("most") - 1).Concat(new[] { told.One("last") }).ToArray() };
    }

    /// <summary>What becomes of a character first: blanks are one, what is never seen goes, Chinese characters stand apart.</summary>
    private IEnumerable<int> Kept(int code)
    {
        if ((0xD800 <= code && code < 0xE000) || unicode.Is("hidden", code)) return new int[0];
        if (unicode.Is("blank", code)) return new[] { (int)' ' };
        return told.One("apart") > 0 && Unicode.Within(told.Chinese, code) ? new[] { ' ', code, ' ' } : new[] { code };
    }

    /// <summary>The longest pieces that are known, from the word's beginning on.</summary>
    private List<int> Cut(int[] word)
    {
        var unknown = new List<int> { told.One("unknown") };
        if (word.Length > told.One("longest")) return unknown;
        var found = new List<int>();
        var before = Told.Written(told.Before) + ".";
        for (var start = 0; start < word.Length;)
        {
            var end = word.Length;
            while (end > start && !place.ContainsKey((start > 0 ? before : "") + Told.Written(word.Skip(start).Take(end - start)))) end--;
            if (end == start) return unknown;
            found.Add(place[(start > 0 ? before : "") + Told.Written(word.Skip(start).Take(end - start))]);
            start = end;
        }
        return found;
    }
}
