"""What fine-tuning and training from scratch share. In: Prepared, Dataset. Out: Candidate, or why not. Next: shrunk.py.

The pictures are decoded once, the machine is timed, epochs are planned, the network is trained and exported.
"""

from __future__ import annotations

from tellapart.data.dataset import Dataset
from tellapart.evaluation.choosing import Candidate
from tellapart.runs.run import WORK
from tellapart.tasks.prepared import Prepared
from tellapart.tasks.task import Task
from tellapart.training.planning import TooShort
from tellapart.workflows.learning.assemble import assemble_job
from tellapart.workflows.learning.finished import finish_network
from tellapart.workflows.learning.fitting import run_job
from tellapart.workflows.learning.looked_at import show_network
from tellapart.workflows.learning.planned import plan_training
from tellapart.workflows.learning.processes import send
from tellapart.workflows.learning.session import TrainingSession
from tellapart.workflows.learning.shrunk import shrink_splits


def train_network(session: TrainingSession, task: Task, dataset: Dataset, prepared: Prepared) -> Candidate | TooShort:
    """Train `prepared.network` in place. Raises: DataError, TrainingError, StorageError, SettingsError."""
    devices, reporter = session.join(), session.reporter
    settings = session.run.settings
    parts = task.parts(settings, dataset, prepared.preprocessing)
    read, scored = dataset, len(dataset.rows["validation"]) + len(dataset.rows["test"])
    if parts is not None:
        read, scored = parts.dataset, parts.validated + parts.tested
    shrunk = shrink_splits(settings, task, read, prepared, reporter)
    if task.crops is not None:  # the test pictures have as many as the validation pictures, for each of them
        scored = round(scored * len(shrunk.lesson.validation_rows) / len(dataset.rows["validation"]))
    planned = plan_training(session, task, shrunk.lesson, prepared, scored=scored)
    if isinstance(planned, TooShort):
        return planned
    job = assemble_job(session, task, shrunk, prepared, planned)
    send(job, devices)
    fitted = run_job(job, devices, reporter, session.run.log)
    if not fitted.best_epoch:
        return TooShort(seconds=0.0, left=0.0)
    if task.own is not None:
        return task.own.finish(prepared, fitted)
    if task.head is not None:
        with reporter.step("Exporting the network", 1) as advance:
            finished = task.head.finish(prepared, fitted, session.run.folder / WORK / prepared.strategy)
            advance(1)
        return finished
    candidate = finish_network(prepared, fitted, dataset.pictures, session.run, reporter)
    show_network(prepared, candidate, dataset, session.run.folder, epoch=fitted.best_epoch)
    return candidate
