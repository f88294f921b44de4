"""torchvision's Faster R-CNN, trained as its own tutorial does. In: a run of boxes. Out: figures of the same test split, JSON.

The pictures and splits are those of the run's examples.csv, so that both are judged by the same pictures; the network is
`torchvision.models.detection.FasterRCNN` on the same pretrained backbone with a feature pyramid, batch norms frozen as in
torchvision's own. It trains for the given minutes of processor time on flipped pictures, its rate falling by a cosine over that
time, and is tested once, at the end: no epoch is chosen, so that the validation split joins the training pictures. COCO's figures
are pycocotools'.

    tellapart train raccoon_voc/ --out runs
    python benchmarks/plain_faster_rcnn.py runs/latest --minutes 16
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image, ImageOps
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import MultiScaleRoIAlign
from torchvision.ops.feature_pyramid_network import FeaturePyramidNetwork, LastLevelMaxPool

from tellapart.data.examples import Example
from tellapart.data.examples_csv import read_examples
from tellapart.data.targets import Boxes
from tellapart.models.weights import load_backbone

BACKBONE = "tf_efficientnet_lite0"
CHANNELS, BATCH = 96, 4
RATE, BACKBONE_RATE, DECAY = 1e-3, 1e-4, 1e-4
WARMING = 50  # updates

Target = dict[str, Tensor]


class Pyramid(nn.Module):
    """The backbone's maps at strides 8, 16 and 32, and one more, of `out_channels` each."""

    out_channels = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        self.body = timm.create_model(BACKBONE, features_only=True, out_indices=(2, 3, 4), pretrained=False)
        missing = self.body.load_state_dict(
            load_backbone(BACKBONE, None).network.state_dict(), strict=False
        ).missing_keys
        if missing:
            raise SystemExit(f"the weights of {BACKBONE} lack {', '.join(missing[:3])}")
        self.pyramid = FeaturePyramidNetwork(
            self.body.feature_info.channels(), CHANNELS, extra_blocks=LastLevelMaxPool()
        )

    def train(self, mode: bool = True) -> Pyramid:
        super().train(mode)
        for module in self.body.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        maps = self.body(pictures)
        return dict(self.pyramid({str(place): one for place, one in enumerate(maps)}))


def build(class_count: int, size: int) -> FasterRCNN:
    """The detector for K classes and the background, pictures resized so that the longer side is `size` pixels."""
    return FasterRCNN(
        Pyramid(),
        num_classes=1 + class_count,
        min_size=size,
        max_size=size,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
        rpn_anchor_generator=AnchorGenerator(((32,), (64,), (128,), (256,)), ((0.5, 1.0, 2.0),) * 4),
        box_roi_pool=MultiScaleRoIAlign(["0", "1", "2"], output_size=7, sampling_ratio=2),
    )


def opened(example: Example, classes: Sequence[str], size: int) -> tuple[Tensor, Target]:
    """A picture [3, H, W] whose longer side is `size`, and its boxes in those pixels."""
    with Image.open(example.path) as file:
        picture = ImageOps.exif_transpose(file).convert("RGB")
    scale = size / max(picture.size)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BILINEAR)
    assert isinstance(example.target, Boxes)
    boxes = [box for box in example.target.boxes if not (box.difficult or box.crowd)]
    corners = [[scale * side for side in (box.left, box.top, box.right, box.bottom)] for box in boxes]
    target = {
        "boxes": torch.tensor(corners, dtype=torch.float32).reshape(-1, 4),
        "labels": torch.tensor([1 + classes.index(box.label) for box in boxes], dtype=torch.int64),
    }
    return torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255, target


def flipped(picture: Tensor, target: Target) -> tuple[Tensor, Target]:
    """Both, mirrored."""
    left, top, right, bottom = target["boxes"].unbind(dim=1)
    width = picture.shape[-1]
    boxes = torch.stack([width - right, top, width - left, bottom], dim=1)
    return picture.flip(-1), {"boxes": boxes, "labels": target["labels"]}


