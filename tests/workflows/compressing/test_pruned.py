"""A run is pruned: smaller, as good, opened again, gone on with. In: a small run. Out: another. Next: test_distilled.py."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tellapart.compression.costs import multiply_adds
from tellapart.compression.pruning import PruningStep
from tellapart.compression.sensitivity import Cut
from tellapart.errors import SettingsError, StorageError
from tellapart.manifest import CompressionStep
from tellapart.reporter import Silent
from tellapart.runs.finished import open_finished
from tellapart.workflows.compress import compress
from tellapart.workflows.compressing import pruned as pruned_steps
from tellapart.workflows.compressing.compressible import open_compressible
from tellapart.workflows.compressing.opened import open_network
from tellapart.workflows.compressing.pruned import PruneTerms, to_pruned, told_of
from tellapart.workflows.compressing.taught import gather_pupils


@pytest.fixture(scope="module")
def pruned(small_run: Path) -> Any:
    return compress(small_run, reporter=Silent(), prune=0.3, epochs=3)


def test_it_has_fewer_multiply_adds_and_weights_and_is_nearly_as_good(small_run: Path, pruned: Any) -> None:
    assert pruned.run.name == f"{small_run.name}-pruned"
    assert pruned.after.macs < 0.72 * pruned.before.macs
    assert pruned.after.megabytes < pruned.before.megabytes
    assert pruned.after.score.value > pruned.before.score.value - 0.15
    (step,) = pruned.steps
    assert step.kind == "pruned"
    assert step.facts["saved"] >= 0.3
    assert step.facts["last"] == {"epochs": 3, "mixed": 1.0}
    assert "of the multiply-adds left out in" in step.told
    assert not list(pruned.run.parent.glob(".*unfinished*"))


def test_what_came_of_it_is_told_in_a_sentence() -> None:
    cuts = tuple(Cut(kind="channels", path=path, keep=8, of=16, saved=10, harm=0.1) for path in ("a", "b"))
    step = PruningStep(number=1, cuts=cuts, multiply_adds=80, saved=0.2, harm=0.1)
    start = "20.0 % of the multiply-adds left out in 1 step, 0 blocks and channels of 2 layers; "
    assert told_of([step], 0.2, taught=True, heard=True) == (
        start + "what it says and its embedding learned from the network that it was"
    )
    assert told_of([step], 0.2, taught=True, heard=False) == start + "what it says learned from the network that it was"
    assert told_of([step], 0.2, taught=False, heard=True) == (
        start + "what is left was fitted to the network that it was, and training brought it no nearer"
    )


def test_the_network_is_built_again_for_what_needs_it_in_torch(pruned: Any) -> None:
    run = open_finished(pruned.run)
    network = run.network  # checked against model.onnx by its logits
    sample = torch.zeros(1, 16, 16, 3, dtype=torch.uint8)
    # Activations and the classifier aside the file counts what torch counts.
    assert sum(multiply_adds(network, sample).values()) == pytest.approx(pruned.after.macs, rel=0.02)
    with torch.inference_mode():
        assert network(sample).shape == (1, 2)


def test_a_pruned_run_can_be_pruned_again(pruned: Any, tmp_path: Path) -> None:
    again = compress(pruned.run, reporter=Silent(), prune=0.1, epochs=1, out=tmp_path / "again")
    assert again.after.macs < 0.92 * pruned.after.macs
    assert open_finished(again.run).network is not None


def _bits(network: Any) -> str:
    whole = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        whole.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


def test_what_was_stopped_ends_in_the_same_bits(small_run: Path, tmp_path: Path) -> None:
    terms = PruneTerms(share=0.3, step=0.15, last_epochs=0)

    def prune(name: str, folder: Path, reporter: Silent) -> str:
        (tmp_path / name).mkdir()
        work = open_compressible(small_run, tmp_path / name, reporter)
        to_pruned(work, terms, folder)
        return _bits(work.run.network)

    whole = prune("whole", tmp_path / "kept", Silent())
    state = json.loads((tmp_path / "kept" / "pruning.json").read_text())
    steps = sorted((tmp_path / "kept").glob("weights-*.safetensors"))
    assert len(steps) >= 4
    # As a kill after the first cut leaves it, before the network has learned from it.
    for path in steps[1:]:
        path.unlink()
    (tmp_path / "kept" / "pruning.json").write_text(
        json.dumps({**state, "steps": state["steps"][:1], "learned": False})
    )
    assert prune("resumed", tmp_path / "kept", Silent()) == whole


def test_a_full_disk_is_told_and_the_next_command_goes_on(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terms = PruneTerms(share=0.2, step=0.15, step_epochs=0, last_epochs=0)

    def prune(name: str) -> str:
        (tmp_path / name).mkdir()
        work = open_compressible(small_run, tmp_path / name, Silent())
        to_pruned(work, terms, tmp_path / "kept")
        return _bits(work.run.network)

    def full(path: Path, data: bytes) -> None:
        raise StorageError(f"{path} cannot be written: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(pruned_steps, "write_bytes", full)
        with pytest.raises(StorageError, match="the disk is full"):
            prune("full")
    assert not list((tmp_path / "kept").glob("*"))
    after = prune("after")
    shutil.rmtree(tmp_path / "kept")
    assert after == prune("whole")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            {},
            r"nothing was asked for; a network is made smaller by --int8, --float16 or --prune, and better by --distill",
        ),
        ({"prune": 1.5}, r"--prune is 1.5; it is a share of the multiply-adds between 0 and 1. Try 0.3"),
        ({"int8": True, "epochs": 3}, r"--epochs is of --prune and --distill, and neither was asked for. Give one"),
        ({"int8": True, "unlabelled": ["x"]}, r"--unlabelled gives pictures for a teacher to judge, and there is none"),
    ],
)
def test_what_makes_no_sense_is_refused(small_run: Path, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        compress(small_run, reporter=Silent(), **asked)


def test_what_is_in_integers_is_refused(small_run: Path, tmp_path: Path) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    with pytest.raises(ValueError, match=r"in integers or halves cannot be trained; do that last"):
        open_network(replace(work, steps=(CompressionStep(kind="int8", told=""),)))


def test_pictures_that_are_mixed_and_several_processes_are_refused(
    small_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = open_compressible(small_run, tmp_path, Silent())
    mixing = work.run.settings.model_copy(
        update={"augment": work.run.settings.augment.model_copy(update={"mixup": 0.2})}
    )
    work.run.__dict__["settings"] = mixing
    with pytest.raises(
        SettingsError, match=r"the run mixes pictures \(augment.mixup, augment.cutmix\), of which a teacher's"
    ):
        gather_pupils(work, open_network(work))
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError, match=r"a network is pruned and taught by one process. Run the command without"):
        gather_pupils(work, open_network(work))
