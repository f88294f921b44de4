"""A network that gives sentences vectors, in a folder. In: a folder or a hub's name. Out: SentenceNetwork. Next: sentences.py.

The folder holds model.onnx (or onnx/model.onnx) and tokenizer.json or vocab.txt, as networks of BERT's kind come; how vectors of
word pieces become one stands in 1_Pooling/config.json, as sentence-transformers writes it, or is their mean.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from tellapart.errors import BackboneError, SettingsError
from tellapart.features.sentence_hub import fetch
from tellapart.storage import storage_errors
from tellapart.texts.pieces import PieceInputs

Pooling = Literal["mean", "first", "own"]  # of the vectors of all pieces; of the first; the network gives one by itself

_NAMED = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
_MOST_BYTES = 1_500_000_000  # of model.onnx, so that ours fits into one file
_MOST_TEXT = 64_000_000  # bytes of the other files
_MOST_PIECES = 512
_USUAL_PIECES = 256
_ONE = ("sentence_embedding", "pooler_output")  # outputs [N, D], by what they are called


@dataclass(frozen=True, kw_only=True, eq=False)
class SentenceNetwork:
    """What is needed to embed texts."""

    name: str
    model: Path  # ONNX: numbers of pieces to vectors
    inputs: PieceInputs
    pooling: Pooling
    scaled: bool  # to length 1
    license: str

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the network, and of how it is used."""
        with storage_errors(self.model):
            digest = hashlib.sha256(self.model.read_bytes())
        own = self.inputs
        told = [self.pooling, self.scaled, own.most, own.lowercase, own.unmarked, own.apart, own.first, own.last]
        digest.update(json.dumps([*told, sorted(own.pieces.items(), key=lambda one: one[1])]).encode())
        return digest.hexdigest()


def open_sentence_network(named: str) -> SentenceNetwork:
    """The network in a folder, or by its name on the Hugging Face hub, where that is reached or has been before.

    Raises: SettingsError for neither; BackboneUnavailable where the hub cannot be reached; BackboneError for what a folder lacks.
    """
    folder = Path(named)
    if not folder.is_dir():
        if folder.exists() or not _NAMED.fullmatch(named):
            raise SettingsError(
                f"--embeddings is {named!r}, which is no folder and no name on the Hugging Face hub. Give a folder that holds "
                "model.onnx and tokenizer.json, or a name such as sentence-transformers/all-MiniLM-L6-v2."
            )
        folder = fetch(named if "/" in named else f"sentence-transformers/{named}")
    told = _Told(folder)
    return SentenceNetwork(
        name=folder.name if Path(named).is_dir() else named,
        model=_model(folder),
        inputs=told.inputs(),
        pooling=told.pooling(),
        scaled=told.scaled(),
        license="that of the folder's network" if Path(named).is_dir() else f"that of {named} on the hub",
    )


def _model(folder: Path) -> Path:
    """Its ONNX file, the plainest where there are several. Raises: BackboneError."""
    for place in (folder / "model.onnx", folder / "onnx" / "model.onnx"):
        if place.is_file():
            found = place
            break
    else:
        others = sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])
        if len(others) != 1:
            raise BackboneError(
                f"the folder {str(folder)!r} holds {len(others) or 'no'} files of ONNX, none called model.onnx. Put the network "
                "there under that name; `optimum-cli export onnx` writes one."
            )
        (found,) = others
    with storage_errors(found):
        size = found.stat().st_size
    if size > _MOST_BYTES:
        raise BackboneError(
            f"{str(found)!r} has {size:,} bytes, and a model of texts holds it whole: {_MOST_BYTES:,} are the most. Give a smaller "
            "network, or one in 8 bits."
        )
    return found


