"""A network is looked at in parts that fit into memory. In: a network that counts. Out: its answers, the parts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tellapart.errors import TrainingError
from tellapart.training.devices import Devices
from tellapart.training.inference import Inference


class Narrow(nn.Module):
    """Doubles what it is shown, and has room for so much of it at a time."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.seen, self.starts = room, list[int](), set[int]()

    def forward(self, inputs: Tensor, start: int) -> Tensor:
        self.seen.append(len(inputs))
        self.starts.add(start)
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        assert torch.is_inference_mode_enabled()
        return 2 * inputs


@pytest.mark.parametrize(("room", "first"), [(99, [7, 3]), (7, [7, 3]), (3, [7, 3, 3, 3, 1])])
def test_answers_are_those_of_the_whole(room: int, first: list[int]) -> None:
    network, inference = Narrow(room), Inference(Devices(threads=1), start=4, chunk=7)
    inputs = torch.arange(20, dtype=torch.float16).view(10, 2)
    for _ in range(2):
        answers = inference.logits(network, inputs)
        assert answers.dtype == torch.float32
        torch.testing.assert_close(answers, 2 * inputs.float())
    assert network.seen[: len(first)] == first
    assert network.seen.count(7) == (2 if room >= 7 else 1)  # what memory allows is found out once
    assert network.starts == {4}


def test_a_small_batch_is_halved_from_its_own_size() -> None:
    network, inference = Narrow(1), Inference(Devices(threads=1), chunk=64)
    inference.logits(network, torch.zeros(5, 2))
    assert network.seen == [5, 2, 1, 1, 1, 1, 1]


def test_room_for_none_is_refused() -> None:
    with pytest.raises(TrainingError, match="memory does not suffice to validate 1 picture at a time"):
        Inference(Devices(threads=1)).logits(Narrow(0), torch.zeros(5, 2))


def test_other_errors_pass() -> None:
    with pytest.raises(TypeError):
        Inference(Devices(threads=1)).logits(nn.Identity(), torch.zeros(5, 2))
