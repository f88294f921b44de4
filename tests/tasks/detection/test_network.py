"""Maps become scores and boxes at every place. In: a tiny backbone. Out: shapes, places, refusals. Next: test_assignment.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from tellapart.errors import BackboneError
from tellapart.models.freezing import freeze
from tellapart.models.staged import StagedNetwork
from tellapart.tasks.detection.levels import find_levels
from tellapart.tasks.detection.network import Detector, boxes_at, places

Make = Callable[..., StagedNetwork]
SIZE, PLACES, CLASSES = 64, 64 + 16 + 4, 3


def pictures(count: int = 2) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return torch.randint(0, 256, (count, SIZE, SIZE, 3), generator=generator).to(torch.uint8)


def detector(body: StagedNetwork) -> Detector:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Detector(body, class_count=CLASSES, size=SIZE, channels=16)


def test_every_place_has_scores_and_a_box(make_body: Make) -> None:
    found = detector(make_body()).eval()(pictures())
    assert found.scores.shape == (2, PLACES, CLASSES)
    assert found.boxes.shape == (2, PLACES, 4)
    assert bool((found.boxes[..., 2:] > found.boxes[..., :2]).all())


def test_places_are_the_middles_of_all_levels_row_by_row() -> None:
    found = places(SIZE).tolist()
    assert len(found) == PLACES
    assert found[:2] == [[4, 4, 8], [12, 4, 8]]
    assert found[8] == [4, 12, 8]
    assert found[64] == [8, 8, 16]
    assert found[80:] == [[16, 16, 32], [48, 16, 32], [16, 48, 32], [48, 48, 32]]


def test_boxes_are_distances_in_strides_from_the_place() -> None:
    found = boxes_at(torch.tensor([[4.0, 12.0, 8.0]]), torch.tensor([[[0.5, 1.0, 2.0, 3.0]]]))
    assert found.tolist() == [[[0.0, 4.0, 20.0, 36.0]]]


def test_with_frozen_batch_norms_a_picture_learns_for_itself(make_body: Make) -> None:
    network, both = detector(make_body()), pictures()

    def alone_differs() -> bool:
        together, alone = network(both).scores[:1], network(both[:1]).scores
        return not torch.allclose(together, alone, atol=1e-4)

    before = {name: value.clone() for name, value in network.named_buffers()}
    assert network.eval().train() is network
    assert alone_differs()
    network.load_state_dict(
        {**network.state_dict(), **{name: before[name] for name in before if "norm" in name}}, strict=False
    )
    network.batch_norm_frozen = True
    network.train()
    assert network.training
    assert not alone_differs()


def test_a_place_answers_for_its_own_part_of_the_picture(make_body: Make) -> None:
    network = detector(make_body()).eval()
    one = pictures(1)
    other = one.clone()
    other[0, :8, :8] = 255 - other[0, :8, :8]
    changed = (network(one).scores - network(other).scores).abs().amax(2)[0, :64].view(8, 8)
    # Not the far corner's finest place, but what the coarser levels tell it, which is next to nothing here.
    assert changed[0, 0] > 10 * changed[7, 7]


def test_at_first_every_class_is_rare_and_boxes_have_eight_strides(make_body: Make) -> None:
    found = detector(make_body()).eval()(pictures())
    assert found.scores.sigmoid().mean().item() == pytest.approx(0.01, rel=0.3)
    sides = (found.boxes[..., 2:] - found.boxes[..., :2]) / places(SIZE)[:, 2:]
    assert sides.mean().item() == pytest.approx(8, rel=0.1)


def test_levels_are_the_last_stages_at_their_strides(make_body: Make) -> None:
    found = find_levels(make_body((2, 2, 2, 1, 2, 1, 2, 1)), SIZE)
    assert [(level.stage, level.stride, level.channels) for level in found] == [(3, 8, 14), (5, 16, 18), (7, 32, 22)]


@pytest.mark.parametrize(
    ("strides", "told"), [((2, 2, 2), "2, 4, 8"), ((2, 2, 4, 2), "2, 4, 16, 32"), ((64,), "64"), ((5, 2), "none")]
)
def test_a_backbone_without_such_maps_is_refused(make_body: Make, strides: tuple[int, ...], told: str) -> None:
    with pytest.raises(
        BackboneError,
        match=rf"^the backbone gives maps at strides of {told} pixels; detection needs them at 8, 16, 32\. "
        "Choose a convolutional one",
    ):
        detector(make_body(strides))


def test_a_side_that_the_strides_do_not_divide_is_refused(make_body: Make) -> None:
    with pytest.raises(ValueError, match="^pictures of 72 pixels; the side must be a multiple of 32$"):
        Detector(make_body(), class_count=1, size=72)


def test_a_transformer_that_keeps_channels_last_says_the_same(make_body: Make) -> None:
    first, last = (detector(make_body(channels_last=turned)) for turned in (False, True))
    names = dict(zip(last.state_dict(), first.state_dict().values(), strict=True))
    last.load_state_dict(names)
    one, other = first.eval()(pictures()), last.eval()(pictures())
    torch.testing.assert_close(one.scores, other.scores)
    torch.testing.assert_close(one.boxes, other.boxes)


def test_what_frozen_stages_gave_can_be_handed_in(make_body: Make) -> None:
    network = detector(make_body()).eval()
    lower = network.body.run_stages(pictures(), 0, 2)
    whole, rest = network(pictures()), network(lower, start=2)
    torch.testing.assert_close(whole.scores, rest.scores)
    torch.testing.assert_close(whole.boxes, rest.boxes)
    with pytest.raises(ValueError, match="^the input is of stage 4; the pyramid needs that of stage 3$"):
        network(lower, start=5)


def test_the_backbones_statistics_stay_and_the_heads_are_learned(make_body: Make) -> None:
    network = detector(make_body())
    freeze(network.body, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network.train()(pictures())
    moved = {name for name, value in network.state_dict().items() if not value.equal(before[name])}
    assert moved
    assert not any(name.startswith("body.") for name in moved)
    assert all("running" in name or "num_batches" in name for name in moved)


def test_the_head_is_all_but_the_backbone(make_body: Make) -> None:
    network = detector(make_body())
    head, body = dict(network.head_parameters()), dict(network.body.named_parameters())
    assert len(head) + len(body) == len(list(network.parameters()))
    assert "score.weight" in head
    assert all(value.requires_grad for value in head.values())


def test_layer_groups_are_the_stages_that_train_and_the_head(make_body: Make) -> None:
    network = detector(make_body())
    freeze(network.body, 2)
    groups = network.layer_groups()
    stages = [{name for name, _ in group} for group in groups[:-1]]
    first = len(network.body.stages) - 2
    assert stages == [{f"body.trunk.{name}" for name, _ in network.body.stage_parameters(first + n)} for n in (0, 1)]
    assert groups[-1] == network.head_parameters()
    state = network.state_dict()
    assert all(value.data_ptr() == state[name].data_ptr() for group in groups for name, value in group)
    trained = [id(value) for value in network.parameters() if value.requires_grad]
    assert sorted(id(value) for group in groups for _, value in group) == sorted(trained)


def test_layer_groups_of_a_frozen_backbone_are_the_head_alone(make_body: Make) -> None:
    network = detector(make_body())
    freeze(network.body, 0)
    network.body.classifier.requires_grad_(False)
    assert network.layer_groups() == [network.head_parameters()]
