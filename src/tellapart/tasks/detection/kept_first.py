"""A first answer that was learned is not learned again. In: its files in a run. Out: DetectorCandidate. Next: first_plan.py.

The run's folder is the same until the run is finished; who resumes it finds what an earlier process has learned, if it was of the
very same pictures, boxes and settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from tellapart.data.dataset import Dataset
from tellapart.features.backbone import ReadyBackbone
from tellapart.preprocessing import Preprocessing
from tellapart.settings.tree import TrainSettings
from tellapart.storage import write_json
from tellapart.tasks.detection.candidates import DetectorCandidate
from tellapart.tasks.detection.first_plan import FirstPlan
from tellapart.tasks.detection.starting import augment_settings

_FILE = "first.json"  # written last: where it is, the others are whole
_SAME = (
    "name",
    "weights_source",
    "weights_license",
    "embedding",
    "fingerprint",
)  # of the candidate's files, as they are kept


def fingerprint_of(settings: TrainSettings, dataset: Dataset, pretrained: ReadyBackbone, plan: FirstPlan) -> str:
    """SHA-256 of all that a first answer depends on."""
    facts = {
        "seed": settings.seed,
        "network": settings.network.model_dump(mode="json"),
        "augment": augment_settings(settings).model_dump(mode="json"),
        "weights": pretrained.fingerprint,
        "plan": [plan.epochs, plan.views],
        "classes": dataset.classes,
        "pictures": [picture.content_hash for picture in dataset.pictures],
        "splits": dataset.splits.tolist(),
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    digest.update(np.ascontiguousarray(dataset.targets).tobytes())
    return digest.hexdigest()


def keep_candidate(candidate: DetectorCandidate, fingerprint: str) -> None:
    """Beside its files, what else there is to know of it. Raises: StorageError."""
    backbone = candidate.backbone
    own = {name: getattr(backbone, name) for name in _SAME}
    record = {
        "of": fingerprint,
        "network": _sha256(backbone.network),
        "backbone": own,
        "details": dict(candidate.details),
    }
    write_json(backbone.weights.parent / _FILE, record)


def kept_candidate(
    folder: Path, fingerprint: str, *, preprocessing: Preprocessing, pretrained: ReadyBackbone
) -> DetectorCandidate | None:
    """What an earlier process kept in `folder`; None where that is nothing, another one, or damaged."""
    network, weights = folder / "network.onnx", folder / "weights.safetensors"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        record: dict[str, Any] = json.loads((folder / _FILE).read_bytes())
        own: dict[str, Any] = {name: record["backbone"][name] for name in _SAME}
        whole = (_sha256(weights), _sha256(network)) == (own["fingerprint"], record["network"])
        if record["of"] == fingerprint and whole:
            files: dict[str, Any] = {"network": network, "weights": weights, "preprocessing": preprocessing}
            backbone = ReadyBackbone(reused=False, seconds=0.0, **files, **own)
            details = dict(record["details"])
            return DetectorCandidate(strategy="probe", backbone=backbone, pretrained=pretrained, details=details)
    return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
