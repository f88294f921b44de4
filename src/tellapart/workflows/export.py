"""A run's model in other formats, each proved on the test split. In: a run's folder. Out: exports/. Next: exporting/job.py."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from tellapart.errors import DataError, ExportError, SettingsError, StorageError, TellapartError
from tellapart.export.begun import begun_folder
from tellapart.export.samples import TEXT_SAMPLES, check_languages
from tellapart.export.table import FORMATS, Format
from tellapart.export.tools import Environment, environment
from tellapart.record_parts import Score
from tellapart.reporter import Reporter
from tellapart.runs.finished import open_finished
from tellapart.runs.open import OpenRun
from tellapart.workflows.exporting.card import Exported
from tellapart.workflows.exporting.job import ExportJob, begin
from tellapart.workflows.exporting.making import export_one
from tellapart.workflows.exporting.proof import Proof
from tellapart.workflows.exporting.texts import TextProof
from tellapart.workflows.exporting.web_runtime import has_node, web_runtime
from tellapart.workflows.rating.rated import Rated

FOLDER = "exports"
MOST_FLIPPED = 0.1  # a share of the answers; a conversion that changes more has gone wrong
LANGUAGES = ("python",)  # of the samples that each format comes with, unless others are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """What was made, and what was not."""

    before: Rated  # the model's own file
    exported: tuple[Exported, ...]  # in the order that was asked, refused ones among them
    failed: tuple[tuple[str, TellapartError], ...]  # formats that could not be made, and why
    item: str = "picture"  # what was answered, in a word

    @property
    def score(self) -> Score:
        """The headline figure of the model's own file."""
        return self.before.score


def export(
    folder: Path,
    formats: Sequence[str],
    *,
    reporter: Reporter,
    tools: Path | None = None,
    most_flipped: float | None = MOST_FLIPPED,
    pictures: Path | None = None,
    languages: Sequence[str] = LANGUAGES,
    made_pictures: bool = False,
    seed: int = 0,
) -> ExportResult:
    """Write the model of a finished run in `formats` to its folder exports/, and test each on the run's whole test split.

    `tools` is a folder with environments of the converters, which are made in the cache otherwise; `most_flipped`, a share in
    [0, 1], is how many answers may change; `pictures` is where the run's pictures lie now, if they were moved. Each format has a
    bundle that proves it, with samples in `languages` and ten pictures of the test split, or with `made_pictures`. One that
    cannot be made does not keep the others from being made. Raises: SettingsError for a format or language that there is not;
    DataError, ModelFileError, StorageError for the run; ExportError where the tools of no format are to be had.
    """
    wanted = [_format(name) for name in dict.fromkeys(formats)]
    run = open_finished(folder, pictures=pictures)
    _check(run, wanted, languages)
    environments, web, failed = _find_tools(wanted, tools, reporter)
    able = [_runnable(form) for form in wanted if form.name not in failed]
    if not able:
        raise next(iter(failed.values()))
    kind = Proof if run.manifest.pictures is not None else TextProof
    proof = kind(run=run, languages=languages, made_pictures=made_pictures, web_runtime=web)
    # Absolute, since tools work in folders of their own.
    with begun_folder((run.folder / FOLDER / "work").absolute()) as work:
        job = begin(
            run,
            environments=environments,
            calibrated=any(form.calibrated for form in able),
            work=work,
            reporter=reporter,
            web_runtime=web,
            seed=seed,
        )
        exported, bad = _made(job, able, proof, most_flipped)
    return ExportResult(
        before=job.before, exported=tuple(exported), failed=tuple((failed | bad).items()), item=job.feed.item
    )


def _check(run: OpenRun, formats: Sequence[Format], languages: Sequence[str]) -> None:
    """Raises: SettingsError for a language without a sample, or a format of pictures alone, where the model takes none."""
    if run.manifest.pictures is not None:
        check_languages(languages)
        return
    check_languages(languages, TEXT_SAMPLES)
    able = ", ".join(form.name for form in FORMATS.values() if form.any_length)
    for form in formats:
        if not form.any_length:
            raise SettingsError(
                f"{form.name} takes inputs of one size, or learns its numbers from pictures, and {run.folder} takes texts, as long "
                f"as they are. Give --to with one of {able}."
            )


def _made(
    job: ExportJob, able: Sequence[Format], proof: Proof | TextProof, most_flipped: float | None
) -> tuple[list[Exported], dict[str, TellapartError]]:
    """One format after another; those that were made, and why others were not."""
    exported: list[Exported] = []
    failed: dict[str, TellapartError] = {}
    for form in able:
        finish = partial(proof.add, form, work=job.work)
        try:
            exported.append(export_one(job, form, job.run.folder / FOLDER, most_flipped=most_flipped, finish=finish))
        except (ExportError, StorageError, DataError) as error:
            failed[form.name] = error
    return exported, failed


def _find_tools(
    wanted: Sequence[Format], tools: Path | None, reporter: Reporter
) -> tuple[dict[str, Environment], Path | None, dict[str, TellapartError]]:
    """The environments by name, ONNX Runtime for browsers where a page is wanted, and why a format has not what it needs."""
    environments: dict[str, Environment] = {}
    failed: dict[str, TellapartError] = {}
    web: Path | None = None
    for form in wanted:
        try:
            if form.page:
                web = web_runtime(tools)
            for name in form.tools:
                if name not in environments:
                    environments[name] = environment(name, folder=tools, reporter=reporter)
        except (ExportError, StorageError) as error:
            failed[form.name] = error
    return environments, web, failed


def _runnable(form: Format) -> Format:
    """The format as it can be run here: pages are run in Node."""
    return form if not form.page or has_node() else replace(form, runtime=None)


def _format(name: str) -> Format:
    if name in FORMATS:
        return FORMATS[name]
    close = difflib.get_close_matches(name, FORMATS, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise SettingsError(f"there is no format {name!r}.{hint} The formats are: {', '.join(FORMATS)}.")
