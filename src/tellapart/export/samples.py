"""Sample code in several languages, shipped beside a model. In: languages. Out: files. Next: samples/python/prepare_picture.py.

Each sample is short, stands alone, and holds a test of itself against the golden pictures (golden.py).
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tellapart.errors import SettingsError
from tellapart.storage import write_bytes

_NUMBERS = "{{numbers}}"  # in a language without JSON: where the model's own numbers are written


class Declaration(NamedTuple):
    """How a language without JSON at hand writes the model's own numbers, a line each."""

    whole: str
    number: str
    text: str
    numbers: str  # a list of three


class Sample(NamedTuple):
    """The sample of one language."""

    folder: str  # in the package and in the bundle
    test: str  # how it tests itself, from that folder
    needs: str
    declares: Declaration | None = None  # None: it reads preprocessing.json
    network: str = ""  # how the network is asked, too, where `test` does not


_CPP = Declaration(
    "  int {name} = {value};",
    "  double {name} = {value};",
    '  std::string {name} = "{value}";',
    "  std::array<double, 3> {name}{{{value}}};",
)
_JAVA = Declaration(
    "    int {name} = {value};",
    "    double {name} = {value};",
    '    String {name} = "{value}";',
    "    double[] {name} = {{{value}}};",
)
_CSHARP = Declaration(
    "    public int {name} = {value};",
    "    public double {name} = {value};",
    '    public string {name} = "{value}";',
    "    public double[] {name} = {{ {value} }};",
)

# How they are built; INCLUDE, LIB, onnxruntime.jar and VERSION are where, and of which version, the user has ONNX Runtime.
_GPP = "g++ -std=c++17 -O2 -o self_test self_test.cpp{} && ./self_test"
_WITH_ONNX = " -DWITH_ONNXRUNTIME -I INCLUDE -L LIB -Wl,-rpath,LIB -lonnxruntime"
_JAVA_NETWORK = "javac -cp onnxruntime.jar *.java && java -cp onnxruntime.jar:. SelfTest"
_DOTNET, _DOTNET_NETWORK = ".NET 8 or newer (we ran it with Mono)", "dotnet run -p:OnnxRuntime=VERSION"

SAMPLES: Mapping[str, Sample] = {
    "python": Sample("python", "python self_test.py", "numpy, Pillow, onnxruntime"),
    "javascript": Sample("javascript", "npm install --ignore-scripts && node self_test.js", "Node 18 or newer"),
    "c++": Sample("cpp", _GPP.format(""), "a compiler of C++17", _CPP, _GPP.format(_WITH_ONNX)),
    "java": Sample("java", "javac SelfTest.java && java SelfTest", "Java 17 or newer", _JAVA, _JAVA_NETWORK),
    "csharp": Sample("csharp", "dotnet run", _DOTNET, _CSHARP, _DOTNET_NETWORK),
}


READ_JSON = frozenset({"python", "javascript"})  # of the languages, those whose samples of texts do
# The same of models of texts, in folders of the package called so with _texts behind it.
TEXT_SAMPLES: Mapping[str, Sample] = {
    "python": Sample("python", "python self_test.py", "NumPy, and onnxruntime for the network"),
    "javascript": Sample(
        "javascript",
        "npm install --ignore-scripts && node self_test.js",
        "Node 18 or newer; without npm no network is asked",
    ),
    "c++": Sample("cpp", _GPP.format(""), "a compiler of C++17", network=_GPP.format(_WITH_ONNX)),
    "java": Sample("java", "javac SelfTest.java && java SelfTest", "Java 17 or newer", network=_JAVA_NETWORK),
    "csharp": Sample("csharp", "dotnet run", _DOTNET, network=_DOTNET_NETWORK),
}


def check_languages(languages: Iterable[str], samples: Mapping[str, Sample] = SAMPLES) -> list[str]:
    """The languages, each once. Raises: SettingsError for one that there is no sample of."""
    found = list(dict.fromkeys(one.lower() for one in languages))
    for one in found:
        if one not in samples:
            raise SettingsError(f"--for is {one!r}; there are samples for {', '.join(samples)}. Choose among these.")
    return found


def told_tests(languages: Iterable[str], samples: Mapping[str, Sample] = SAMPLES) -> str:
    """How the samples of `languages` test themselves, a line each, as a README says it."""
    lines = []
    for language in languages:
        sample = samples[language]
        more = f"; the network, too: `{sample.network}`" if sample.network else ""
        lines.append(f"- {language}: `cd {sample.folder} && {sample.test}` (needs {sample.needs}){more}")
    return "\n".join(lines)


def write_samples(languages: Iterable[str], specification: Mapping[str, Any], folder: Path) -> list[str]:
    """Write the samples of `languages` below a folder; the names of their folders. Raises: SettingsError, StorageError."""
    written = []
    for language in check_languages(languages):
        sample = SAMPLES[language]
        for name, text in read_sample(sample.folder).items():
            write_bytes(folder / sample.folder / name, text.replace(_NUMBERS, _numbers(sample, specification)).encode())
        written.append(sample.folder)
    return written


def write_text_samples(languages: Iterable[str], folder: Path) -> list[str]:
    """The same for a model of texts; these read their numbers from files. Raises: SettingsError, StorageError."""
    written = []
    for language in check_languages(languages, TEXT_SAMPLES):
        sample = TEXT_SAMPLES[language]
        for name, text in read_sample(f"{sample.folder}_texts").items():
            write_bytes(folder / sample.folder / name, text.encode())
        written.append(sample.folder)
    return written


def read_sample(folder: str) -> dict[str, str]:
    """The files of a sample as they are shipped, by name."""
    place = importlib.resources.files("tellapart.export").joinpath("samples", folder)
    return {
        one.name: one.read_text(encoding="utf-8")
        for one in sorted(place.iterdir(), key=lambda one: one.name)
        if one.is_file()
    }


def _numbers(sample: Sample, specification: Mapping[str, Any]) -> str:
    """The model's numbers as lines of code; their names are those of preprocessing.json."""
    if sample.declares is None:
        return ""
    lines = []
    for name, value in specification["preprocessing"].items():
        if isinstance(value, str):
            lines.append(sample.declares.text.format(name=name, value=value))
        elif name in ("mean", "std"):
            lines.append(sample.declares.numbers.format(name=name, value=", ".join(map(repr, map(float, value)))))
        elif isinstance(value, int):
            lines.append(sample.declares.whole.format(name=name, value=value))
        elif isinstance(value, float):
            lines.append(sample.declares.number.format(name=name, value=repr(value)))
    return "\n".join(lines)
