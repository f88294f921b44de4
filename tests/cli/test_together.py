"""Flags by which a Ray cluster trains, where there is no Ray. In: command lines. Out: refusals before anything is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tellapart.cli.together import plan_together, plan_trials
from tellapart.cli.train import command
from tellapart.errors import MissingExtra, SettingsError
from tellapart.settings.reading import make_settings
from tellapart.workflows.train_together import TogetherPlan, check_together

SETTINGS = make_settings({"data": "pets", "strategy": "finetune"})


@pytest.mark.parametrize(
    ("workers", "cpus", "said"), [(2, None, "--workers 2"), (0, 3, "--workers 0"), (None, 3, "--cpus 3")]
)
def test_without_ray_its_flags_are_refused(workers: int | None, cpus: int | None, said: str) -> None:
    with pytest.raises(SettingsError) as found:
        plan_together(None, workers, cpus, small=None)
    assert str(found.value) == (
        f"{said} says how a Ray cluster trains, and there is no --ray. Add --ray, or leave it out; without Ray several processes "
        "train under torchrun."
    )
    assert plan_together(None, None, None, small="4MB") is None


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (
            TogetherPlan(address="auto", workers=0),
            "--workers is 0; it is how many processes train together, 1 or more. Give another number.",
        ),
        (
            TogetherPlan(address="auto", workers=2, cpus=-1),
            "--cpus is -1; it is how many CPUs of the Ray cluster each process gets, 1 or more. Give another number.",
        ),
    ],
)
def test_numbers_that_cannot_be_are_refused(plan: TogetherPlan, message: str) -> None:
    with pytest.raises(SettingsError) as found:
        check_together(SETTINGS, plan)
    assert str(found.value) == message


def test_a_probe_is_one_process_work() -> None:
    probe = SETTINGS.model_copy(update={"strategy": "probe"})
    check_together(SETTINGS, TogetherPlan(address="auto", workers=2))
    check_together(probe, TogetherPlan(address="auto"))
    for plan, flag in (
        (TogetherPlan(address="auto", workers=2), "--workers"),
        (TogetherPlan(address="auto", cpus=2), "--cpus"),
    ):
        with pytest.raises(SettingsError) as found:
            check_together(probe, plan)
        assert str(found.value) == (
            f"{flag} is for several processes that train with gradients, and the strategy is probe, which one process fits while "
            "the cluster opens the pictures for it. Leave it out, or give --strategy finetune or scratch."
        )


def test_what_ray_has_no_part_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.cli.extras.require", lambda command, *extras: None)
    with pytest.raises(SettingsError) as found:
        plan_together("local", 2, None, small="5ms")
    assert str(found.value) == (
        "--small 5ms compares many small trainings, which one process does. Leave out --ray, or --small."
    )
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(SettingsError) as found:
        plan_together("local", 2, None, small=None)
    assert str(found.value) == (
        "--ray was given under a launcher of several processes, and begins its own. Start `tellapart train --ray` alone."
    )


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else found(name))
    outcome = CliRunner().invoke(command, ["--ray", str(tmp_path), "--workers", "2"])
    assert isinstance(outcome.exception, MissingExtra)
    assert 'pip install "tellapart[ray]"' in str(outcome.exception)


@pytest.mark.parametrize(
    ("given", "said"),
    [((2, None, None), "--parallel 2"), ((None, 0.5, None), "--cpus 0.5"), ((None, None, 1.0), "--gpus 1")],
)
def test_without_ray_the_flags_of_trials_are_refused(
    given: tuple[int | None, float | None, float | None], said: str
) -> None:
    with pytest.raises(SettingsError) as found:
        plan_trials(None, *given, join=None)
    assert str(found.value) == (
        f"{said} says how a Ray cluster does trials, and there is no --ray. Add --ray, or leave it out; without Ray other "
        "processes help by --join."
    )
    assert plan_trials(None, None, None, None, join=None) is None


def test_who_joins_hires_nobody() -> None:
    with pytest.raises(SettingsError) as found:
        plan_trials("auto", None, None, None, join=Path("runs/a"))
    assert str(found.value) == (
        "--join runs/a helps with this process alone, and --ray hires others. Begin or resume the search with --ray instead."
    )
