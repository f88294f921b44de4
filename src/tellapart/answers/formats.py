"""Which file names say picture. In: nothing. Out: FORMAT_OF_EXTENSION. Next: items.py.

Content decides what a file is. Here the extension only helps to tell pictures from what lies beside them, so formats
that we cannot read belong in it too. Some are read where an extra is installed: picture_files.py knows which.
"""

from __future__ import annotations

from collections.abc import Mapping

_EXTENSIONS: Mapping[str, str] = {
    "JPEG": ".jpg .jpeg .jpe .jfif .mpo",
    "PNG": ".png .apng",
    "GIF": ".gif",
    "BMP": ".bmp .dib",
    "TIFF": ".tif .tiff",
    "WEBP": ".webp",
    "AVIF": ".avif .avifs",
    "JPEG2000": ".jp2 .j2k .j2c .jpc .jpf .jpx",
    "PPM": ".ppm .pgm .pbm .pnm .pfm",
    "ICO": ".ico",
    "PCX": ".pcx",
    "SGI": ".sgi .rgb .rgba .bw",
    "QOI": ".qoi",
    "HEIF": ".heic .heif .hif .heics .heifs",
    "JXL": ".jxl",
    "DICOM": ".dcm .dicom",
    "unreadable": ".psd .tga .svg .eps .dng .cr2 .cr3 .nef .arw .raw",
}
FORMAT_OF_EXTENSION: Mapping[str, str] = {
    extension: name for name, extensions in _EXTENSIONS.items() for extension in extensions.split()
}
