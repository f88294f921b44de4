// A decoded picture becomes the network's input, to the bit as Pillow does it. In: RGB pixels. Out: S x S x 3 bytes. Next: Faults.cs
// Decode with ImageSharp, SkiaSharp or whatever you have; preprocessing.json says what belongs to that.

using System;
using System.Collections.Generic;
using System.Linq;

/// <summary>Data: red, green, blue of each pixel, row by row.</summary>
public sealed class Picture
{
    public readonly int Width, Height;
    public readonly byte[] Data;

    public Picture(int width, int height, byte[] data) { Width = width; Height = height; Data = data; }
}

/// <summary>Of a picture, in its pixels; it may reach beyond.</summary>
public sealed class Part
{
    public readonly double Left, Top, Right, Bottom;

    public Part(double left, double top, double right, double bottom) { Left = left; Top = top; Right = right; Bottom = bottom; }
}

/// <summary>Of this model, as in preprocessing.json.</summary>
public sealed class Settings
{
{{numbers}}
    public bool antialias = true;

    public Settings Copy() { return (Settings)MemberwiseClone(); }
}

public static class Preprocess
{
    const double Gap = 3; // a picture this many times too large, and more, is first averaged in whole blocks
    const int Bits = 22; // of a weight after the point
    const long Half = 1L << (Bits - 1);

    /// <summary>Of one new pixel: the first old one that it is made of, and whole numbers of 2^-22.</summary>
    sealed class Weights
    {
        public int First;
        public long[] Factors;
    }

    static double Support(string filter) { return filter == "bilinear" ? 1 : filter == "bicubic" ? 2 : 3; }

    static double Kernel(string filter, double signed)
    {
        double x = Math.Abs(signed);
        if (filter == "bilinear") return Math.Max(0, 1 - x);
        if (filter == "bicubic") // Keys 1981 with a = -0.5
        {
            if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
            return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
        }
        if (x == 0) return 1;
        return x < 3 ? Math.Sin(Math.PI * x) / (Math.PI * x) * Math.Sin(Math.PI * x / 3) / (Math.PI * x / 3) : 0;
    }

    /// <summary>Halves go to the even neighbour.</summary>
    static int RoundEven(double value) { return (int)Math.Round(value, MidpointRounding.ToEven); }

    static Weights[] WeightsOf(int length, double from, double to, int count, string filter, bool antialias)
    {
        float start = (float)from, width = (float)((float)to - start); // Pillow keeps the part in single precision
        double scale = (double)width / count;
        double wide = antialias ? Math.Max(scale, 1) : 1; // made smaller, the kernel grows with the scale
        double reach = Support(filter) * wide;
        var found = new Weights[count];
        for (int at = 0; at < count; at++)
        {
            double centre = start + (at + 0.5) * scale;
            int first = Math.Max(0, (int)(centre - reach + 0.5));
            int last = Math.Min(length, (int)(centre + reach + 0.5));
            var raw = new double[Math.Max(0, last - first)];
            double sum = 0;
            for (int place = 0; place < raw.Length; place++)
            {
                raw[place] = Kernel(filter, (place + first - centre + 0.5) / wide);
                sum += raw[place];
            }
            var factors = raw.Select(one => (long)((sum == 0 ? one : one / sum) * (1 << Bits) + (one < 0 ? -0.5 : 0.5))).ToArray();
            found[at] = new Weights { First = first, Factors = factors };
        }
        return found;
    }

    static byte Clip(long sum) { return (byte)Math.Max(0, Math.Min(255, sum >> Bits)); }

    static Picture PassAcross(Picture given, Weights[] columns)
    {
        var found = new byte[columns.Length * given.Height * 3];
        int to = 0;
        for (int y = 0; y < given.Height; y++)
            foreach (Weights one in columns)
                for (int channel = 0; channel < 3; channel++)
                {
                    long sum = Half;
                    int at = (y * given.Width + one.First) * 3 + channel;
                    foreach (long factor in one.Factors) { sum += given.Data[at] * factor; at += 3; }
                    found[to++] = Clip(sum);
                }
        return new Picture(columns.Length, given.Height, found);
    }

    static Picture PassDown(Picture given, Weights[] rows)
    {
        int line = given.Width * 3;
        var found = new byte[rows.Length * line];
        for (int y = 0; y < rows.Length; y++)
            for (int x = 0; x < line; x++)
            {
                long sum = Half;
                int at = rows[y].First * line + x;
                foreach (long factor in rows[y].Factors) { sum += given.Data[at] * factor; at += line; }
                found[y * line + x] = Clip(sum);
            }
        return new Picture(given.Width, rows.Length, found);
    }

