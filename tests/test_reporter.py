"""How figures are called and shown. In: names, numbers. Out: words."""

from __future__ import annotations

import pytest

from tellapart.reporter import figure_name


@pytest.mark.parametrize(
    ("name", "called"),
    [
        ("accuracy", "Accuracy"),
        ("balanced_accuracy", "Balanced accuracy"),
        ("mean_average_precision", "Mean average precision"),
        ("micro_f1", "Micro f1"),
        ("ap50", "AP50"),
        ("ap", "AP"),
        ("f1", "F1"),
        ("auroc", "AUROC"),
    ],
)
def test_a_figure_begins_a_sentence(name: str, called: str) -> None:
    assert figure_name(name) == called
