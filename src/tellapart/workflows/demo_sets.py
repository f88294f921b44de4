"""Data sets for a first try, by name. In: a name. Out: what train takes. Next: workflows/demo.py.

Two come with packages. The others are fetched from where Keras, TensorFlow and torchvision fetch them, with their published
checksums.
"""

from __future__ import annotations

import difflib
import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tellapart.errors import DataError, SettingsError
from tellapart.reporter import Reporter
from tellapart.storage import storage_errors, write_bytes
from tellapart.workflows.demo import LICENSE, SOURCE, write_solar_table
from tellapart.workflows.fetching import Remote, fetch

_FASHION = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
_FASHION_FILES = (
    ("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
    ("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
    ("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
    ("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
)
_NEAR = 0.8  # from 0 to 1, how alike a name is to the one that is meant
_MOST_BYTES = 64 * 1024**2  # of a file that is taken out of an archive


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoSet:
    """One data set."""

    name: str
    told: str  # what it shows, in a sentence
    pictures: int
    classes: int
    source: str
    license: str
    make: Callable[[Path, Callable[[int], object]], Path]  # folder, hears of bytes -> what train takes
    files: tuple[Remote, ...] = ()  # none: it comes with a package

    @property
    def megabytes(self) -> float:
        """To fetch."""
        return sum(file.size for file in self.files) / 1e6


def demo_set(name: str) -> DemoSet:
    """The data set of this name. Raises: SettingsError for any other."""
    if name not in DEMO_SETS:
        *others, last = DEMO_SETS
        close = difflib.get_close_matches(name.lower(), DEMO_SETS, n=1, cutoff=_NEAR)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise SettingsError(f"there is no demo {name!r}. Choose {', '.join(others)} or {last}.{hint}")
    return DEMO_SETS[name]


def get_demo(chosen: DemoSet, cache: Path, reporter: Reporter) -> Path:
    """The data set on this machine. Raises: DataError where it cannot be had; StorageError, MissingExtra."""
    folder = cache / "demo" / (chosen.name if chosen.files else "")
    if not chosen.files:
        return chosen.make(folder, int)
    with reporter.step(f"Fetching {chosen.name}", sum(file.size for file in chosen.files)) as advance:
        return chosen.make(folder, advance)


def _solar(folder: Path, advance: Callable[[int], object]) -> Path:
    return write_solar_table(folder)


def _digits(folder: Path, advance: Callable[[int], object]) -> Path:
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    written = io.BytesIO()
    np.savez_compressed(written, images=digits.images, target=digits.target)
    write_bytes(folder / "digits.npz", written.getvalue())
    return folder / "digits.npz"


def _one_file(remote: Remote) -> Callable[[Path, Callable[[int], object]], Path]:
    return lambda folder, advance: fetch(remote, folder, advance)


def _fashion(folder: Path, advance: Callable[[int], object]) -> Path:
    for remote in DEMO_SETS["fashion-mnist"].files:
        fetch(remote, folder, advance)
    return folder


def _cifar(folder: Path, advance: Callable[[int], object]) -> Path:
    """The binary files taken out of their archive, once."""
    archive = fetch(DEMO_SETS["cifar-10"].files[0], folder, advance)
    unpacked = folder / "cifar-10-batches-bin"
    wanted = ["batches.meta.txt", *(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
    if all((unpacked / name).is_file() for name in wanted):
        return unpacked
    try:
        with storage_errors(archive), tarfile.open(archive) as opened:
            for name in wanted:
                member = opened.getmember(f"{unpacked.name}/{name}")
                file = opened.extractfile(member) if member.size <= _MOST_BYTES else None
                if file is None:
                    raise DataError(
                        f"{name} in {archive} is no file of at most {_MOST_BYTES:,} bytes. Remove the archive."
                    )
                write_bytes(unpacked / name, file.read())
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise DataError(f"{archive} is damaged ({error}). Remove it, and run the command again.") from None
    return unpacked


_MNIST = Remote(
    address="https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    size=11_490_434,
    sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
_FLOWERS = Remote(
    address="https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
    size=228_813_984,
    sha256="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
)
_CATS_DOGS = Remote(
    address="https://download.microsoft.com/download/3/E/1/3E1C3F21-ECDB-4869-8368-6DEBA77B919F/kagglecatsanddogs_5340.zip",
    size=824_887_076,
    sha256="b7974bd00a84a99921f36ee4403f089853777b5ae8d151c76a86e64900334af9",
)
_LISTED = (
    DemoSet(
        name="solar-cells",
        told="solar cells, photographed while they glow: functional, or defective",
        pictures=2_624,
        classes=2,
        source=SOURCE,
        license=LICENSE,
        make=_solar,
    ),
    DemoSet(
        name="digits",
        told="handwritten digits of 8 x 8 pixels",
        pictures=1_797,
        classes=10,
        source="package scikit-learn; Alpaydin and Kaynak 1998, UCI",
        license="CC BY 4.0",
        make=_digits,
    ),
    DemoSet(
        name="mnist",
        told="handwritten digits of 28 x 28 pixels",
        pictures=70_000,
        classes=10,
        source="Keras' mnist.npz; LeCun, Cortes and Burges 1998",
        license="CC BY-SA 3.0",
        make=_one_file(_MNIST),
        files=(_MNIST,),
    ),
    DemoSet(
        name="fashion-mnist",
        told="ten kinds of clothes, 28 x 28 pixels",
        pictures=70_000,
        classes=10,
        source="Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747",
        license="MIT",
        make=_fashion,
        files=tuple(Remote(address=_FASHION + name, size=size, md5=md5) for name, size, md5 in _FASHION_FILES),
    ),
    DemoSet(
        name="cifar-10",
        told="ten kinds of things, 32 x 32 pixels in colour",
        pictures=60_000,
        classes=10,
        source="binary version; Krizhevsky 2009",
        license="none is stated; cite the report",
        make=_cifar,
        files=(
            Remote(
                address="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
                size=170_052_171,
                sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
    ),
    DemoSet(
        name="flowers",
        told="five kinds of flowers, as in TensorFlow's tutorial",
        pictures=3_670,
        classes=5,
        source="TensorFlow's flower_photos",
        license="CC BY 2.0; the photographers stand in its LICENSE.txt",
        make=_one_file(_FLOWERS),
        files=(_FLOWERS,),
    ),
    DemoSet(
        name="cats-dogs",
        told="cats and dogs, as in Kaggle's contest",
        pictures=25_000,
        classes=2,
        source="Microsoft Research; Elson et al. 2007",
        license="for research; see the address",
        make=_one_file(_CATS_DOGS),
        files=(_CATS_DOGS,),
    ),
)
DEMO_SETS: Mapping[str, DemoSet] = {one.name: one for one in _LISTED}
