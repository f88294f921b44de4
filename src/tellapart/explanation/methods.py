"""The methods that draw a heatmap, as one table. In: a Subject. Out: Heat. Next: graph.py.

Shapes: N pictures, S side of the picture, K classes, C H W channels, height and width of a map.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from tellapart.errors import ModelFileError
from tellapart.explanation.activation import ClassActivation, class_activation
from tellapart.explanation.decomposition import Decomposition, StageMaps
from tellapart.explanation.faithfulness import Predict
from tellapart.explanation.gradients import integrated_gradients, last_map_gradients, layer_gradients
from tellapart.explanation.occlusion import occlusion
from tellapart.explanation.scorecam import MOST_CHANNELS, score_cam

if TYPE_CHECKING:
    from tellapart.models.staged import StagedNetwork


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A model, with all that a method may ask of it. What is costly is opened when it is first asked for."""

    predict: Predict
    background: NDArray[np.uint8]  # [3], the colour that covers: the mean that the network was normalised with
    activation: Callable[[], ClassActivation]  # raises ModelFileError where the network has no last map
    stage_maps: Callable[[], StageMaps]  # raises ModelFileError where the score is no sum over maps
    network: Callable[[], StagedNetwork]  # raises ModelFileError without the run's weights
    has_run: bool  # whether they are there
    layer: str | None  # None: the last map
    layer_maps: Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None  # uint8 [S, S, 3] -> `layer`'s [C, H, W]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """Where a picture speaks for a class."""

    heatmap: NDArray[np.float32]  # [h, w] in [0, 1]
    note: str = ""  # what should be known of how it was made
    told: Decomposition | None = None  # what the class's logit is the sum of, where the method says so


Explainer = Callable[[Subject, NDArray[np.uint8], int], Heat]  # picture uint8 [S, S, 3], class


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One way to draw a heatmap, and what it takes."""

    title: str
    source: str
    looks_at: Literal["map", "stages", "picture"]  # only a map can be that of another layer
    needs_run: bool  # the weights and torch; otherwise model.onnx is enough, at the last map
    explain: Explainer


def gradcam(subject: Subject, image: NDArray[np.uint8], target: int) -> Heat:
    """Grad-CAM: channels weighted by their mean gradient, on a picture uint8 [S, S, 3]. Raises: ModelFileError, SettingsError."""
    maps, gradients = _gradients(subject, image, target)
    return Heat(heatmap=class_activation(maps, gradients.mean((1, 2))))


def gradcam_plus_plus(subject: Subject, image: NDArray[np.uint8], target: int) -> Heat:
    """Grad-CAM++: gradients above 0 count, those that stand out in their channel more (eq. 19 for the exponential of the
    logit, and eq. 5), on a picture uint8 [S, S, 3]. Raises: ModelFileError, SettingsError."""
    maps, gradients = _gradients(subject, image, target)
    total = maps.sum((1, 2), keepdims=True)
    square = gradients**2
    below = 2 * square + total * gradients**3
    alphas = np.divide(square, below, out=np.zeros_like(square), where=below != 0)
    return Heat(heatmap=class_activation(maps, (alphas * np.maximum(gradients, 0)).sum((1, 2))))


def scorecam(subject: Subject, image: NDArray[np.uint8], target: int) -> Heat:
    """Score-CAM, which takes no gradients, on a picture uint8 [S, S, 3]. Raises: ModelFileError, SettingsError."""
    maps = subject.layer_maps(image) if subject.layer_maps else subject.activation().maps(image[None])[0][0]
    heatmap = score_cam(image, maps, target, predict=subject.predict, background=subject.background)
    tried = f"{MOST_CHANNELS} of {len(maps):,} channels" if len(maps) > MOST_CHANNELS else ""
    return Heat(heatmap=heatmap, note=tried)


def stages(subject: Subject, image: NDArray[np.uint8], target: int) -> Heat:
    """The score as an exact sum over stages, on a picture uint8 [S, S, 3]. Raises: ModelFileError where it is none."""
    found = subject.stage_maps()(image, target)
    return Heat(heatmap=found.heatmap(), note=found.in_words(), told=found)


def occlude(subject: Subject, image: NDArray[np.uint8], target: int) -> Heat:
    """Occlusion, which works with every network, on a picture uint8 [S, S, 3]."""
    return Heat(heatmap=occlusion(image, target, predict=subject.predict, background=subject.background))


def integrate(subject: Subject, image: NDArray[np.uint8], target: int) -> Heat:
    """Integrated gradients on a picture uint8 [S, S, 3]. Raises: ModelFileError without the run's weights."""
    heatmap = integrated_gradients(subject.network(), image, target, background=subject.background)
    # Scattered pixels disturb a network more than a patch of as many, whatever they show.
    return Heat(heatmap=heatmap, note="deletion flatters scattered pixels")


EXPLAINERS: Mapping[str, Method] = {
    "gradcam": Method(
        title="Grad-CAM",
        source="Selvaraju et al. 2017, arXiv 1610.02391",
        looks_at="map",
        needs_run=False,
        explain=gradcam,
    ),
    "gradcam++": Method(
        title="Grad-CAM++",
        source="Chattopadhyay et al. 2018, arXiv 1710.11063",
        looks_at="map",
        needs_run=False,
        explain=gradcam_plus_plus,
    ),
    "scorecam": Method(
        title="Score-CAM",
        source="Wang et al. 2020, arXiv 1910.01279",
        looks_at="map",
        needs_run=False,
        explain=scorecam,
    ),
    "stages": Method(
        title="Sum over stages",
        source="Zhou et al. 2016, arXiv 1512.04150",
        looks_at="stages",
        needs_run=False,
        explain=stages,
    ),
    "occlusion": Method(
        title="Occlusion",
        source="Zeiler and Fergus 2013, arXiv 1311.2901",
        looks_at="picture",
        needs_run=False,
        explain=occlude,
    ),
    "integrated_gradients": Method(
        title="Integrated gradients",
        source="Sundararajan et al. 2017, arXiv 1703.01365",
        looks_at="picture",
        needs_run=True,
        explain=integrate,
    ),
}


def _gradients(
    subject: Subject, image: NDArray[np.uint8], target: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The map looked at and the logit's gradient in it, [C, H, W]: from model.onnx where it can be had from there."""
    if subject.layer is not None:
        return layer_gradients(subject.network(), subject.layer, image, target)
    try:
        activation = subject.activation()
    except ModelFileError:
        if not subject.has_run:
            raise
        return last_map_gradients(subject.network(), image, target)
    if subject.has_run and not activation.last.averaged:
        return last_map_gradients(subject.network(), image, target)
    maps = activation.maps(image[None])[0][0]
    weights = activation.channel_weights(maps, target)
    return maps, np.broadcast_to(weights[:, None, None], maps.shape)