def batches(items: Sequence[tuple[Tensor, Target]], seed: int) -> Iterator[list[tuple[Tensor, Target]]]:
    """Batches without end, shuffled anew for every epoch, every second picture mirrored."""
    random = np.random.default_rng(seed)
    while True:
        order = random.permutation(len(items))
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = [items[index] for index in order[start : start + BATCH]]
            yield [flipped(*one) if random.random() < 0.5 else one for one in chosen]


def train(network: FasterRCNN, items: Sequence[tuple[Tensor, Target]], minutes: float, seed: int) -> int:
    """Train for that long; how many epochs it were."""
    own = list(network.backbone.body.parameters())
    others = [value for name, value in network.named_parameters() if not name.startswith("backbone.body.")]
    groups = [{"params": own, "lr": BACKBONE_RATE}, {"params": others, "lr": RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=DECAY)
    rates, started, updates = [BACKBONE_RATE, RATE], time.process_time(), 0
    network.train()
    for batch in batches(items, seed):
        part = (time.process_time() - started) / (60 * minutes)
        if part >= 1:
            break
        factor = min(1.0, (1 + updates) / WARMING) * (0.5 + 0.5 * math.cos(math.pi * part))
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor
        loss = sum(network([picture for picture, _ in batch], [target for _, target in batch]).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        updates += 1
    return updates * BATCH // len(items)


def judge(network: FasterRCNN, items: Sequence[tuple[Tensor, Target]], class_count: int) -> dict[str, float]:
    """COCO's average precision of what it answers, as pycocotools counts."""
    images = [{"id": number} for number in range(len(items))]
    truth: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    network.eval()
    for number, (picture, target) in enumerate(items):
        for box, label in zip(target["boxes"].tolist(), target["labels"].tolist(), strict=True):
            truth.append(annotation(number, box, label) | {"id": len(truth) + 1})
        with torch.inference_mode():
            found = network([picture])[0]
        for box, label, score in zip(*(found[key].tolist() for key in ("boxes", "labels", "scores")), strict=True):
            answers.append(annotation(number, box, label) | {"score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        categories = [{"id": 1 + number} for number in range(class_count)]
        known.dataset = {"images": images, "annotations": truth, "categories": categories}
        known.createIndex()
        scores = COCOeval(known, known.loadRes(answers), "bbox")
        scores.evaluate()
        scores.accumulate()
        scores.summarize()
    return {name: round(float(scores.stats[place]), 4) for place, name in enumerate(("ap", "ap50", "ap75"))}


def annotation(number: int, box: Sequence[float], label: int) -> dict[str, Any]:
    """A box as COCO has it."""
    left, top, right, bottom = box
    sides = [left, top, right - left, bottom - top]
    return {"image_id": number, "category_id": label, "bbox": sides, "area": sides[2] * sides[3], "iscrowd": 0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("run", type=Path, help="the folder of a finished run of boxes")
    parser.add_argument("--minutes", type=float, required=True, help="of training, of processor time")
    parser.add_argument("--size", type=int, default=320, help="pixels of the longer side")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    examples = [one for one in read_examples(arguments.run / "examples.csv", Boxes) if one.split is not None]
    classes = sorted({name for one in examples for name in one.target.classes})
    items = [opened(one, classes, arguments.size) for one in examples]
    learned = [item for item, one in zip(items, examples, strict=True) if one.split != "test"]
    tested = [item for item, one in zip(items, examples, strict=True) if one.split == "test"]
    network = build(len(classes), arguments.size)
    epochs = train(network, learned, arguments.minutes, arguments.seed)
    record = {"train": len(learned), "test": len(tested), "minutes": arguments.minutes, "epochs": epochs}
    print(json.dumps(record | judge(network, tested, len(classes))))


if __name__ == "__main__":
    main()