    /// <summary>Pillow's resize of a part: one direction, rounded to 8 bits, then the other.</summary>
    static Picture Resample(Picture given, int across, int down, Part part, string filter, bool antialias)
    {
        Weights[] columns = WeightsOf(given.Width, part.Left, part.Right, across, filter, antialias);
        Weights[] rows = WeightsOf(given.Height, part.Top, part.Bottom, down, filter, antialias);
        // Since Pillow 13 the height goes first where it shrinks by much more than the width does.
        if (given.Height - down > 2 * Math.Max(0, given.Width - across)) return PassAcross(PassDown(given, rows), columns);
        return PassDown(PassAcross(given, columns), rows);
    }

    /// <summary>Pillow's reduce: the mean of whole blocks within a part; what is left over is a smaller block.</summary>
    static Picture Reduce(Picture given, int wide, int high, int left, int top, int right, int bottom)
    {
        int across = (right - left + wide - 1) / wide, down = (bottom - top + high - 1) / high;
        var found = new byte[across * down * 3];
        int to = 0;
        for (int y = top; y < bottom; y += high)
            for (int x = left; x < right; x += wide)
            {
                int y1 = Math.Min(bottom, y + high), x1 = Math.Min(right, x + wide);
                long count = (long)(x1 - x) * (y1 - y);
                float quotient = (float)(4294967296.0f / (float)(count * 256));
                long factor = (long)quotient;
                for (int channel = 0; channel < 3; channel++)
                {
                    long sum = count / 2;
                    for (int row = y; row < y1; row++)
                        for (int column = x; column < x1; column++) sum += given.Data[(row * given.Width + column) * 3 + channel];
                    found[to++] = (byte)(sum * factor >> 24);
                }
            }
        return new Picture(across, down, found);
    }

    /// <summary>Pillow's resize with reducing_gap = 3.</summary>
    static Picture Resize(Picture given, int across, int down, Part part, Settings settings)
    {
        double beside = (part.Right - part.Left) / across, above = (part.Bottom - part.Top) / down;
        int wide = Math.Max(1, (int)(beside / Gap)), high = Math.Max(1, (int)(above / Gap));
        string filter = settings.interpolation;
        if ((wide == 1 && high == 1) || !settings.antialias) return Resample(given, across, down, part, filter, settings.antialias);
        double reach = Support(filter) - 0.5;
        int left = Math.Max(0, (int)(part.Left - beside * reach)), top = Math.Max(0, (int)(part.Top - above * reach));
        int right = Math.Min(given.Width, (int)Math.Ceiling(part.Right + beside * reach));
        int bottom = Math.Min(given.Height, (int)Math.Ceiling(part.Bottom + above * reach));
        var within = new Part((part.Left - left) / wide, (part.Top - top) / high, (part.Right - left) / wide, (part.Bottom - top) / high);
        return Resample(Reduce(given, wide, high, left, top, right, bottom), across, down, within, filter, true);
    }

    /// <summary>How wide and high a picture stands in its padded square.</summary>
    static int[] PaddedSize(int width, int height, int size)
    {
        double longer = Math.Max(width, height);
        return new[] { Math.Max(1, RoundEven(size * width / longer)), Math.Max(1, RoundEven(size * height / longer)) };
    }

    static IEnumerable<int> TileStarts(int length, int size, int overlap)
    {
        if (length <= size) return new[] { 0 };
        int steps = (length - size + size - overlap - 1) / (size - overlap);
        return Enumerable.Range(0, steps + 1).Select(number => RoundEven((double)number * (length - size) / steps));
    }

