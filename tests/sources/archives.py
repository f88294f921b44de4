"""Archives as people make them, and as they should not be."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

KINDS = ("zip", "tar", "tar.gz", "tgz")


def pack(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive of the kind that its name says."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive_of_tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive_of_tar.addfile(info, io.BytesIO(data))
    return path


def zip_with_names(path: Path, files: Mapping[bytes, bytes]) -> Path:
    """A zip whose names are these bytes, without the mark that says UTF-8, as old programs write it."""
    stand_in = {f"{number:0{len(raw)}d}"[-len(raw) :]: raw for number, raw in enumerate(files)}
    pack(path, dict(zip(stand_in, files.values(), strict=True)))
    data = path.read_bytes()
    for name, raw in stand_in.items():
        assert data.count(name.encode()) == 2, "a name that is nowhere else: in its header and in the list at the end"
        data = data.replace(name.encode(), raw)
    path.write_bytes(data)
    return path


def tar_with(path: Path, *infos: tarfile.TarInfo) -> Path:
    """A tar of members without bytes, of any kind."""
    with tarfile.open(path, "w") as archive:
        for info in infos:
            archive.addfile(info)
    return path
