// What is wrong with a network's input. In: the right one, the found one, the picture. Out: the fault in words. Next: SelfTest.cs

using System;
using System.Collections.Generic;
using System.Linq;

/// <summary>How two inputs differ, in levels of 255, and why; "" where no usual fault explains it.</summary>
public sealed class Verdict
{
    public double Most, Mean;
    public string Fault = "";
}

public static class Faults
{
    static Verdict Difference(double[] one, double[] other)
    {
        var found = new Verdict();
        for (int at = 0; at < one.Length; at++)
        {
            double apart = Math.Abs(one[at] - other[at]);
            found.Most = Math.Max(found.Most, apart);
            found.Mean += apart / one.Length;
        }
        return found;
    }

    public static double[] Numbers(byte[] bytes) { return bytes.Select(one => (double)one).ToArray(); }

    static readonly double[] ImagenetMean = { 0.485, 0.456, 0.406 }, ImagenetStd = { 0.229, 0.224, 0.225 }; // as many programs have them
    static readonly string[] Scales =
    {
        "", "values run from 0 to 1", "values are normalised by mean and deviation, which the network does itself",
        "values are normalised twice by mean and deviation", "values are normalised by ImageNet's mean and deviation, which are not the network's",
    };

    static byte[] Mirrored(byte[] made, int size)
    {
        var found = new byte[made.Length];
        for (int at = 0; at < made.Length; at++)
        {
            int pixel = at / 3, across = pixel % size;
            found[at] = made[3 * (pixel - across + (size - 1 - across)) + at % 3];
        }
        return found;
    }

    /// <summary>Other ways to prepare a picture, each a usual mistake, with its name; each once more, mirrored.</summary>
    static List<KeyValuePair<string, byte[]>> Geometries(Picture picture, Part part, Settings settings)
    {
        var found = new List<KeyValuePair<string, byte[]>>();
        Action<string, Action<Settings>, Picture> add = (name, change, shown) =>
        {
            Settings other = settings.Copy();
            change(other);
            found.Add(new KeyValuePair<string, byte[]>(name, Preprocess.Prepare(shown, part, other)));
        };
        Action<Settings> squeezed = one => { one.fit = "squash"; one.crop = 1; };
        add("", one => { }, picture);
        add("the filter does not widen (no antialiasing)", one => one.antialias = false, picture);
        add("the filter is bilinear without antialiasing, as a canvas or OpenCV has it", one => { one.interpolation = "bilinear"; one.antialias = false; }, picture);
        foreach (string name in new[] { "bilinear", "bicubic" })
            if (settings.interpolation != name) add("the filter is " + name, one => one.interpolation = name, picture);
        if (settings.fit == "crop")
        {
            add("nothing is cropped (the whole picture was squeezed into the square)", squeezed, picture);
            add("the crop is too large (the whole shorter side)", one => one.crop = 1, picture);
            if (settings.interpolation != "bilinear")
            {
                add("nothing is cropped (the whole picture was squeezed into the square); the filter is bilinear", one => { one.fit = "squash"; one.crop = 1; one.interpolation = "bilinear"; }, picture);
                add("the crop is too large (the whole shorter side); the filter is bilinear", one => { one.crop = 1; one.interpolation = "bilinear"; }, picture);
            }
        }
        else if (settings.fit == "pad")
        {
            add("the picture was squeezed, not padded", squeezed, picture);
            add("the picture was cropped, not padded", one => { one.fit = "crop"; one.crop = 1; }, picture);
            add("the edge has another colour", one => one.mean = new double[] { 0, 0, 0 }, picture);
        }
        else if (settings.fit == "crop_or_pad")
        {
            add("the picture was scaled, not cropped or padded as it is", squeezed, picture);
            add("the edge has another colour", one => one.mean = new double[] { 0, 0, 0 }, picture);
        }
        else if (settings.fit == "tile")
        {
            add("the whole picture was squeezed, not cut into tiles", squeezed, picture);
        }
        var turned = new byte[picture.Data.Length];
        for (int at = 0; at < turned.Length; at++) turned[turned.Length - 3 - at + 2 * (at % 3)] = picture.Data[at];
        add("the picture is upside down (orientation)", one => { }, new Picture(picture.Width, picture.Height, turned));
        return found.Concat(found.Select(one => new KeyValuePair<string, byte[]>(Joined(one.Key, "the picture is mirrored"), Mirrored(one.Value, settings.size)))).ToList();
    }

    /// <summary>The found numbers in every usual layout, order and scale, as S x S x 3 from 0 to 255.</summary>
    static IEnumerable<KeyValuePair<string, double[]>> Views(double[] found, bool whole, Settings settings)
    {
        foreach (string layout in new[] { "", "channels come first" })
            foreach (string order in new[] { "", "red and blue are swapped (BGR)" })
                for (int scale = 0; scale < (whole ? 1 : Scales.Length); scale++)
                {
                    var seen = new double[found.Length];
                    for (int at = 0; at < found.Length; at++)
                    {
                        int channel = order == "" ? at % 3 : 2 - at % 3;
                        double value = layout == "" ? found[at - at % 3 + channel] : found[channel * (found.Length / 3) + at / 3];
                        double mean = settings.mean[at % 3], deviation = settings.std[at % 3], normal = value * deviation + mean;
                        seen[at] = scale == 0 ? value : 255 * (scale == 1 ? value : scale == 2 ? normal : scale == 3 ? normal * deviation + mean : value * ImagenetStd[at % 3] + ImagenetMean[at % 3]);
                    }
                    yield return new KeyValuePair<string, double[]>(Joined(layout, order, Scales[scale]), seen);
                }
    }

    static string Joined(params string[] names) { return string.Join("; ", names.Where(one => one != "")); }

    /// <summary>`whole`: the found numbers are bytes, not single precision.</summary>
    public static Verdict Judge(byte[] right, double[] found, bool whole, Picture picture, Part part, Settings settings)
    {
        if (found.Length != right.Length)
            return new Verdict { Most = double.PositiveInfinity, Fault = "there are " + found.Length + " numbers, not " + right.Length };
        Verdict own = Difference(Numbers(right), found);
        if (own.Most <= 1) return own;
        double best = own.Mean;
        string faults = "";
        var seen = Views(found, whole, settings).ToList();
        foreach (var made in Geometries(picture, part, settings))
        {
            double[] wanted = Numbers(made.Value);
            foreach (var view in seen)
            {
                double mean = Difference(wanted, view.Value).Mean;
                if (mean >= 0.8 * best) continue;
                best = mean;
                faults = Joined(view.Key, made.Key);
            }
        }
        string more = best > 1 ? "; and that is not all of it" : ""; // levels on average
        own.Fault = best <= 0.5 * own.Mean ? faults + more : "";
        return own;
    }
}
