"""What a training leaves to look at. In: epochs, pictures. Out: TensorBoard events. Next: loop.py.

Events are written by tensorboardX's EventsWriter and not by its SummaryWriter, whose queue and thread lose the last
epochs in a kill and block for ever on a full disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tellapart.storage import storage_errors, write_bytes
from tellapart.training.progress import Epoch


class Curves:
    """TensorBoard's view of a training: scalars of each epoch, sample pictures, the network, embeddings."""

    def __init__(self, folder: Path, *, resumed_after: int = 0) -> None:
        """`resumed_after`: epochs that an earlier process has written; later ones of its are hidden. Raises: StorageError."""
        from tensorboardX.event_file_writer import EventsWriter

        self.folder = folder
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._writer: Any = EventsWriter(str(folder / "events"), f".{time.time_ns()}")
        if resumed_after:
            self._write(resumed_after + 1, session_log=_restart())

    def epoch(self, epoch: Epoch) -> None:
        """Write one epoch's scalars, each figure as NAME/train and NAME/validation, flushed to the file. Raises: StorageError."""
        from tensorboardX.summary import scalar

        values = {
            "loss/train": epoch.train_loss,
            "loss/validation": epoch.validation_loss,
            **{f"{name}/train": value for name, value in epoch.train.items()},
            **{f"{name}/validation": value for name, value in epoch.validation.items()},
            "learning_rate": epoch.learning_rate,
            "seconds": epoch.seconds,
            "pictures_per_second": epoch.pictures_per_second,
        }
        for tag, value in values.items():
            self._write(epoch.number, summary=scalar(tag, value))
        with storage_errors(self.folder):
            self._writer.flush()

    def pictures(self, tag: str, images: NDArray[np.uint8], *, epoch: int = 0) -> None:
        """Write pictures uint8 [N, S, S, 3] as `tag`/0 ... `tag`/N-1. Raises: StorageError."""
        from tensorboardX.summary import image

        for number, picture in enumerate(images):
            self._write(epoch, summary=image(f"{tag}/{number}", picture, dataformats="HWC"))
        with storage_errors(self.folder):
            self._writer.flush()

    def graph(self, layers: Sequence[tuple[str, str, tuple[int, ...]]]) -> None:
        """Write the layers as a chain: name, kind, and what each gives for one picture. Raises: StorageError."""
        from tensorboardX.proto.attr_value_pb2 import AttrValue
        from tensorboardX.proto.graph_pb2 import GraphDef
        from tensorboardX.proto.node_def_pb2 import NodeDef

        graph, before = GraphDef(), "picture"
        graph.node.append(NodeDef(name=before, op="picture"))
        for number, (name, kind, shape) in enumerate(layers):
            node = NodeDef(name=f"{name.replace('.', '/')}/{number}", op=kind.replace(", ", "_"), input=[before])
            sizes: Any = AttrValue()
            told = sizes.list.shape.add()
            for side in (-1, *shape):
                told.dim.add(size=side)
            node.attr["_output_shapes"].CopyFrom(sizes)
            graph.node.append(node)
            before = node.name
        self._write(0, graph_def=graph.SerializeToString())
        with storage_errors(self.folder):
            self._writer.flush()

    def embeddings(self, vectors: NDArray[np.float32], labels: Sequence[str]) -> None:
        """Write vectors [N, D] with their N labels where TensorBoard's projector looks for them. Raises: StorageError."""
        rows = ("\t".join(f"{value:.5g}" for value in vector) for vector in vectors.tolist())
        write_bytes(self.folder / "embeddings.tsv", ("\n".join(rows) + "\n").encode())
        names = (" ".join(label.split()) for label in labels)
        write_bytes(self.folder / "labels.tsv", ("\n".join(names) + "\n").encode("utf-8", "replace"))
        told = 'embeddings {\n  tensor_name: "validation"\n  tensor_path: "embeddings.tsv"\n  metadata_path: "labels.tsv"\n}\n'
        write_bytes(self.folder / "projector_config.pbtxt", told.encode())

    def close(self) -> None:
        """Close the file. Raises: StorageError."""
        with storage_errors(self.folder):
            self._writer.close()

    def _write(self, step: int, **content: Any) -> None:
        from tensorboardX.proto.event_pb2 import Event

        with storage_errors(self.folder):
            self._writer.write_event(Event(step=step, wall_time=time.time(), **content))


def _restart() -> Any:
    """TensorBoard hides what earlier files say of this step and later ones."""
    from tensorboardX.proto.event_pb2 import SessionLog

    return SessionLog(status=SessionLog.SessionStatus.Value("START"))


@contextlib.contextmanager
def open_curves(folder: Path, *, resumed_after: int = 0) -> Iterator[Curves]:
    """Curves that are closed whatever happens."""
    curves = Curves(folder, resumed_after=resumed_after)
    try:
        yield curves
    finally:
        curves.close()
