"""What tiles are worth where pictures are large and things small. In: made pictures, or a data set. Out: scores, as JSON lines.

Without a data set pictures of 2,000 x 1,500 pixels are made: a mottled ground with blots and lines as distractors, and on it discs
and squares of about 12 pixels, some on top of each other's edges, a few pictures without any. A detector learns from them whole,
brought to 320 pixels, and in tiles of 320 of their own pixels, from the same split; each is tested on the same test pictures.
`ap50` and `ap` are with 95 % intervals on the test split, `found` is the recall at the model's own thresholds, `seconds` the whole
run's; `answer` is how many seconds one large picture takes, by the finished file on one core.

    python benchmarks/tiles.py                                  made pictures; some ten minutes on two cores
    python benchmarks/tiles.py --pictures 40 --strategy probe   fewer, and the first answer alone
    python benchmarks/tiles.py --data bccd_voc/ --size 320      a data set of your own
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import tellapart

WIDTH, HEIGHT, SIDE = 2000, 1500, 12
KINDS = ("disc", "square")


def ground(generator: np.random.Generator) -> Image.Image:
    """Mottled at two scales, with blots and lines that are larger than the things."""
    coarse, fine = (
        Image.fromarray(generator.integers(low, high, (HEIGHT // part, WIDTH // part, 3), dtype=np.uint8)).resize(
            (WIDTH, HEIGHT), Image.Resampling.BICUBIC
        )
        for low, high, part in ((80, 170, 60), (90, 160, 3))
    )
    image = Image.blend(coarse, fine, 0.5)
    draw = ImageDraw.Draw(image)
    for _ in range(25):
        x, y, size = (int(generator.integers(0, most)) for most in (WIDTH, HEIGHT, 70))
        colour = tuple(generator.integers(40, 210, 3).tolist())
        draw.ellipse((x, y, x + 40 + size, y + 30 + size), fill=colour)
        draw.line((y, x, y + 4 * size, x + size), fill=colour, width=3)
    return image.filter(ImageFilter.GaussianBlur(1))


def draw_picture(path: Path, generator: np.random.Generator, things: int) -> list[tuple[int, int, int, int, str]]:
    """A picture with so many things, and their boxes."""
    image = ground(generator)
    draw, boxes = ImageDraw.Draw(image), []
    for _ in range(things):
        side = SIDE + int(generator.integers(-2, 3))
        x, y = int(generator.integers(0, WIDTH - side)), int(generator.integers(0, HEIGHT - side))
        kind = KINDS[int(generator.integers(0, 2))]
        shape = draw.ellipse if kind == "disc" else draw.rectangle
        light = generator.integers(-30, 31, 3)
        shape(
            (x, y, x + side - 1, y + side - 1),
            fill=tuple((np.array([205, 195, 90]) + light).tolist()),
            outline=(40, 40, 40),
        )
        boxes.append((x, y, x + side, y + side, kind))
    image.save(path, quality=92)
    return boxes


def make_pictures(folder: Path, count: int, seed: int) -> Path:
    """`count` pictures, JPEG, and the table of their boxes."""
    generator = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("path", "xmin", "ymin", "xmax", "ymax", "label"))
        for number in range(count):
            name = f"{number:03}.jpg"
            boxes = draw_picture(folder / name, generator, 0 if number % 10 == 9 else int(generator.integers(5, 40)))
            writer.writerows([(name, *box) for box in boxes] or [(name, "", "", "", "", "")])
    return folder / "boxes.csv"


def measure(data: Path, tiles: bool, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Train, and say how it went."""
    given: dict[str, Any] = {"strategy": options.strategy} if options.strategy != "auto" else {"budget": options.budget}
    began = time.monotonic()
    result = tellapart.train(
        data,
        tiles=tiles,
        seed=options.seed,
        out=out,
        report=False,
        settings={"network": {"size": options.size}},
        **given,
    )
    test = json.loads((result.run / "metrics.json").read_text())["test"]
    one = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    model = tellapart.load(result.model)
    model.predict(one)
    asked = time.monotonic()
    model.predict(one)
    figures = {
        name: [one[key] for key in ("value", "low", "high")]
        if (one := test[name])
        else None  # precision where nothing is told
        for name in ("ap50", "ap", "recall", "precision")
    }
    return {
        "data": data.parent.name if data.name == "boxes.csv" else data.name,
        "tiles": tiles,
        "size": options.size,
        "strategy": result.strategy,
        "n_test": result.n_test,
        **figures,
        "seconds": round(asked - began, 1),
        "answer": round(time.monotonic() - asked, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="pictures with boxes; none: made ones")
    parser.add_argument("--pictures", type=int, default=80, help="that are made")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--strategy", choices=["auto", "probe"], default="auto")
    parser.add_argument("--budget", default="10m", help="of each training")
    parser.add_argument("--only", choices=["whole", "tiles"], help="one of the two")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = options.data or make_pictures(Path(folder) / "made", options.pictures, options.seed)
        for name, tiles in (("whole", False), ("tiles", True)):
            if options.only in (None, name):
                print(json.dumps(measure(data, tiles, options, Path(folder) / "runs")), flush=True)


if __name__ == "__main__":
    main()
