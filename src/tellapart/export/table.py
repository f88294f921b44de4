"""The formats that a model can be exported to. In: nothing. Out: FORMATS. Next: tools.py.

A format says which steps make it, each in the Python of a tool (tools.py) by a function of a file in formats/, what its runtime can
take, and who runs it. A new one is a row here and such a file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from tellapart.export.for_ncnn import for_ncnn
from tellapart.export.plain import Shape

OURS = "tellapart"  # the tool that is our own Python
MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportStep:
    """One file becomes another."""

    tool: str  # whose Python does it
    code: str  # file in formats/
    by: str = "convert"  # function in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way to hand a model on."""

    name: str
    file: str  # in the format's folder; the number of a version where `numbered`
    steps: Sequence[ExportStep]
    runtime: ExportStep | None  # who runs it, by `load`; None: nobody can here
    said: str  # what it is and who takes it, in a line
    sealed: bool = False  # whether the file keeps the manifest, so that tellapart opens it as any model
    batch: int | None = None  # pictures that it takes at once; None: any number
    suppressed: bool = False  # whether its runtime can leave out boxes that lie on others
    simple: bool = True  # whether it wants lengths said by multiplications and roots
    planes: bool = False  # whether it takes float32 [N, 3, S, S] in place of uint8 [N, S, S, 3]
    without: Sequence[str] = ()  # outputs that its runtime has no operators for
    calibrated: bool = False  # whether training pictures tell the range of its numbers
    numbered: bool = False  # whether each export is a version with the next number
    # Of a model that looks at several views the converter is given a graph of any number of pictures: with one, onnx2tf takes the
    # axis of views for another.
    views_apart: bool = False
    exact: bool = True  # whether it computes in float32
    page: bool = False  # whether the server's page stands around it
    any_length: bool = False  # whether its runtime takes rows of numbers of any length, as texts are
    adapted: Callable[[bytes, int], bytes] | None = (
        None  # its converter's own wording of the graph, by the picture's side
    )

    def shape(self, size: int, *, views: bool = False) -> Shape:
        """What its graph takes, of a model with inputs of `size` pixels, which may answer by the mean over several `views`."""
        return Shape(
            size=size,
            batch=None if views and self.views_apart else self.batch,
            suppressed=self.suppressed,
            simple=self.simple,
            planes=self.planes,
            without=tuple(self.without),
        )

    @property
    def tools(self) -> tuple[str, ...]:
        """Those that it needs, each once."""
        steps = [*self.steps, *([] if self.runtime is None else [self.runtime])]
        return tuple(dict.fromkeys(step.tool for step in steps))


def _lite(name: str, weights: str, said: str) -> Format:
    return Format(
        name=name,
        file=f"{MODEL}.tflite",
        steps=[ExportStep(tool="tensorflow", code="saved_model", by=f"convert_lite_{weights}")],
        runtime=ExportStep(tool="litert", code="litert"),
        said=said,
        batch=1,
        views_apart=True,
        exact=weights == "float32",
    )


_ROWS = (
    Format(
        name="onnx",
        file=f"{MODEL}.onnx",
        steps=[ExportStep(tool=OURS, code="onnx_runtime")],
        runtime=ExportStep(tool=OURS, code="onnx_runtime"),
        said="ONNX, folded; tellapart opens it too",
        sealed=True,
        suppressed=True,
        simple=False,
        any_length=True,
    ),
    Format(
        name="browser",
        file=f"{MODEL}.onnx",
        steps=[ExportStep(tool=OURS, code="onnx_runtime")],
        runtime=ExportStep(tool=OURS, code="browser"),
        said="a folder with the page of `serve`, for any web server or a double click; run in Node",
        sealed=True,
        suppressed=True,
        simple=False,
        page=True,
        any_length=True,
    ),
    Format(
        name="torchscript",
        file=f"{MODEL}.pt",
        steps=[ExportStep(tool=OURS, code="torchscript")],
        runtime=ExportStep(tool=OURS, code="torchscript"),
        said="TorchScript, for torch.jit.load in Python and C++",
        any_length=True,
    ),
    Format(
        name="torch-export",
        file=f"{MODEL}.pt2",
        steps=[ExportStep(tool=OURS, code="torch_program")],
        runtime=ExportStep(tool=OURS, code="torch_program"),
        said="a program of torch.export, for torch.export.load and AOTInductor",
        any_length=True,
    ),
    Format(
        name="openvino",
        file=f"{MODEL}.xml",
        steps=[ExportStep(tool="openvino", code="openvino_ir")],
        runtime=ExportStep(tool="openvino", code="openvino_ir"),
        said="OpenVINO's IR, in float32",
        suppressed=True,
        simple=False,
        any_length=True,
    ),
    Format(
        name="openvino-int8",
        file=f"{MODEL}.xml",
        steps=[ExportStep(tool="openvino", code="openvino_ir", by="quantise")],
        runtime=ExportStep(tool="openvino", code="openvino_ir"),
        said="OpenVINO's IR in int8, by NNCF",
        suppressed=True,
        simple=False,
        calibrated=True,
        exact=False,
    ),
    Format(
        name="tensorflow",
        file="1",
        steps=[ExportStep(tool="tensorflow", code="saved_model")],
        runtime=ExportStep(tool="tensorflow", code="saved_model"),
        said="a SavedModel in numbered versions, for TensorFlow Serving",
        numbered=True,
    ),
    _lite("litert", "float32", "LiteRT (.tflite), for phones and small boards"),
    _lite("litert-float16", "float16", "LiteRT with weights of half the size"),
    Format(
        name="litert-int8",
        file=f"{MODEL}.tflite",
        steps=[
            ExportStep(tool="tensorflow", code="saved_model", by="convert_lite_float32"),
            ExportStep(tool="litert", code="litert", by="quantise"),
        ],
        runtime=ExportStep(tool="litert", code="litert"),
        said="LiteRT in int8",
        batch=1,
        views_apart=True,
        calibrated=True,
        exact=False,
    ),
    Format(
        name="executorch",
        file=f"{MODEL}.pte",
        steps=[ExportStep(tool="executorch", code="executorch_program")],
        runtime=ExportStep(tool="executorch", code="executorch_program"),
        said="ExecuTorch with XNNPACK, for phones",
        batch=1,
    ),
    Format(
        name="ncnn",
        file=f"{MODEL}.param",
        steps=[ExportStep(tool="ncnn", code="ncnn_model")],
        runtime=ExportStep(tool="ncnn", code="ncnn_model"),
        said="ncnn with weights of half precision, for phones",
        batch=1,
        planes=True,
        without=["novelty"],
        exact=False,
        adapted=for_ncnn,
    ),
    Format(
        name="coreml",
        file=f"{MODEL}.mlpackage",
        steps=[ExportStep(tool="coreml", code="core_ml")],
        runtime=None,
        said="Core ML, for iOS and macOS; written here, not run",
        batch=1,
        planes=True,
        exact=False,
    ),
)
FORMATS: Mapping[str, Format] = MappingProxyType({row.name: row for row in _ROWS})
