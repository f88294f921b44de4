"""What commands say about a data set's task. In: nothing. Out: the choices and texts of flags. Next: train.py."""

from __future__ import annotations

from typing import NamedTuple


class Told(NamedTuple):
    """A task of which data are read, as --task tells of it."""

    target: str  # what is known of a picture, and where it is found
    learned: bool = True  # False: the data are read and audited, and nothing learns from them yet


READ = {
    "classification": Told("one class a picture"),
    "multilabel": Told("several, or none: a CSV with path,labels, or with a column of 0 and 1 for each class"),
    "text": Told(
        "a class a text (a CSV with text,label, folders of .txt, reviews.pos and reviews.neg, or lines of a text, a tab and the "
        "number of a class)"
    ),
    "segmentation": Told(
        "a class a pixel: images beside masks (images/ and masks/, Pascal VOC, COCO, LabelMe, or a CSV with path,mask)"
    ),
    "detection": Told(
        "boxes with classes (Pascal VOC, COCO, YOLO, LabelMe, Label Studio, or a CSV with path,xmin,ymin,xmax,ymax,label)"
    ),
}
READ_TASKS = tuple(READ)


def item_of(task: str) -> str:
    """What a task's data are of: text or picture."""
    return "text" if task == "text" else "picture"


TASKS = tuple(name for name, told in READ.items() if told.learned)
_LINES = [f"{name}: {told.target}{'' if told.learned else ', so far only for `check`'}." for name, told in READ.items()]
TASK_HELP = f"{' '.join(_LINES)}  [default: found from the data]"
MODEL_TASK_HELP = (
    "The model's own task; it says that the pictures are for that, where they look like another task's, such as images "
    "beside masks."
)
SEPARATOR_HELP = (
    "What stands between the labels of one cell: | ; , / + & or a space, or \u3001 \uff0c \uff1b as Chinese has them."
    "  [default: |]"
)
