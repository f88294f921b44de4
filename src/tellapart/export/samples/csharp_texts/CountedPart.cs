// A cleaned text to numbers of n-grams, or of words in their order. In: Told, a vocabulary. Out: rows. Next: PiecePart.cs

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

public sealed class CountedPart : ITextPart
{
    private readonly Told told;
    private readonly Unicode unicode;
    private readonly ulong @base, first, second, ofWords, ofCharacters;
    private readonly Dictionary<ulong, int> place = new Dictionary<ulong, int>();

    public CountedPart(Told told, Dictionary<string, ulong> constants, Unicode unicode, string vocabulary)
    {
        this.told = told;
        this.unicode = unicode;
        @base = constants["of_base"];
        first = constants["of_first"];
        second = constants["of_second"];
        ofWords = constants["of_words"];
        ofCharacters = constants["of_characters"];
        var bytes = File.ReadAllBytes(vocabulary);
        for (var at = 0; at < bytes.Length; at += 8)
        {
            ulong number = 0;
            for (var one = 7; one >= 0; one--) number = number << 8 | bytes[at + one];
            place[number] = at / 8;
        }
    }

    public bool TakesCleaned { get { return true; } }

    public List<List<string>> Found(int[] cleaned)
    {
        var found = new List<List<string>>();
        if (told.All("words").Length > 0)
        {
            var single = Words(cleaned).Select(word => Stretch(word, 0, word.Length)).ToList();
            var block = new List<string>();
            foreach (int size in told.All("words")) for (var at = 0; at + size <= single.Count; at++) block.Add(Run(single, at, size).ToString("x16"));
            found.Add(block);
        }
        if (told.All("characters").Length > 0)
        {
            var across = told.One("across") > 0;
            var padded = across ? cleaned : new[] { (int)' ' }.Concat(cleaned).Concat(new[] { (int)' ' }).ToArray();
            var block = new List<string>();
            foreach (int size in told.All("characters"))
                for (var at = 0; at + size <= padded.Length; at++)
                    if (Counts(padded, at, size, across)) block.Add(Mixed(unchecked(Stretch(padded, at, size) + ofCharacters * (ulong)size)).ToString("x16"));
            found.Add(block);
        }
        return found;
    }

    /// <summary>Words in their order; or n-grams each once, in order, and before those of the first block how much is not known.</summary>
    public List<int[]> Rows(List<List<string>> found)
    {
        var numbers = found.Select(block => block.Select(one => ulong.Parse(one, NumberStyles.HexNumber)).ToList()).ToList();
        if (told.Kind == "words")
            return new List<int[]> { numbers[0].Take(told.One("window")).Select(one => place.TryGetValue(one, out var row) ? row : place.Count + 1).ToArray() };
        var all = numbers.Sum(block => block.Count);
        var there = numbers.Sum(block => block.Count(place.ContainsKey));
        var unknown = all > 0 ? 1 - (double)there / all : 1.0;
        var steps = place.Count + 1 + (int)Math.Round(unknown * told.One("steps"), MidpointRounding.ToEven);
        // Of each block the first place is for that number; nothing stands there but in the first.
        return numbers.Select((block, at) => new[] { at == 0 ? steps : place.Count }
            .Concat(block.Where(place.ContainsKey).Select(one => place[one]).Distinct().OrderBy(row => row)).ToArray()).ToList();
    }

    /// <summary>Words, and signs that are a word each.</summary>
    private List<int[]> Words(int[] cleaned)
    {
        var found = new List<int[]>();
        var word = new List<int>();
        foreach (var code in cleaned.Concat(new[] { (int)' ' }))
        {
            if (!unicode.Is("blank", code) && unicode.Is("word", code))
            {
                word.Add(code);
                continue;
            }
            if (word.Count > 0) found.Add(word.ToArray());
            if (code != ' ') found.Add(new[] { code });
            word.Clear();
        }
        return found;
    }

    /// <summary>Whether a run of characters counts: of one word and the blanks around it, or across words but for blanks.</summary>
    private static bool Counts(int[] text, int at, int size, bool across)
    {
        var letters = false;
        for (var one = 0; one < size; one++)
        {
            var blank = text[at + one] == ' ';
            if (blank && (across || (one > 0 && one + 1 < size))) return false;
            letters |= !blank;
        }
        return letters;
    }

    private ulong Stretch(int[] text, int at, int size)
    {
        unchecked
        {
            ulong total = 0, power = 1;
            for (var one = 0; one < size; one++)
            {
                var letter = ((ulong)text[at + one] + 1) * first;
                total += (letter ^ letter >> 31) * power;
                power *= @base;
            }
            return total;
        }
    }

    private ulong Run(List<ulong> single, int at, int size)
    {
        unchecked
        {
            var number = single[at] + ofWords * (ulong)size;
            for (var one = 1; one < size; one++) number = Mixed(number) * second + single[at + one];
            return Mixed(number);
        }
    }

    private ulong Mixed(ulong number)
    {
        unchecked
        {
            number = (number ^ number >> 30) * first;
            number = (number ^ number >> 27) * second;
            return number ^ number >> 31;
        }
    }
}
