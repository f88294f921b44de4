"""A test of masks in words. In: figures of made masks. Out: lines."""

from __future__ import annotations

from tellapart.tasks.segmentation import telling
from tests.tasks.segmentation.made_masks import CLASSES
from tests.tasks.segmentation.test_scoring import measured


def test_a_person_is_told_the_figures_and_what_they_stand_beside() -> None:
    test = measured()
    metrics = {
        "test": test,
        "probe_test": {"iou": {"value": 0.5, "low": 0.4, "high": 0.6}, "dice": 0.55},
        "calibration": {"temperature": 1.25, "pixels": 12345},
    }
    lines = telling.summary(metrics)
    assert lines[0].startswith("Mean IoU on 8 test pictures with 18,192 pixels that count: ")
    assert "Borders within 2 pixels: F1 " in lines[2]
    assert "pixels (" in lines[2]
    assert lines[3].startswith("Telling 'background' everywhere would have IoU ")
    assert lines[4] == "The pixel probe has IoU 50.0 % (95 %: 40.0 % to 60.0 %), Dice 55.0 %."
    assert [line[:10].split()[0] for line in lines[-3:]] == [name.split()[0] for name in CLASSES]
    assert lines[-3].split()[-2:] == ["-", "-"]  # the background has no parts
    assert telling.decided(metrics) == "pixels    the most probable class; temperature 1.250 by 12,345 pixels"
    del metrics["calibration"]  # as of the mean of several networks
    assert telling.decided(metrics) == "pixels    the most probable class, of the mean of the networks"
    known = {"known": {"value": 0.9, "low": 0.8, "high": 1.0}}
    assert "not unknown" in telling.decided(metrics | {"abstention": known})
    scored = telling.scored(test)
    assert [line[:26].strip() for line in scored][:3] == ["pictures", "pixels", "IoU, mean of classes"]
    assert scored[-1].startswith("Hausdorff 95 %")


def test_what_is_not_defined_is_a_dash_and_many_classes_are_cut() -> None:
    test = measured() | {"boundary_f1": None, "hausdorff95": None}
    row = test["per_class"]["cell"]
    metrics = {"test": test | {"per_class": {f"c{at}": row | {"iou": None} for at in range(23)}}}
    lines = telling.summary(metrics)
    assert "F1 -. Hausdorff's distance of 95 %: -." in lines[2]
    assert lines[-1] == "... and 3 more classes, in metrics.json"
