"""Views of a picture that mean the same. In: a name, or maps of all views. Out: views, or one map. Next: tracing.py.

Averaging what a network says of them is test-time augmentation (Krizhevsky et al. 2012, section 4.1, average over five crops
and their mirror images). Needs no torch: what explains a model.onnx turns its maps back with the same table.
Shapes: V views, N pictures, C H W channels, height and width of a map, S side of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError

TestTimeAugmentation = Literal["none", "flip", "dihedral"]

# Quarter turns anticlockwise, then whether left and right are exchanged. The picture itself always comes first.
VIEWS: Mapping[TestTimeAugmentation, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flip": ((0, False), (0, True)),
    "dihedral": tuple(
        (turns, mirrored) for turns in range(4) for mirrored in (False, True)
    ),  # the square's 8 symmetries
}


def mean_of_views(maps: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Maps of `count` pictures, view by view [V N, C, H, W], each turned back to its picture's, and their mean [N, C, H, W].

    Raises: ModelFileError when no table has so many views.
    """
    number = len(maps) // max(1, count)
    found = next((views for views in VIEWS.values() if len(views) == number), None)
    if found is None or len(maps) != number * count:
        raise ModelFileError(f"the network gives {len(maps)} maps for {count} pictures. Explain it by occlusion.")
    back = np.zeros((count, *maps.shape[1:]), dtype=np.float32)
    for (turns, mirrored), view in zip(found, maps.reshape(number, count, *maps.shape[1:]), strict=True):
        back += np.rot90(view[..., ::-1] if mirrored else view, -turns, axes=(2, 3))
    back /= np.float32(number)
    return back
