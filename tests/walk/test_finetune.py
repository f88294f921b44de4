"""From a folder to a network that was trained on. In: digits. Out: runs whose parts agree, resumed exactly."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

import tellapart
from tellapart.bundle import read_manifest
from tellapart.errors import DataError, SettingsError, TrainingError
from tellapart.features.caching import open_cache
from tellapart.reporter import Silent
from tellapart.runs.embeddings import embed_run
from tellapart.runs.open import OpenRun
from tellapart.runs.run import resume_run
from tellapart.settings.reading import make_settings, read_recipe
from tellapart.tasks.detection.judging import _FIGURES
from tellapart.tasks.segmentation.agreement import figures_of
from tellapart.tasks.table import TASKS
from tellapart.training.probe import fit_probe

COMMAND = [sys.executable, "-m", "tellapart.cli.main"]
SHORT: dict[str, Any] = {
    "report": False,
    "network": {"test_time_augmentation": "dihedral", "size": 64},
    "finetune": {"unfreeze": "1", "views": 2},
    "augment": {"preset": "none", "rotation": 10.0},
    "loop": {"epochs": 2, "learning_rate": 1e-4},
}
WITHOUT_BATCH_NORM = "network.blocks=[{filters=8,batch_norm=false},{filters=16,batch_norm=false}]"
SCRATCH: dict[str, Any] = {
    "report": False,
    "network": {"size": 32, "channels": 1, "blocks": [{"filters": 8}, {"filters": 16}], "dense": [{"units": 16}]},
    "augment": {"preset": "none", "shift": 0.1},
    "loop": {"epochs": 3, "batch_size": 16, "average": 0.5},
}


@pytest.fixture(scope="module")
def tuned(trained_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("tuned")
    return tellapart.train(trained_run.pictures, out=out, strategy="finetune", device="cpu", settings=SHORT)


@pytest.fixture(scope="module")
def small(trained_run: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("small")
    return tellapart.train(trained_run.pictures, out=out, strategy="scratch", device="cpu", settings=SCRATCH)


def events(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("kind", ["tuned", "small"])
def test_the_run_is_complete_and_holds_no_scaffold(kind: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(kind).run
    names = {path.name for path in run.iterdir()}
    assert names == {
        ".tellapart",
        "model.onnx",
        "weights.safetensors",
        "recipe.toml",
        "examples.csv",
        "predictions.csv",
        "metrics.json",
        "audit.json",
        "log.jsonl",
        "tensorboard",
    }


@pytest.mark.parametrize(("kind", "strategy", "epochs"), [("tuned", "finetune", 2), ("small", "scratch", 3)])
def test_every_epoch_is_told(kind: str, strategy: str, epochs: int, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(kind)
    history = result.metrics["training"][strategy]["history"]
    logged = [event for event in events(result.run) if event["event"] == "epoch"]
    assert [row["number"] for row in history] == [row["number"] for row in logged] == list(range(1, epochs + 1))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    best = min(history, key=lambda row: row["validation_loss"])
    assert result.metrics["training"][strategy]["best_epoch"] == best["number"]
    assert read_manifest(result.model).strategy == result.strategy == strategy


@pytest.mark.parametrize("kind", ["tuned", "small"])
def test_the_model_file_answers_as_it_was_tested(kind: str, request: pytest.FixtureRequest) -> None:
    result = request.getfixturevalue(kind)
    lines = (result.run / "predictions.csv").read_text(encoding="utf-8").splitlines()
    paths = [line.split(",")[0] for line in lines[1:]]
    written = np.array([line.split(",")[-3:] for line in lines[1:]], dtype=np.float64)
    predictions = tellapart.load(result.model).predict(paths)
    np.testing.assert_allclose(predictions.probabilities, written, atol=1e-5)


def test_averaged_over_all_views_a_turned_picture_gets_the_same_answer(tuned: Any, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    paths = [tmp_path / f"{turns}.png" for turns in range(4)]
    for turns, path in enumerate(paths):
        Image.fromarray(np.rot90(images, turns)).save(path)
    found = tellapart.load(tuned.model).predict(paths).probabilities
    np.testing.assert_allclose(found[2:], found[:2], atol=1e-4)
    np.testing.assert_allclose(found[1], found[0], atol=0.01)  # resizing rounds rows and columns one after the other
    shown = subprocess.run([*COMMAND, "info", str(tuned.model)], capture_output=True, text=True, check=True).stdout
    assert re.search(r"^answer +the mean over eight turned and flipped views of the picture$", shown, re.MULTILINE)


def test_fine_tuning_starts_from_the_probe_and_moves_the_upper_stages_alone(tuned: Any, trained_run: Any) -> None:
    before = safetensors.numpy.load_file(trained_run.run / "weights.safetensors")
    after = safetensors.numpy.load_file(tuned.run / "weights.safetensors")
    assert before.keys() == after.keys()
    moved = {name for name in before if not np.array_equal(before[name], after[name])}
    assert moved
    assert all(name.startswith(("blocks.6", "conv_head", "bn2", "classifier")) for name in moved)
    # The classifier began as the last layer's probe, which is fitted here once more: it still points where that points.
    run = OpenRun(tuned.run)
    with open_cache() as cache:
        found = embed_run(run, cache, Silent())
    train = [row for row, one in enumerate(found.examples) if one.split == "train"]
    labels = np.array([run.classes.index(found.examples[row].target.text) for row in train])
    groups = [found.examples[row].group for row in train]
    probe = fit_probe(found.vectors[train], labels, groups=groups, class_count=3, seed=run.settings.seed)
    assert before["classifier.weight"].shape == (3, 784 + 1280), (
        "all stages, of which the head that trains has the last alone"
    )
    ours, theirs = after["classifier.weight"].ravel(), probe.weight.ravel()
    assert ours @ theirs > 0.9 * np.linalg.norm(ours) * np.linalg.norm(theirs)


@pytest.mark.long
def test_the_recipe_repeats_the_run_bit_for_bit(tuned: Any, tmp_path: Path) -> None:
    recipe = read_recipe(tuned.run / "recipe.toml")
    assert recipe["loop"]["epochs"] == 2
    assert recipe["loop"]["batch_size"] == 32  # chosen, and kept
    assert recipe["finetune"] == {"unfreeze": "1", "views": 2, "batch_norm": "frozen"}
    from tellapart.reporter import Silent
    from tellapart.workflows.train import train

    again = train(make_settings(recipe | {"out": str(tmp_path)}), reporter=Silent())
    for name in ("weights.safetensors", "predictions.csv"):
        assert (again.run / name).read_bytes() == (tuned.run / name).read_bytes()


def test_a_budget_too_short_for_one_epoch_keeps_the_probe_and_says_so(trained_run: Any, tmp_path: Path) -> None:
    settings = {key: value for key, value in SHORT.items() if key != "loop"}
    result = tellapart.train(
        trained_run.pictures, out=tmp_path, strategy="finetune", budget="9s", device="cpu", settings=settings
    )
    assert result.strategy == "probe"
    # On a busy machine nothing of the budget may be left for a look at an epoch.
    assert result.choice.startswith(
        ("Not fine-tuned: one epoch would take about", "Not fine-tuned: the budget was used up")
    )
    assert "Give a longer --budget" in result.choice


def test_auto_says_why_it_does_not_even_try(trained_run: Any, tmp_path: Path) -> None:
    result = tellapart.train(trained_run.pictures, out=tmp_path, budget="5s", device="cpu", report=False)
    assert result.strategy == "probe"
    # All is right on validation, or the time is too short; which of them depends on the digits.
    assert re.match(
        r"Not fine-tuned: (the classifier on the frozen network already gets every validation picture right\.$"
        r"|that takes at least \d+ s here, and \d+ s are left of the budget of 5s\. It may do better: try --budget \d+m\.$)",
        result.choice,
    )


def test_a_budget_too_short_for_training_from_scratch_is_refused(trained_run: Any, tmp_path: Path) -> None:
    settings = {"network": {"name": "resnet18", "size": 64}}
    with pytest.raises(SettingsError, match="--budget 2s is too short: one epoch would take about"):
        tellapart.train(
            trained_run.pictures, out=tmp_path, strategy="scratch", budget="2s", device="cpu", settings=settings
        )


@pytest.mark.parametrize(
    ("strategy", "settings", "words"),
    [
        ("finetune", {"finetune": {"unfreeze": "12"}}, "--unfreeze is '12'; this network has 7 stages."),
        ("scratch", {"network": {"name": "lenet6"}}, "lenet5"),
        ("scratch", {"network": {"name": "vgg11", "size": 16}}, "vgg11"),
    ],
)
def test_wrong_settings_are_told(
    strategy: Any, settings: dict[str, Any], words: str, trained_run: Any, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as caught:
        tellapart.train(trained_run.pictures, out=tmp_path, strategy=strategy, device="cpu", settings=settings)
    assert words in str(caught.value)
    assert list(tmp_path.iterdir()) == []  # nothing was learned, so nothing stays


def test_a_loss_that_is_no_number_stops_with_advice_and_keeps_the_checkpoints(trained_run: Any, tmp_path: Path) -> None:
    loop = {**SCRATCH["loop"], "optimizer": "sgd", "learning_rate": 10.0, "clip": 0, "epochs": 30}
    blocks = [{"filters": 8, "batch_norm": False}, {"filters": 16, "batch_norm": False}]
    settings = {**SCRATCH, "network": {**SCRATCH["network"], "blocks": blocks}, "loop": loop}
    with pytest.raises(TrainingError, match="the training loss is"):
        tellapart.train(trained_run.pictures, out=tmp_path, strategy="scratch", device="cpu", settings=settings)
    (run,) = tmp_path.iterdir()
    assert (run / "recipe.toml").exists()


@pytest.mark.long
def test_auto_keeps_the_probe_where_fine_tuning_fails(trained_run: Any, tmp_path: Path) -> None:
    # Three classes whose labels are drawn at random: the probe cannot get them all right, so fine-tuning is tried.
    mixed = tmp_path / "mixed"
    for number, path in enumerate(sorted(trained_run.pictures.rglob("*.png"))):
        (mixed / f"class {number % 3}").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, mixed / f"class {number % 3}" / f"{number}.png")
    settings = {
        **SHORT,
        "loop": {"epochs": 4, "optimizer": "sgd", "learning_rate": 10.0, "clip": 0, "warmup_epochs": 0.0},
    }
    result = tellapart.train(mixed, out=tmp_path / "runs", device="cpu", settings=settings)
    assert result.strategy == "probe"
    assert result.choice.startswith("Kept the classifier on the frozen network")
    assert result.model.exists()


@pytest.mark.long
def test_where_no_hub_is_reached_the_fallback_is_taken_and_said(trained_run: Any, tmp_path: Path) -> None:
    arguments = [
        "--strategy",
        "probe",
        "--backbone",
        "resnet18",
        "--out",
        str(tmp_path / "runs"),
        "--device",
        "cpu",
        "--no-report",
    ]
    direct = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = {**direct, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}

    def train(*more: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, "train", str(trained_run.pictures), *arguments, *more]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=environment)

    alone = train()
    assert alone.returncode == 2
    assert "the weights of resnet18 cannot be downloaded" in alone.stderr
    fallen = train("--set", "fallback_backbone=tf_efficientnet_lite0", "--json")
    assert fallen.returncode == 0, fallen.stderr
    assert "Going on with tf_efficientnet_lite0, the recipe's fallback_backbone." in fallen.stderr
    assert read_manifest(Path(json.loads(fallen.stdout)["model"])).backbone.name == "tf_efficientnet_lite0"


def test_a_pretrained_network_takes_another_size_and_crop(trained_run: Any, tmp_path: Path) -> None:
    settings = {"report": False, "network": {"size": 96, "crop": 1.0}}
    result = tellapart.train(trained_run.pictures, out=tmp_path, strategy="probe", device="cpu", settings=settings)
    preprocessing = read_manifest(result.model).preprocessing
    assert (preprocessing.size, preprocessing.crop) == (96, 1.0)


@pytest.mark.long
def test_what_is_put_on_the_maps_goes_through_probe_training_and_file(trained_run: Any, tmp_path: Path) -> None:
    """In: two classes. Out: one vector of the largest of each map, one number for both classes, two probabilities in the file."""
    two = tmp_path / "two"
    for folder in sorted(trained_run.pictures.iterdir())[:2]:
        shutil.copytree(folder, two / folder.name)
    network = {"pooling": "max", "size": 64, "output": "sigmoid"}
    told: dict[str, Any] = {"device": "cpu", "out": tmp_path, "report": False}
    probe = tellapart.train(two, strategy="probe", **told, settings={"network.pooling": "max", "network.size": 64})
    tuned = tellapart.train(
        two,
        strategy="finetune",
        unfreeze="head",
        views=1,
        epochs=1,
        **told,
        settings={"network": network, "finetune": {"head": "random"}, "loop": {"loss": "binary_cross_entropy"}},
    )
    for result in (probe, tuned):
        backbone = read_manifest(result.model).backbone
        assert (backbone.pooling, backbone.embedding, backbone.stages) == ("max", 1280, ())
        opened = OpenRun(result.run)  # the network in torch is compared with the file
        assert opened.network.pooling == "max"
        assert opened.network.classifier.out_features == 2
    answers = tellapart.load(tuned.model).predict([str(next(two.rglob("*.png")))])
    assert answers.probabilities.shape == (1, 2)
    assert answers.probabilities.sum() == pytest.approx(1.0, abs=1e-5)
    shown = {path.name for path in (tuned.run / "tensorboard").iterdir()}
    assert {"embeddings.tsv", "labels.tsv", "projector_config.pbtxt"} <= shown


@pytest.mark.long
def test_dense_layers_train_on_a_frozen_network(trained_run: Any, tmp_path: Path) -> None:
    settings = {
        "report": False,
        "network": {"dense": [{"units": 24}]},
        "finetune": {"unfreeze": "head", "views": 1},
        "augment": {"preset": "none"},
        "loop": {"epochs": 6, "learning_rate": 3e-3},
    }
    result = tellapart.train(trained_run.pictures, out=tmp_path, strategy="finetune", device="cpu", settings=settings)
    manifest = read_manifest(result.model)
    assert manifest.backbone.embedding == 24
    history = result.metrics["training"]["finetune"]["history"]
    assert history[-1]["train_loss"] < 0.7 * history[0]["train_loss"]
    tensors = safetensors.numpy.load_file(result.run / "weights.safetensors")
    assert tensors["dense.0.linear.weight"].shape == (24, 1280)


@pytest.mark.parametrize("kind", [pytest.param("tuned", marks=pytest.mark.long), "small"])
def test_a_training_goes_on_from_a_finished_run(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """In: a run. Out: its network, of which only what was unfrozen has moved; its pictures split as they were."""
    before = request.getfixturevalue(kind)
    asked = {"tuned": "last 2 layers", "small": "0"}[kind]
    result = tellapart.train(base=before.run, out=tmp_path, unfreeze=asked, learning_rate=1e-3, epochs=1, views=0)
    assert (result.strategy, result.n_test, result.classes) == (before.strategy, before.n_test, before.classes)
    old, new = (safetensors.numpy.load_file(run.run / "weights.safetensors") for run in (before, result))
    moved = {name for name in old if not np.array_equal(old[name], new[name])}
    last = {
        "tuned": {"bn2.weight", "bn2.bias", "conv_head.weight"},
        "small": {"dense.0.linear.weight", "dense.0.linear.bias"},
    }
    assert moved - last[kind] == {"classifier.weight", "classifier.bias"}
    assert moved & last[kind] or kind == "small"
    told = read_recipe(result.run / "recipe.toml")
    assert (told["base"], told["loop"]["epochs"]) == (str(before.run), 1)
    assert told["finetune"]["unfreeze"] == asked
    assert 0 <= result.score.value <= 1
    if kind == "small":  # the other's file answers with the mean over eight views
        assert OpenRun(result.run).network is not None


def test_what_a_training_cannot_go_on_from_is_refused(small: Any, trained_run: Any, tmp_path: Path) -> None:
    for base, words in (
        (tmp_path, "is no finished run: its model.onnx or recipe.toml is missing"),
        (trained_run.run, "holds a classifier on a frozen network, and no network that was trained. Leave --from out"),
    ):
        with pytest.raises(SettingsError, match=words):
            tellapart.train(base=base, out=tmp_path)
    quick: dict[str, Any] = {"base": small.run, "out": tmp_path, "epochs": 1}
    with pytest.raises(SettingsError, match=r"network.size is 48, and the network of --from .* was made for 32"):
        tellapart.train(**quick, settings={"network.size": 48})
    with pytest.raises(DataError, match="test pictures, such as .* were learned from by"):
        tellapart.train(**quick, seed=1)
    with pytest.raises(SettingsError, match=r"^--from .* goes on with that run's network, and --kfold is not for that"):
        tellapart.train(**quick, kfold=3)
    two = tmp_path / "two"
    shutil.copytree(trained_run.pictures, two)
    shutil.rmtree(next(two.iterdir()))
    with pytest.raises(SettingsError, match="and the classes here are .* Give the same data"):
        tellapart.train(two, **quick)


def test_what_cannot_be_unfrozen_is_refused_before_anything_is_computed(trained_run: Any, tmp_path: Path) -> None:
    for asked, words in (("99", "this network has 7 stages"), ("block5_conv1", "no layer of that name")):
        with pytest.raises(SettingsError, match=words):
            tellapart.train(trained_run.pictures / "nothing", out=tmp_path, strategy="finetune", unfreeze=asked)
    assert not list(tmp_path.iterdir())


def test_a_figure_that_no_epoch_has_is_refused_before_anything_is_written(trained_run: Any, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"^loop\.monitor is acc; of the .* this task tells: loss, accuracy\. Choose one"
    ):
        tellapart.train(trained_run.pictures, out=tmp_path, strategy="scratch", settings={"loop.monitor": "acc"})
    assert not list(tmp_path.iterdir())
    assert TASKS["segmentation"].watched == tuple(figures_of(np.eye(2, dtype=np.int64)))
    assert TASKS["detection"].watched == tuple(_FIGURES)


def test_a_finished_run_is_not_resumed(small: Any) -> None:
    with pytest.raises(SettingsError, match="is finished; only a stopped run can be resumed"):
        resume_run(small.run)


@pytest.mark.long  # tests/training kills the same loop three times, and test_train.py a whole run
@pytest.mark.parametrize("moments", [(2,), (1, 3)])
def test_kill_9_in_the_midst_of_the_epochs_changes_nothing(
    small: Any, trained_run: Any, tmp_path: Path, moments: tuple[int, ...]
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text((small.run / "recipe.toml").read_text(encoding="utf-8"), encoding="utf-8")
    arguments: list[str | Path] = ["train", "--recipe", recipe, "--out", tmp_path / "runs", "--json", "--quiet"]
    for moment in moments:
        process = subprocess.Popen([*COMMAND, *map(str, arguments)], stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline and process.poll() is None:
            runs = [path for path in (tmp_path / "runs").glob("*-*") if (path / "log.jsonl").exists()]
            if runs and sum(event["event"] == "epoch" for event in events(runs[0])) >= moment:
                break
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        run = next((tmp_path / "runs").glob("*-*"))
        if not (run / "unfinished.json").exists():
            break  # it was quicker than the signal
        arguments = ["train", "--resume", run, "--json", "--quiet"]
    else:
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=900
        )
        assert done.returncode == 0, done.stderr
    for name in ("weights.safetensors", "predictions.csv"):
        assert (run / name).read_bytes() == (small.run / name).read_bytes()


@pytest.mark.long
def test_two_processes_train_one_run(small: Any, trained_run: Any, tmp_path: Path) -> None:
    settings = make_settings(read_recipe(small.run / "recipe.toml"))
    assert settings.loop.batch_size % 2 == 0
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    done = subprocess.run(
        [
            *launcher,
            "tellapart.cli.main",
            "train",
            "--recipe",
            str(small.run / "recipe.toml"),
            "--out",
            str(tmp_path / "runs"),
            "--json",
            "--quiet",
            "--set",
            "loop.average=0",
            "--set",
            WITHOUT_BATCH_NORM,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.strip().splitlines()[-1])
    alone = tellapart.train(
        trained_run.pictures,
        out=tmp_path / "alone",
        strategy="scratch",
        device="cpu",
        settings={
            **SCRATCH,
            "network": {**SCRATCH["network"], "blocks": [{"filters": n, "batch_norm": False} for n in (8, 16)]},
            "loop": {**SCRATCH["loop"], "average": 0.0},
        },
    )
    together = json.loads((Path(result["run"]) / "metrics.json").read_text())["training"]["scratch"]["history"]
    for one, two in zip(alone.metrics["training"]["scratch"]["history"], together, strict=True):
        assert one["train_loss"] == pytest.approx(two["train_loss"], abs=1e-4)
        assert one["validation_loss"] == pytest.approx(two["validation_loss"], abs=1e-4)
