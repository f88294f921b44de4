"""Batches are mixed. In: pictures of one value each. Out: shares that pictures and targets agree on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tellapart.data.batch import Batch
from tellapart.data.mixing import mix, mix_batch


def batch(count: int = 4, side: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    """Picture i is i all over, and of class i."""
    values = torch.arange(count)
    return values.float().view(-1, 1, 1, 1).expand(count, 3, side, side).contiguous(), values


def test_mixup_weighs_each_picture_and_target_with_the_one_before() -> None:
    images, targets = batch()
    before = images.clone()
    mixed, soft = mix(images, targets, mixup=1, cutmix=0, class_count=5, seed=(1, 2))
    share = float(soft[0, 0])
    assert 0 < share < 1
    expected = torch.tensor([0 * share + 3 * (1 - share), *(i * share + (i - 1) * (1 - share) for i in (1, 2, 3))])
    torch.testing.assert_close(mixed, expected.view(4, 1, 1, 1).expand(4, 3, 16, 16))
    by_hand = share * torch.eye(5)[:4] + (1 - share) * torch.eye(5)[[3, 0, 1, 2]]
    torch.testing.assert_close(soft, by_hand)
    torch.testing.assert_close(images, before)


def test_cutmix_pastes_one_box_and_the_targets_are_its_share() -> None:
    images, targets = batch()
    for number in range(30):
        mixed, soft = mix(images, targets, mixup=0, cutmix=1, class_count=4, seed=(number,))
        assert set(mixed[1].unique().tolist()) <= {0.0, 1.0}
        assert float((mixed[1, 0] == 1).float().mean()) == pytest.approx(float(soft[1, 1]))
        rows, columns = np.nonzero(mixed[1, 0].numpy() == 0)
        if len(rows):
            assert len(rows) == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert soft.sum(dim=1).tolist() == pytest.approx([1, 1, 1, 1])


def test_with_both_on_each_batch_gets_one_of_them() -> None:
    images, targets = batch()
    pasted = [
        set(mix(images, targets, mixup=1, cutmix=1, class_count=4, seed=(n,))[0][1].unique().tolist()) <= {0.0, 1.0}
        for n in range(200)
    ]
    assert 70 < sum(pasted) < 130


@pytest.mark.parametrize("alpha", [0.01, 0.2, 2.0])
def test_shares_follow_the_beta_distribution(alpha: float) -> None:
    images, targets = batch(2, 1)
    shares = [
        float(mix(images, targets, mixup=alpha, cutmix=0, class_count=2, seed=(n,))[1][0, 0]) for n in range(1000)
    ]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.06)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.03)


def test_off_gives_the_same_pictures_and_whole_targets() -> None:
    images, targets = batch()
    mixed, soft = mix(images, targets, mixup=0, cutmix=0, class_count=6, seed=(0,))
    assert mixed is images
    assert soft.dtype == torch.float32
    assert soft.tolist() == torch.eye(6)[:4].tolist()


def test_mixing_is_a_function_of_its_seed_and_leaves_the_random_state() -> None:
    images, targets = batch()
    state = torch.get_rng_state()
    first = mix(images, targets, mixup=0.4, cutmix=0.4, class_count=4, seed=(5, 1))
    torch.rand(3)
    second = mix(images, targets, mixup=0.4, cutmix=0.4, class_count=4, seed=(5, 1))
    other = mix(images, targets, mixup=0.4, cutmix=0.4, class_count=4, seed=(5, 2))
    torch.set_rng_state(state)
    mix(images, targets, mixup=0.4, cutmix=0.4, class_count=4, seed=(5, 1))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])
    assert not torch.equal(first[1], other[1])


def test_activations_in_half_precision_are_mixed() -> None:
    images, targets = torch.rand(4, 24, 7, 7).half(), torch.tensor([0, 1, 1, 0])
    for mixup, cutmix in ((1.0, 0.0), (0.0, 1.0)):
        mixed, soft = mix(images, targets, mixup=mixup, cutmix=cutmix, class_count=2, seed=(3,))
        assert (mixed.dtype, mixed.shape) == (torch.float16, images.shape)
        assert (soft.dtype, soft.shape) == (torch.float32, (4, 2))


def test_whole_numbers_are_refused() -> None:
    images, targets = batch()
    with pytest.raises(ValueError, match=r"only floating-point pictures can be mixed, got torch.uint8"):
        mix(images.to(torch.uint8), targets, mixup=1, cutmix=0, class_count=4, seed=(0,))


NAN = float("nan")
SEVERAL = torch.tensor(
    [[1.0, 1.0, 0.0], [0.0, NAN, 1.0], [0.0, 0.0, 0.0], [1.0, NAN, NAN]]
)  # several classes a picture


def test_sets_of_classes_are_mixed_as_pictures_are_and_what_is_not_known_stays_so() -> None:
    images, _ = batch()
    mixed, soft = mix(images, SEVERAL, mixup=1, cutmix=0, class_count=3, seed=(1, 2))
    share = (float(mixed[1, 0, 0, 0]) - 0) / 1  # picture 1 is 1 all over, the one before it 0
    assert 0 < share < 1
    expected = [
        [1.0, NAN, NAN],  # with picture 3, of which two classes are not known
        [1 - share, NAN, share],
        [0.0, NAN, 1 - share],
        [share, NAN, NAN],
    ]
    torch.testing.assert_close(soft, torch.tensor(expected), equal_nan=True)
    assert soft.dtype == torch.float32


def test_a_share_of_nothing_hides_nothing() -> None:
    images, _ = batch(4, 1)
    for settings in ({"mixup": 0, "cutmix": 1}, {"mixup": 0, "cutmix": 0}):  # of one pixel cutmix pastes nothing
        mixed, soft = mix(images, SEVERAL, **settings, class_count=3, seed=(0,))
        assert torch.equal(mixed, images)
        torch.testing.assert_close(soft, SEVERAL, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize(
    "targets",
    [torch.zeros(4, 8, 8), torch.zeros(4, 2), torch.zeros(3, dtype=torch.int64), torch.zeros(4, 3, dtype=torch.int64)],
)
def test_targets_of_another_kind_are_refused(targets: torch.Tensor) -> None:
    images, _ = batch()
    with pytest.raises(ValueError, match=r"mixing 4 pictures of 3 classes takes int64 \[4\] or float \[4, 3\]"):
        mix(images, targets, mixup=1, cutmix=0, class_count=3, seed=(0,))


def test_a_batch_keeps_its_shape_and_its_rows() -> None:
    images, targets = batch()
    pictures = images.permute(0, 2, 3, 1).to(torch.uint8)  # [B, S, S, 3]
    for inputs, chosen in ((pictures, images), (images.half(), images), (images[:, 0].half(), images[:, :1])):
        whole = Batch(inputs=inputs, targets=targets, rows=targets + 7)
        mixed = mix_batch(whole, mixup=1, cutmix=0, class_count=4, seed=(3,))
        expected, soft = mix(chosen, targets, mixup=1, cutmix=0, class_count=4, seed=(3,))
        assert (mixed.inputs.dtype, mixed.inputs.shape) == (torch.float32, inputs.shape)
        moved = mixed.inputs.permute(0, 3, 1, 2) if inputs is pictures else mixed.inputs
        torch.testing.assert_close(moved, expected.view(moved.shape), rtol=0, atol=0)
        assert torch.equal(mixed.targets, soft)
        assert mixed.rows.tolist() == [7, 8, 9, 10]


def test_tokens_of_a_transformer_are_mixed_up_like_pictures() -> None:
    tokens, targets = torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0])
    settings = {"mixup": 1.0, "cutmix": 0.0, "class_count": 3, "seed": (1, 2)}
    mixed, soft = mix(tokens, targets, **settings)
    pictures, same = mix(tokens[:, None], targets, **settings)
    assert torch.equal(mixed, pictures[:, 0])
    assert torch.equal(soft, same)
