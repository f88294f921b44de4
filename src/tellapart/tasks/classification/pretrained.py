"""What travels with a pretrained network and its own classes. In: ReadyBackbone, names. Out: Manifest. Next: models/imagenet.py."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from tellapart.bundle import BackboneRecord, ClassificationRecord, DataRecord, Manifest, PreprocessingRecord
from tellapart.features.backbone import ReadyBackbone
from tellapart.models.imagenet import PICTURES
from tellapart.runs.recipe import versions


def pretrained_manifest(backbone: ReadyBackbone, names: tuple[str, ...]) -> Manifest:
    """Nothing was calibrated, and nothing tested here: it has no scores, no sets of classes, and knows no "unknown"."""
    return Manifest(
        task="classification",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        strategy="pretrained",
        classes=names,
        preprocessing=PreprocessingRecord.of(backbone.preprocessing),
        backbone=BackboneRecord(
            name=backbone.name,
            embedding=backbone.embedding,
            stages=backbone.stages,
            weights_source=backbone.weights_source,
            weights_license=backbone.weights_license,
            weights_fingerprint=backbone.fingerprint,
        ),
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