    /// <summary>What the inputs of a picture of that size show: one part, or tiles row by row.</summary>
    public static List<Part> Parts(int width, int height, Settings settings)
    {
        int size = settings.size;
        if (settings.fit == "tile")
        {
            int across = Math.Max(1, RoundEven(width * settings.scale)), down = Math.Max(1, RoundEven(height * settings.scale));
            double across1 = (double)width / across, down1 = (double)height / down;
            return (from top in TileStarts(down, size, settings.overlap)
                    from left in TileStarts(across, size, settings.overlap)
                    select new Part(left * across1, top * down1, (left + size) * across1, (top + size) * down1)).ToList();
        }
        if (settings.fit == "pad")
        {
            int[] inner = PaddedSize(width, height, size);
            double wide = (double)width / inner[0], high = (double)height / inner[1];
            double left = -((size - inner[0]) / 2) * wide, top = -((size - inner[1]) / 2) * high;
            return new List<Part> { new Part(left, top, left + size * wide, top + size * high) };
        }
        if (settings.fit == "crop_or_pad")
        {
            int left = (width - size) / 2, top = (height - size) / 2;
            return new List<Part> { new Part(left, top, left + size, top + size) };
        }
        double share = size / Math.Max(size, Math.Floor(size / settings.crop));
        bool squash = settings.fit == "squash";
        double shown = squash ? width * share : Math.Min(width, height) * share;
        double deep = squash ? height * share : shown;
        double beside = (width - shown) / 2, above = (height - deep) / 2;
        return new List<Part> { new Part(beside, above, beside + shown, above + deep) };
    }

    /// <summary>0 1 2 3 2 1 0 1 ...: the edge itself is not doubled.</summary>
    static int Mirror(int at, int length)
    {
        if (length == 1) return 0;
        int place = at % (2 * length - 2);
        return place < length ? place : 2 * length - 2 - place;
    }

    /// <summary>A picture in a square; what is beside it is the mean colour, or mirrored at its right and lower edge.</summary>
    static byte[] Placed(Picture given, int left, int top, Settings settings, bool mirrored)
    {
        var found = new byte[settings.size * settings.size * 3];
        int to = 0;
        for (int y = 0; y < settings.size; y++)
            for (int x = 0; x < settings.size; x++)
            {
                int column = mirrored ? Mirror(x, given.Width) : x - left, row = mirrored ? Mirror(y, given.Height) : y - top;
                bool there = column >= 0 && column < given.Width && row >= 0 && row < given.Height;
                for (int channel = 0; channel < 3; channel++)
                    found[to++] = there ? given.Data[(row * given.Width + column) * 3 + channel] : (byte)RoundEven(255 * settings.mean[channel]);
            }
        return found;
    }

    static Picture Copied(Picture given, int left, int top, int right, int bottom)
    {
        var found = new byte[(right - left) * (bottom - top) * 3];
        for (int y = top; y < bottom; y++)
            Array.Copy(given.Data, (y * given.Width + left) * 3, found, (y - top) * (right - left) * 3, (right - left) * 3);
        return new Picture(right - left, bottom - top, found);
    }

    /// <summary>The input S x S x 3 of one of `Parts(...)` of the decoded picture; the part counts for tiles alone.</summary>
    public static byte[] Prepare(Picture given, Part part, Settings settings)
    {
        int size = settings.size;
        if (settings.fit == "tile")
        {
            double left = Math.Max(part.Left, 0), top = Math.Max(part.Top, 0);
            double right = Math.Min(part.Right, given.Width), bottom = Math.Min(part.Bottom, given.Height);
            bool mirrored = settings.beyond == "mirror";
            if (settings.scale == 1)
                return Placed(Copied(given, RoundEven(left), RoundEven(top), RoundEven(right), RoundEven(bottom)), 0, 0, settings, mirrored);
            int across = Math.Max(1, RoundEven(size * (right - left) / (part.Right - part.Left)));
            int down = Math.Max(1, RoundEven(size * (bottom - top) / (part.Bottom - part.Top)));
            var inside = new Part(left, top, right, bottom);
            return Placed(Resample(given, across, down, inside, settings.interpolation, settings.antialias), 0, 0, settings, mirrored);
        }
        if (settings.fit == "crop_or_pad")
        {
            int left = (given.Width - size) / 2, top = (given.Height - size) / 2;
            int right = Math.Min(given.Width, left + size), bottom = Math.Min(given.Height, top + size);
            Picture middle = Copied(given, Math.Max(0, left), Math.Max(0, top), right, bottom);
            return Placed(middle, Math.Max(0, -left), Math.Max(0, -top), settings, false);
        }
        if (settings.fit == "pad")
        {
            int[] inner = PaddedSize(given.Width, given.Height, size);
            Picture resized = Resize(given, inner[0], inner[1], new Part(0, 0, given.Width, given.Height), settings);
            return Placed(resized, (size - inner[0]) / 2, (size - inner[1]) / 2, settings, false);
        }
        return Resize(given, size, size, Parts(given.Width, given.Height, settings)[0], settings).Data;
    }
}