class _Told:
    """What the small files of a folder say."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def inputs(self) -> PieceInputs:
        """How texts become numbers. Raises: BackboneError for no tokenizer, or one of another kind."""
        tokenizer = self._json("tokenizer.json")
        if tokenizer:
            return self._from_tokenizer(tokenizer)
        vocabulary = self._folder / "vocab.txt"
        if not vocabulary.is_file():
            raise BackboneError(
                f"the folder {str(self._folder)!r} holds neither tokenizer.json nor vocab.txt, so that nobody knows how texts "
                "become numbers. Put the one there that came with the network."
            )
        lines = self._text("vocab.txt").split("\n")
        pieces = {line.rstrip("\r"): number for number, line in enumerate(lines) if line.rstrip("\r")}
        config = self._json("tokenizer_config.json")
        lowercase = config.get("do_lower_case", not any("A" <= piece[:1] <= "Z" for piece in pieces))
        return self._made(
            pieces,
            lowercase=bool(lowercase),
            unmarked=config.get("strip_accents"),
            apart=bool(config.get("tokenize_chinese_chars", True)),
        )

    def _from_tokenizer(self, tokenizer: Mapping[str, Any]) -> PieceInputs:
        model, normalizer = tokenizer.get("model") or {}, tokenizer.get("normalizer") or {}
        cutting = (tokenizer.get("pre_tokenizer") or {}).get("type")
        kinds = (model.get("type"), normalizer.get("type"), cutting, model.get("continuing_subword_prefix", "##"))
        if kinds != ("WordPiece", "BertNormalizer", "BertPreTokenizer", "##") or not isinstance(
            model.get("vocab"), dict
        ):
            raise BackboneError(
                f"{str(self._folder / 'tokenizer.json')!r} cuts texts by {model.get('type') or 'no model'}, and only word pieces "
                "as BERT has them (WordPiece with BertNormalizer and BertPreTokenizer) are known here. Give a network such as "
                "all-MiniLM-L6-v2, bge-small or e5-small."
            )
        return self._made(
            {str(piece): number for piece, number in model["vocab"].items()},
            lowercase=bool(normalizer.get("lowercase", True)),
            unmarked=normalizer.get("strip_accents"),
            apart=bool(normalizer.get("handle_chinese_chars", True)),
        )

    def _made(self, pieces: dict[str, int], *, lowercase: bool, unmarked: bool | None, apart: bool) -> PieceInputs:
        """Raises: BackboneError where a number that every text needs is missing, or numbers are not 0, 1, 2 ..."""
        missing = [name for name in ("[CLS]", "[SEP]", "[UNK]", "[PAD]") if name not in pieces]
        numbers = sorted(number for number in pieces.values() if isinstance(number, int))
        if missing or numbers != list(range(len(pieces))) or any("\n" in piece for piece in pieces):
            lacks = f"lacks {missing[0]}" if missing else "has numbers that are not 0, 1, 2 and so on, each once"
            raise BackboneError(
                f"the vocabulary in {str(self._folder)!r} {lacks}, and is none of BERT's kind. Give the one of the network."
            )
        return PieceInputs(
            pieces=pieces,
            lowercase=lowercase,
            unmarked=lowercase if unmarked is None else bool(unmarked),
            apart=apart,
            first=pieces["[CLS]"],
            last=pieces["[SEP]"],
            unknown=pieces["[UNK]"],
            padding=pieces["[PAD]"],
            most=self._most(),
        )

    def _most(self) -> int:
        """How many numbers of a text are looked at."""
        told = self._json("sentence_bert_config.json").get("max_seq_length")
        most = told if isinstance(told, int) else _USUAL_PIECES
        places = self._json("config.json").get("max_position_embeddings", _MOST_PIECES)
        return max(3, min(most, _MOST_PIECES, places if isinstance(places, int) else _MOST_PIECES))

    def pooling(self) -> Pooling:
        """How the vectors of the pieces become one. Raises: BackboneError for another way."""
        import onnx

        with storage_errors(self._folder):
            outputs = {one.name: one for one in onnx.load(_model(self._folder), load_external_data=False).graph.output}
        if _ONE[0] in outputs:
            return "own"
        config = self._json(Path("1_Pooling") / "config.json")
        ways = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
        ways = ways or [str(config.get("pooling_mode", "pooling_mode_mean_tokens"))]
        known: dict[str, Pooling] = {"mean_tokens": "mean", "mean": "mean", "cls_token": "first", "cls": "first"}
        way = ways[0].removeprefix("pooling_mode_")
        if len(ways) > 1 or way not in known:
            raise BackboneError(
                f"{str(self._folder)!r} pools by {', '.join(ways)}, and the mean or the first vector are known here. Export the "
                "network with its pooling, as an output called sentence_embedding."
            )
        return known[way]

    def scaled(self) -> bool:
        """Whether vectors have length 1: as modules.json says, and where nothing is said."""
        modules = self._json("modules.json", expected=list)
        return not modules or any("Normalize" in str(one.get("type")) for one in modules if isinstance(one, dict))

    def _json(self, name: str | Path, expected: type = dict) -> Any:
        """What a file holds; nothing where it is not there. Raises: BackboneError, StorageError."""
        if not (self._folder / name).is_file():
            return expected()
        try:
            found = json.loads(self._text(name))
        except ValueError as error:
            raise BackboneError(f"{str(self._folder / name)!r} is no JSON: {error}. Fetch it again.") from None
        if not isinstance(found, expected):
            raise BackboneError(f"{str(self._folder / name)!r} holds no {expected.__name__}. Fetch it again.")
        return found

    def _text(self, name: str | Path) -> str:
        path = self._folder / name
        with storage_errors(path):
            if path.stat().st_size > _MOST_TEXT:
                raise BackboneError(f"{str(path)!r} is larger than {_MOST_TEXT:,} bytes. Give the file of the network.")
            return path.read_bytes().decode("utf-8-sig", "replace")
