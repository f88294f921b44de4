"""What travels with a pretrained network and its own classes. In: ReadyBackbone, names. Out: Manifest. Next: models/imagenet.py."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from tellapart.bundle import ClassificationRecord, DataRecord, Manifest, PreprocessingRecord
from tellapart.features.backbone import ReadyBackbone
from tellapart.models.imagenet import PICTURES
from tellapart.runs.recipe import versions
from tellapart.runs.writing import backbone_record


def pretrained_manifest(backbone: ReadyBackbone, names: tuple[str, ...]) -> Manifest:
    """Nothing was calibrated, and nothing tested here: it has no scores, no sets of classes, and knows no "unknown"."""
    return Manifest(
        task="classification",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        strategy="pretrained",
        classes=names,
        preprocessing=PreprocessingRecord.of(backbone.preprocessing),
        backbone=backbone_record(backbone),
        scores={},
        data=DataRecord(
            name="ImageNet-1k",
            fingerprint=hashlib.sha256("\n".join(names).encode()).hexdigest(),
            n_train=PICTURES,
            n_validation=0,
            n_test=0,
        ),
        versions=versions(),
        record=ClassificationRecord(temperature=1.0),
    )
