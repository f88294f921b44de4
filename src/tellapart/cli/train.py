"""`tellapart train PICTURES`. In: flags. Out: a run's folder and what was found. Next: check.py."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

import click

from tellapart.cli.ray_option import RayCommand
from tellapart.cli.reading import range_option, reading_options
from tellapart.cli.tasks import READ_TASKS, TASK_HELP
from tellapart.cli.together import plan_together, resume_by, together_options, train_by
from tellapart.cli.told_training import report_line, summary, tell


@click.command(
    "train",
    cls=RayCommand,
    epilog="""\b
Examples:
  tellapart train cats_and_dogs/            one folder of pictures a class
  tellapart train pets.zip                  the same in a .zip, .tar or .tar.gz, which is not unpacked
  tellapart train pictures.csv              columns path,label[,split][,group]
  tellapart train birds.xlsx --path-column file --label-column species --root photos/
  tellapart train pets/ --label-from '(?P<label>[^/]+)_[0-9]+[.]jpg'     Abyssinian_100.jpg
  tellapart train scenes.csv                columns path,labels such as cat|dog, or a column of 0 and 1 for each class
  tellapart train cells/ --class-weights balanced --backbone tf_efficientnet_lite2
  tellapart train cells/ --labels fixed.csv corrected by hand; see tellapart check --labels
  tellapart train cells/ --labels corrections/   and what people corrected; see tellapart serve --corrections
  tellapart train cells/ --kfold 5          few pictures: each is tested, by a network that has not seen it
  tellapart train cells/ --budget 25m       the best answer that 25 minutes allow
  tellapart train cells/ --strategy finetune --unfreeze 3 --views 8 --augment medium
  tellapart train raccoons/ --set network.detector=faster_rcnn    boxes: Pascal VOC, COCO, YOLO, LabelMe or a table
  tellapart train aerial/ --tiles           boxes of small things in large pictures
  tellapart train digits/ --strategy scratch --network lenet5 --set network.channels=1
  tellapart train --from runs/latest --unfreeze 1 --learning-rate 1e-5    go on with a run's network
  tellapart train --recipe runs/latest/recipe.toml
  tellapart train cells/ --strategy finetune --ray --workers 2    two processes of a Ray cluster; see docs/scale.md
  tellapart train --resume runs/cells-20260101-120000""",
)
@click.argument("data", metavar="[PICTURES]", nargs=-1)
@click.option("--out", help="The folder that run folders are made in.  [default: runs]")
@click.option(
    "--labels",
    type=click.Path(),
    help="A CSV with path,label that corrects labels, as `tellapart check --labels --out` writes it; an empty label "
    "leaves the picture out (where pictures have several classes - does, and an empty one is none of them). Or a folder of "
    "`tellapart serve --corrections`: its pictures are trained on as well.",
)
@click.option("--task", type=click.Choice(READ_TASKS), help=TASK_HELP)
@reading_options
@range_option
@click.option(
    "--strategy",
    type=click.Choice(["auto", "probe", "finetune", "scratch"]),
    help="probe: a classifier on the frozen network. finetune: from the probe on, train its upper stages too. scratch: "
    "random weights. auto: probe, then fine-tune if time allows, and keep what wins on validation. Of boxes the probe is a whole "
    "detector on the frozen network.  [default: auto]",
)
@click.option(
    "--budget", help="Of the whole run: 90s, 10m, 1h30m.  [default for auto: 1m, of boxes and with a GPU 10m]"
)
@click.option(
    "--backbone",
    help="A timm name; `tellapart models` lists some. auto: the one that cross-validation prefers at its cost.  "
    "[default: tf_efficientnet_lite0]",
)
@click.option("--backbones", help="Several names with commas between, compared in the same way: a,b,c.")
@click.option("--weights", type=click.Path(), help="A .safetensors file for the backbone, where no hub can be reached.")
@click.option(
    "--embeddings",
    metavar="FOLDER|NAME",
    help="Of texts: a network of sentences beside the n-grams, a folder with model.onnx and tokenizer.json or a name on the "
    "Hugging Face hub; alone or as the mean with them, whichever wins on validation.  [default: n-grams alone]",
)
@click.option(
    "--from",
    "base",
    type=click.Path(),
    metavar="RUN",
    help="Train a finished run's network on, on the same pictures and with its settings where nothing else is said: --from "
    "runs/latest --unfreeze block5_conv1 --learning-rate 1e-5.",
)
@click.option(
    "--class-weights", type=click.Choice(["none", "balanced"]), help="Let rare classes count as much as common ones."
)
@click.option(
    "--coverage",
    type=float,
    help="How often, between 0.5 and 1, the set of likely classes must hold the true one, and how many known pictures must "
    "not be called unknown.  [default: 0.95]",
)
@click.option(
    "--precision",
    type=float,
    help="Of each label that is named, between 0 and 1, where a picture has several: the threshold of a class is the lowest "
    "that reaches it on validation.  [default: the best F1]",
)
@click.option(
    "--split",
    metavar="80/10/10",
    help="Shares of train, validation and test, where the data have no splits.  [default: 70/10/20]",
)
@click.option("--validation", metavar="SHARE", help="Of what is train, where no validation split is given: 5% or 0.05.")
@click.option(
    "--test-from",
    type=click.Choice(["validation"]),
    help="Where train and validation are given and no test: a fifth of the validation split becomes the test.  [default: it is "
    "drawn from train]",
)
@click.option(
    "--limit", type=int, metavar="N", help="Look at N pictures at most, drawn at random, each class by its share."
)
@click.option("--folds", type=int, help="Of the cross-validation that chooses the classifier's strength.  [default: 5]")
@click.option(
    "--kfold",
    type=int,
    help="Test every picture once, by K trainings of which each has not seen a Kth of them; the model kept is trained on all but "
    "a validation split.  [default: one split]",
)
@click.option(
    "--fold-column", metavar="NAME", help="Of a table: the column that says each picture's fold, in place of --kfold."
)
@click.option("--repeats", type=int, help="Of --kfold: so many times, with other folds each time.  [default: 1]")
@click.option(
    "--kfold-keep",
    type=click.Choice(["one", "ensemble"]),
    help="Of --kfold: one network trained on all but a validation split, or the mean of the K in one file.  [default: one]",
)
@click.option(
    "--unfreeze",
    help="What fine-tuning trains: head, half, all, a share such as 0.25, a number of stages, a layer from which on upward all "
    "train (block5_conv1 of VGG, layer4.1 of ResNet), or 'last 3 layers'.  [default: half]",
)
@click.option("--views", type=int, help="Augmented views a picture that the frozen stages see once; 0: none cached.")
@click.option(
    "--network",
    help="What scratch trains: a classic such as lenet5 or resnet18, blocks, or dense (none); of texts text_cnn or dpcnn. "
    " [default: blocks; of texts text_cnn]",
)
@click.option(
    "--tiles",
    is_flag=True,
    default=None,
    help="Of boxes: cut large pictures into overlapping tiles of their own pixels, so that small things are seen.",
)
@click.option(
    "--epochs",
    type=int,
    help="[default: what the budget allows, without one 30 from scratch; finetune 20 at most, of boxes what suits the detector]",
)
@click.option("--batch-size", type=int, help="[default: 32 on a CPU, up to 256 for each GPU; of boxes 8]")
@click.option("--learning-rate", type=float, help="[default: chosen by strategy and optimizer]")
@click.option(
    "--augment",
    type=click.Choice(["none", "light", "medium", "strong", "trivial", "randaugment"]),
    help="How training pictures are varied; `tellapart augment` shows it.  [default: light]",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any other line of a recipe, such as augment.rotation=15, loop.optimizer=sgd or network.size=96.",
)
@click.option("--seed", type=int, help="Of everything that is drawn at random.  [default: 0]")
@click.option("--strict", is_flag=True, default=None, help="Stop when a picture cannot be read.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="Where the network runs.")
@click.option(
    "--engine",
    type=click.Choice(["auto", "onnxruntime", "openvino", "openvino-bfloat16"]),
    help="What computes the training pictures' embeddings on a CPU; openvino needs the extra fast.  [default: auto: "
    "onnxruntime below 5,000 of them]",
)
@click.option("--no-report", "report", flag_value=False, default=None, help="Write no report.html.")
@click.option("--lang", "language", type=click.Choice(["en", "zh"]), help="Of the report.  [default: the system's]")
@click.option("--recipe", type=click.Path(path_type=Path), help="Repeat the run of this recipe.toml; other flags win.")
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with the stopped run in this folder.")
@click.option(
    "--pictures", "moved", type=click.Path(path_type=Path), help="Where the resumed run's pictures, or table, lie now."
)
@click.option(
    "--small",
    metavar="BOUND",
    help="The best that keeps a bound here: 5ms for one picture, or 4MB of model.onnx; of classes or sets of them.",
)
@together_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
@click.option("--quiet", is_flag=True, help="No progress and no warnings.")
def command(
    data: tuple[str, ...],
    recipe: Path | None,
    resume: Path | None,
    moved: Path | None,
    small: str | None,
    ray: str | None,
    workers: int | None,
    cpus: int | None,
    as_json: bool,
    quiet: bool,
    assignments: tuple[str, ...],
    **flags: Any,
) -> None:
    """Train on PICTURES: a folder with one folder a class, one already split, one with boxes, an archive of these, or a CSV.

    The pictures are audited, split so that copies stay together, run once through a pretrained network, and a classifier
    is fitted; then the network itself is trained on where that was asked for or time allows. What wins on the validation
    split is calibrated and tested. The result is RUN/model.onnx.
    """
    from tellapart.cli.console import make_reporter
    from tellapart.cli.extras import require
    from tellapart.errors import SettingsError

    require("train", "train")
    given = told_settings({"data": one_data(data), **flags}, assignments)
    if moved is not None and resume is None:
        raise SettingsError(f"--pictures {moved} is for --resume. Name the pictures alone: tellapart train {moved}.")

    from tellapart.runs.base import told_with_base
    from tellapart.settings.idle import refuse_idle
    from tellapart.settings.reading import check_resumed, make_settings, merge, read_recipe
    from tellapart.workflows.learning.processes import follow, is_helper

    if None not in (resume, small):
        raise SettingsError(f"--small {small} begins anew, and --resume goes on with a run. Leave one of them out.")
    if resume is not None:
        check_resumed(resume, given, recipe)
    plan = plan_together(ray, workers, cpus, small=small)
    if is_helper():
        recipe = recipe or (resume / "recipe.toml" if resume else None)
        follow(make_settings(merge(read_recipe(recipe) if recipe else {}, given)))
        return
    reporter = make_reporter(quiet=quiet)
    told = None if as_json else tell
    if resume is not None:
        result = resume_by(plan, resume, moved=moved, changes=given, reporter=reporter, told=told)
    else:
        named = merge(read_recipe(recipe) if recipe else {}, given)
        values = told_with_base(named)
        settings = make_settings(values)
        refuse_idle(named, settings)
        if values.get("backbone", settings.backbone) != settings.backbone:
            reporter.say(
                f"backbone {values['backbone']} is called {settings.backbone} by timm, whose weights are taken."
            )
        if small is not None:
            from tellapart.cli.small import train_within

            train_within(settings, small, reporter, summary=None if as_json else summary)
            return
        result = train_by(plan, settings, reporter=reporter, told=told)
    if as_json:
        click.echo(json.dumps(result.as_json(), ensure_ascii=False))
    elif result.report:
        click.echo(report_line(result.report))


def told_settings(flags: dict[str, Any], assignments: tuple[str, ...]) -> dict[str, Any]:
    """Flags and --set as the tables of a recipe; flags that were not given are left out."""
    from tellapart.errors import SettingsError
    from tellapart.settings.flags import tables
    from tellapart.settings.reading import merge, parse_assignment

    several = flags.pop("backbones", None)
    if several is not None:
        if flags["backbone"] is not None:
            raise SettingsError(
                f"--backbone {flags['backbone']} and --backbones {several} were given; the second compares, the first takes one. "
                "Leave one of them out."
            )
        flags["backbone"] = several
    told: dict[str, Any] = {}
    for text in assignments:
        told = merge(told, parse_assignment(text))
    return tables(flags, told)


def one_data(data: tuple[str, ...]) -> str | None:
    """The folder or table. Raises: UsageError for several, as one folder a class comes when a shell expands a star."""
    if len(data) < 2:
        return data[0] if data else None
    here = os.path.commonpath([os.path.abspath(one) for one in data]) if all(map(os.path.isdir, data)) else ""
    if here and all(os.path.dirname(os.path.abspath(one)) == here for one in data):
        remedy = f"Give the folder that holds them: tellapart train {shlex.quote(os.path.relpath(here))}"
    else:
        remedy = "Put them into one folder, a folder a class, and give that one"
    raise click.UsageError(
        f"{len(data)} folders or tables were given ({', '.join(data)[:200]}), and one is taken, with a folder of pictures for each "
        f"class. {remedy}."
    )
