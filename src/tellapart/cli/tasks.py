"""What commands say about a data set's task. In: nothing. Out: the choices and texts of flags. Next: train.py."""

from __future__ import annotations

TASKS = ("classification", "multilabel")
READ_TASKS = (*TASKS, "detection")  # whose data are read and audited, also where nothing learns from them yet
TASK_HELP = (
    "classification: one class a picture. multilabel: several, or none: a CSV with path,labels, or with a column of 0 and 1 "
    "for each class. detection: boxes with classes (Pascal VOC, COCO, YOLO, LabelMe, or a CSV with "
    "path,xmin,ymin,xmax,ymax,label), so far only for `check`.  [default: found from the data]"
)
MODEL_TASK_HELP = (
    "The model's own task; it says that the pictures are for that, where they look like another task's, such as images "
    "beside masks."
)
SEPARATORS = ("|", ";", ",", " ")
SEPARATOR_HELP = "What stands between the labels of one cell: | ; , or a space.  [default: |]"

# What a person writes into the column `label` of a table of doubtful labels so that a picture is left out.
LEFT_OUT = {"multilabel": "- leaves the picture out, empty is none of the classes"}
