"""Which operators become int8. In: graphs as LiteRT has them. Out: numbers of operators.

The detector's graph is the ending of ours as onnx2tf makes it, with fewer layers.
"""

from __future__ import annotations

from tellapart.export.formats.litert import Operator, float_outputs, network_part

# image 0, constants from 100 on
_NETWORK: list[Operator] = [
    ("CAST", [0], [1]),
    ("MUL", [1, 100], [2]),
    ("CONV_2D", [2, 101, 102], [3]),
    ("ADD", [3, 2], [4]),
    ("MEAN", [4, 103], [5]),
]
_CLASSIFIER: list[Operator] = [
    *_NETWORK,
    ("SUB", [5, 104], [6]),
    ("FULLY_CONNECTED", [6, 105, -1], [7]),  # of the novelty, without a bias
    ("FULLY_CONNECTED", [5, 106, 107], [8]),
    ("ADD", [8, 108], [9]),  # calibration
    ("SOFTMAX", [9], [10]),
]
_DETECTOR: list[Operator] = [
    *_NETWORK,
    ("RESIZE_NEAREST_NEIGHBOR", [4, 110], [6]),
    ("CONV_2D", [6, 111, 112], [7]),
    ("CONV_2D", [6, 113, 114], [8]),
    ("RESHAPE", [7, 115], [9]),
    ("RESHAPE", [8, 116], [10]),
    ("ADD", [9, 117], [11]),  # the places' middles
    ("CONCATENATION", [11, 10], [12]),  # boxes as shares and scores, side by side
    ("STRIDED_SLICE", [12, 118], [13]),
    ("STRIDED_SLICE", [12, 119], [14]),
    ("LOGISTIC", [14], [15]),
]


def names(operators: list[Operator], outputs: dict[str, int]) -> list[str]:
    """What is chosen, as name and first output."""
    return [f"{operators[number][0]} {operators[number][2][0]}" for number in network_part(operators, outputs)]


def test_a_classifier_is_int8_to_its_last_layer_and_its_novelty_is_not() -> None:
    outputs = {"probabilities": 10, "embedding": 5, "novelty": 7}
    assert names(_CLASSIFIER, outputs) == ["CONV_2D 3", "ADD 4", "MEAN 5", "FULLY_CONNECTED 8"]


def test_what_a_detector_makes_of_its_last_layers_stays_float() -> None:
    outputs = {"boxes": 13, "scores": 15, "embedding": 5}
    found = names(_DETECTOR, outputs)
    assert found == ["CONV_2D 3", "ADD 4", "RESIZE_NEAREST_NEIGHBOR 6", "CONV_2D 7", "CONV_2D 8"]
    assert not [name for name in found if name.startswith(("CONCATENATION", "RESHAPE", "MEAN"))]


def test_what_no_output_needs_is_left_alone() -> None:
    assert network_part(_DETECTOR, {"embedding": 5}) == [2]


def test_an_output_that_another_layer_reads_is_told_as_numbers_again() -> None:
    operators: list[Operator] = [
        ("FULLY_CONNECTED", [1, 2, 3], [4]),
        ("DEQUANTIZE", [4], [7]),  # the embedding, which the next layer reads in integers
        ("FULLY_CONNECTED", [4, 5, 6], [8]),
        ("DEQUANTIZE", [8], [9]),
        ("SOFTMAX", [9], [10]),
    ]
    assert float_outputs(operators, {"embedding": 4, "probabilities": 10}) == {"embedding": 7, "probabilities": 10}
