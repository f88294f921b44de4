"""What is left of a picture when it is turned, cropped or recoloured. In: Decoded. Out: Landmarks. Next: landmark_votes.py.

Local features (ORB) of a small grey picture whose contrast was evened out, so that plain parts have some, too. Each is
described as it is and as the mirror image shows it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tellapart.data.describing import RADIUS, describe, mirrored
from tellapart.data.thumbnails import SIDE as SMALL

Bytes = NDArray[np.uint8]

SIDE = 160  # pixels, the longer side of the picture in which they are looked for
RELIEF = 64  # pixels, the longer side of what is kept of it
BITS = 256  # of a description
MOST = 150  # landmarks of a picture

_STEP, _LEVELS = 1.25, 6  # sizes in which landmarks are looked for
_SCALES = np.float32(_STEP) ** np.arange(_LEVELS, dtype=np.float32)
_FAST = 20  # grey levels by which a corner differs from its surroundings; once evened, every picture has plenty
_EVENED_OVER = 13  # pixels, twice
_LEAST_CONTRAST = 4.0  # squared grey levels, added to the variance: noise is not blown up to detail
_HEADER = struct.Struct("<4B")  # landmarks, height and width of the relief, width of the picture

cv2.setNumThreads(1)  # the threads are ours: a picture each


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Landmarks:
    """K landmarks of one picture; none where it is too plain."""

    points: Bytes  # [K, 2] x and y in pixels, in 0..SIDE - 1
    angles: Bytes  # [K] 256ths of a turn
    descriptors: Bytes  # [K, 32] 256 bits each
    relief: Bytes  # [H, W] the evened picture, longer side RELIEF
    thumbnail: Bytes  # [32, 32] grey, not evened, as the audit compares it
    width: int  # pixels at SIDE

    @property
    def mirrored(self) -> Bytes:
        """Descriptions [K, 32] in the mirror image, whose points have x = width - 1 - x."""
        return mirrored(self.descriptors)


def no_landmarks() -> Landmarks:
    """Those of a picture that cannot be compared."""
    none = np.zeros((0, 32), dtype=np.uint8)
    return Landmarks(
        points=none[:, :2],
        angles=none[:, 0],
        descriptors=none,
        relief=none[:, :0],
        thumbnail=np.zeros((SMALL, SMALL), dtype=np.uint8),
        width=0,
    )


def find_landmarks(picture: Image.Image, thumbnail: Bytes | None = None) -> Landmarks:
    """Landmarks of an upright RGB or grey picture, of any size; `thumbnail` [32, 32] where somebody has made it.

    Source: Rublee et al. 2011, ORB. The same picture gives the same landmarks.
    """
    grey = picture if picture.mode == "L" else picture.convert("L")
    evened = _even(np.asarray(grey))
    detector = cv2.ORB.create(MOST, _STEP, _LEVELS, edgeThreshold=RADIUS, patchSize=2 * RADIUS + 1, fastThreshold=_FAST)
    corners = detector.detect(evened)
    if not corners:
        return no_landmarks()
    points = np.asarray(cv2.KeyPoint.convert(corners), dtype=np.float32)
    angles = np.rint(np.array([corner.angle for corner in corners]) * (256 / 360)).astype(np.uint16).astype(np.uint8)
    level = np.array([corner.octave for corner in corners], dtype=np.int32)
    places = np.rint(points / _SCALES[level, None]).astype(np.int32)
    return Landmarks(
        points=np.rint(points).astype(np.uint8),
        angles=angles,
        descriptors=describe(_levels(evened), level, places, angles),
        relief=_relief(evened),
        thumbnail=_thumbnail(grey) if thumbnail is None else thumbnail,
        width=evened.shape[1],
    )


def pack(landmarks: Landmarks) -> bytes:
    """The same as bytes, about 10 kB."""
    height, width = landmarks.relief.shape
    head = _HEADER.pack(len(landmarks.points), height, width, landmarks.width)
    parts = (landmarks.points, landmarks.angles, landmarks.descriptors, landmarks.relief, landmarks.thumbnail)
    return head + b"".join(part.tobytes() for part in parts)


def unpack(data: bytes) -> Landmarks | None:
    """What was packed; None where the bytes are something else."""
    if len(data) < _HEADER.size:
        return None
    number, height, width, side = _HEADER.unpack_from(data)
    shapes = ((number, 2), (number,), (number, BITS // 8), (height, width), (SMALL, SMALL))
    sizes = [int(np.prod(shape)) for shape in shapes]
    if len(data) != _HEADER.size + sum(sizes):
        return None
    ends = _HEADER.size + np.cumsum(sizes)
    points, angles, descriptors, relief, thumbnail = (
        np.frombuffer(data, dtype=np.uint8, count=size, offset=int(end) - size).reshape(shape)
        for shape, size, end in zip(shapes, sizes, ends, strict=True)
    )
    return Landmarks(
        points=points,
        angles=angles,
        descriptors=descriptors,
        relief=relief,
        thumbnail=thumbnail,
        width=side,
    )


def _even(grey: Bytes) -> Bytes:
    """The grey picture at SIDE, every part brought to one mean and one contrast; specks are removed first."""
    scale = SIDE / max(grey.shape)
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    small = cv2.medianBlur(grey, 3)
    while max(small.shape) >= 2 * SIDE:  # by halves, as that is four times as quick as to any other size
        small = cv2.resize(small, (small.shape[1] // 2, small.shape[0] // 2), interpolation=cv2.INTER_AREA)
    small = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
    smooth = cv2.GaussianBlur(small, (0, 0), 0.7).astype(np.float32)
    detail = smooth - _mean(smooth)
    spread = cv2.sqrt(_mean(detail * detail) + _LEAST_CONTRAST)
    return np.asarray(cv2.convertScaleAbs(np.maximum(detail * (50.0 / spread) + 128.0, 0.0)), dtype=np.uint8)


def _levels(evened: Bytes) -> list[Bytes]:
    """The picture in the sizes in which landmarks are looked for, as the detector has them."""
    sizes = [(round(evened.shape[1] / scale), round(evened.shape[0] / scale)) for scale in _SCALES[1:].tolist()]
    return [evened, *(np.asarray(cv2.resize(evened, size), dtype=np.uint8) for size in sizes)]


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    over = (_EVENED_OVER, _EVENED_OVER)
    return np.asarray(cv2.blur(cv2.blur(values, over), over), dtype=np.float32)


def _thumbnail(grey: Image.Image) -> Bytes:
    return np.asarray(grey.resize((SMALL, SMALL), Image.Resampling.BILINEAR, reducing_gap=3.0))


def _relief(evened: Bytes) -> Bytes:
    scale = RELIEF / SIDE
    size = (max(1, round(evened.shape[1] * scale)), max(1, round(evened.shape[0] * scale)))
    return np.asarray(cv2.resize(evened, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
