"""Real solar cells for a first try. In: the package elpv-dataset. Out: a CSV that train understands. Next: docs/tour.md.

2,624 electroluminescence pictures of cells (Deitsch et al. 2019, doi 10.1016/j.solener.2019.02.067), each with the
probability that it is defective, as experts saw it: 0, 1/3, 2/3 or 1.
"""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

from tellapart.answers.formulas import SafeWriter
from tellapart.errors import DataError, MissingExtra
from tellapart.storage import storage_errors, write_bytes

LICENSE = "CC BY-NC-SA 4.0: name the authors, no commercial use, share alike"
SOURCE = "package elpv-dataset, ZAE Bayern; Deitsch et al. 2019"
_DEFECTIVE_FROM = 0.5  # probability


def write_solar_table(folder: Path) -> Path:
    """Write solar-cells.csv (path, label) into `folder` and return its path.

    Raises: MissingExtra when elpv-dataset is not installed; DataError when its labels cannot be understood.
    """
    spec = importlib.util.find_spec("elpv_dataset")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("demo", "demo", "elpv_dataset")
    data = Path(next(iter(spec.submodule_search_locations))) / "data"
    buffer = io.StringIO()
    table = SafeWriter(buffer, line_end="\n")
    table.write(["path", "label"])
    with storage_errors(data):
        lines = (data / "labels.csv").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        cells = line.split()
        try:
            path, probability = data / cells[0], float(cells[1])
        except (IndexError, ValueError):
            raise DataError(
                f"line {number} of {data / 'labels.csv'} is {line!r}; it must begin with a path and a number. "
                "Install elpv-dataset again."
            ) from None
        table.write([str(path), "defective" if probability >= _DEFECTIVE_FROM else "functional"])
    target = folder / "solar-cells.csv"
    write_bytes(target, buffer.getvalue().encode())
    return target
