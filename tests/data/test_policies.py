"""Operations drawn from a list. In: torchvision's own tables. Out: the same operations, as strong and as often."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from tellapart.data.policies import OPERATIONS, PIXEL_OPERATIONS, Policy, draw_policy
from tellapart.data.transforms import Geometry

# ours -> torchvision's
NAMES = {
    "identity": "Identity",
    "shear_x": "ShearX",
    "shear_y": "ShearY",
    "shift_x": "TranslateX",
    "shift_y": "TranslateY",
    "rotate": "Rotate",
    "brightness": "Brightness",
    "colour": "Color",
    "contrast": "Contrast",
    "sharpness": "Sharpness",
    "posterize": "Posterize",
    "solarize": "Solarize",
    "autocontrast": "AutoContrast",
    "equalize": "Equalize",
}
SPACES: Mapping[Policy, Any] = {
    "trivial": v2.TrivialAugmentWide._AUGMENTATION_SPACE,
    "randaugment": v2.RandAugment._AUGMENTATION_SPACE,
}


@pytest.mark.parametrize("policy", SPACES)
def test_the_operations_are_torchvisions(policy: Policy) -> None:
    assert tuple(NAMES) == OPERATIONS
    assert set(NAMES.values()) == set(SPACES[policy])


@pytest.mark.parametrize("policy", SPACES)
@pytest.mark.parametrize("strength", [0, 9, 17, 30])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_strengths_are_torchvisions(policy: Policy, strength: int, operation: str) -> None:
    magnitudes, signed = SPACES[policy][NAMES[operation]]
    table = magnitudes(31, 224, 224)
    expected = 0.0 if table is None else float(table[strength if policy == "trivial" else 9])
    draw = (OPERATIONS.index(operation) + 0.5) / len(OPERATIONS)
    for sign, third in ((1, 0.2), (-1, 0.7)):
        draws = iter([draw, (strength + 0.5) / 31, third] + [0.0] * 3)  # a second operation is identity
        geometry, operations = draw_policy(policy, Geometry(), draws)
        wanted = sign * expected if signed else expected
        found = _strength(operation, geometry, operations)
        if operation not in ("identity", "autocontrast", "equalize"):
            assert found == pytest.approx(wanted, abs=1e-5)


def _strength(operation: str, geometry: Geometry, operations: list[tuple[str, float]]) -> float:
    a, b, c, _ = geometry.matrix
    measured: dict[str, float] = {
        "shear_x": b,
        "shear_y": c,
        "shift_x": geometry.shift[0] * 224,
        "shift_y": geometry.shift[1] * 224,
        "rotate": float(np.degrees(np.arctan2(c, a))),
    }
    if operation in measured:
        assert operations == []
        return measured[operation]
    if operation == "identity":
        assert (geometry, operations) == (Geometry(), [])
        return 0.0
    assert geometry == Geometry()
    assert [name for name, _ in operations] == [operation]
    return operations[0][1]


def test_pixel_operations_are_torchvisions() -> None:
    small = np.random.default_rng(0).integers(30, 220, (6, 6, 3), dtype=np.uint8)
    image: Any = Image.fromarray(small).resize((32, 32), Image.Resampling.BICUBIC)
    expected: dict[str, tuple[float, Callable[[], Any]]] = {
        "brightness": (-0.4, lambda: functional.adjust_brightness(image, 0.6)),
        "colour": (0.9, lambda: functional.adjust_saturation(image, 1.9)),
        "contrast": (-0.9, lambda: functional.adjust_contrast(image, 0.1)),
        "sharpness": (0.9, lambda: functional.adjust_sharpness(image, 1.9)),
        "posterize": (3.0, lambda: functional.posterize(image, 3)),
        "solarize": (0.5, lambda: functional.solarize(image, 127.5)),
        "autocontrast": (0.0, lambda: functional.autocontrast(image)),
        "equalize": (0.0, lambda: functional.equalize(image)),
    }
    assert set(expected) == set(PIXEL_OPERATIONS)
    for name, (strength, reference) in expected.items():
        found = np.asarray(PIXEL_OPERATIONS[name](image, strength)).astype(int)
        np.testing.assert_allclose(found, np.asarray(reference()).astype(int), atol=1, err_msg=name)
        assert (found != np.asarray(image)).any(), name


@pytest.mark.parametrize(("policy", "count"), [("none", 0), ("trivial", 1), ("randaugment", 2)])
def test_operations_are_drawn_evenly(policy: Policy, count: int) -> None:
    random = np.random.default_rng(0)
    drawn: Counter[str] = Counter()
    for _ in range(2800):
        draws = random.random(6).tolist()
        _, operations = draw_policy(policy, Geometry(), iter(draws))
        assert len(operations) <= count
        drawn.update(name for name, _ in operations)
    # 200 a name and operation are expected; five standard deviations are 68.
    assert all(abs(drawn[name] - 200 * count) <= 68 * count for name in PIXEL_OPERATIONS)


def test_two_operations_on_the_shape_are_joined_in_their_order() -> None:
    def draw(*names: str) -> Geometry:
        draws = [value for name in names for value in ((OPERATIONS.index(name) + 0.5) / len(OPERATIONS), 0.5, 0.0)]
        return draw_policy("randaugment", Geometry(shift=(0.1, 0.0)), iter(draws))[0]

    first, second = np.array(draw("rotate", "identity").matrix), np.array(draw("shear_x", "identity").matrix)
    joined = np.array(draw("rotate", "shear_x").matrix)
    np.testing.assert_allclose(joined.reshape(2, 2), second.reshape(2, 2) @ first.reshape(2, 2))
    assert draw("shift_x", "shift_y").shift == pytest.approx((0.1 + 0.3 * 150 / 331, 0.3 * 150 / 331))
