"""What the names of folders and files say of pictures and masks. In: paths. Out: their parts. Next: mask_pairs.py."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

_NAMES_OF_MASKS = (
    "mask masks label labels labelled labeled annot annots annotation annotations annotated gt gts groundtruth truth trimap "
    "trimaps seg segs segmentation segmentations segmentationclass segmentationclasspng segmentationclassaug "
    "segmentationclassraw target targets matte mattes gtfine gtcoarse labelids labeltrainids manual1 manual "
    "标注 標注 标签 標籤 掩码 掩碼 掩膜 掩模 遮罩 蒙版 分割 标记 分割图 标注图"
)
_NAMES_OF_PICTURES = (
    "image images img imgs jpegimages picture pictures pic pics photo photos input inputs original originals origin ori raw sat "
    "leftimg8bit 图片 圖片 图像 圖像 原图 原圖 影像 照片 输入"
)
# Masks of the same pictures that say something else: things by number, colours beside numbers.
_NAMES_OF_OTHERS = "segmentationobject segmentationclassvisualization visualization visualizations"
_ENDS_OF_OTHERS = frozenset(("color", "instanceids", "instancetrainids", "polygons"))
_MASK_WORDS, _IMAGE_WORDS = frozenset(_NAMES_OF_MASKS.split()), frozenset(_NAMES_OF_PICTURES.split())
_OTHER_WORDS = frozenset(_NAMES_OF_OTHERS.split())
_SPLIT_AND_WORD = re.compile(r"(train|val|test)(\w+)")
_ANY_MASK_WORD = re.compile("|".join(map(re.escape, sorted(_MASK_WORDS))))
_WORDS = re.compile(r"[\W_]+")


class Named(NamedTuple):
    """What a path says, taken apart."""

    path: str
    folders: tuple[str, ...]  # below the root, without the words for pictures and masks
    stem: str  # of the file's name
    kind: str  # mask, image, other or "": what the innermost folder that says so is for
    said: str  # that folder's name


def words_of(name: str) -> list[str]:
    """A name's words in lower case."""
    return [word for word in _WORDS.split(unicodedata.normalize("NFKC", name).casefold()) if word]


def kind_of_folder(name: str) -> str:
    """What a folder is for by its name: mask, image, other or ""."""
    words = words_of(name)
    found = _SPLIT_AND_WORD.fullmatch(words[-1]) if words else None
    for word in [*words, "".join(words), *([found[2]] if found else [])]:
        if word in _OTHER_WORDS:
            return "other"
        if word in _MASK_WORDS:
            return "mask"
    return "image" if any(word in _IMAGE_WORDS for word in [*words, "".join(words)]) else ""


def take_apart(path: str, root: str) -> Named:
    """A path below `root` by its folders and name."""
    *folders, name = os.path.relpath(path, root).split(os.sep)
    kinds = [kind_of_folder(folder) for folder in folders]
    kept = [
        rest
        for folder, kind in zip(folders, kinds, strict=True)
        if (rest := rest_of_folder(folder) if kind else folder)
    ]
    stem = unicodedata.normalize("NFC", os.path.splitext(name)[0])
    said, kind = next(
        ((folder, kind) for folder, kind in zip(folders[::-1], kinds[::-1], strict=True) if kind), ("", "")
    )
    if kind == "mask" and len(words := words_of(stem)) > 1 and words[-1] in _ENDS_OF_OTHERS:
        kind = "other"
    return Named(path, tuple(kept), stem, kind, said)


def rest_of_folder(folder: str) -> str:
    """What a folder's name says beside that it is for pictures or masks: train of train_masks, and of trainannot."""
    words = []
    for word in words_of(folder):
        found = _SPLIT_AND_WORD.fullmatch(word)
        if found and found[2] in _MASK_WORDS | _IMAGE_WORDS:
            words.append(found[1])
        elif word not in _MASK_WORDS | _IMAGE_WORDS | _OTHER_WORDS:
            words.append(word)
    joined = "".join(words_of(folder))
    return "" if joined in _MASK_WORDS | _IMAGE_WORDS | _OTHER_WORDS else "_".join(words)


def bare(stem: str) -> str:
    """A file's name without the words for pictures and masks at its ends: a of a_mask, mask-a, a_sat and a.label."""
    found = stem.casefold()
    known = "|".join(sorted(_MASK_WORDS | _IMAGE_WORDS, key=len, reverse=True))
    for pattern in (rf"^(.+?)[_. -]+(?:{known})$", rf"^(?:{known})[_. -]+(.+)$"):
        while match := re.match(pattern, found):
            found = match[1]
    return found


def without_mask_words(text: str) -> str:
    """What a name says beside that it is of a mask: cell of cell_mask, "" of mask."""
    return "_".join(word for word in words_of(text) if word not in _MASK_WORDS)


def may_say_mask(names: Iterable[str]) -> bool:
    """Whether one of many names may say that a file is a mask; quick."""
    return _ANY_MASK_WORD.search("\n".join(names).casefold()) is not None


def says_mask(stem: str) -> bool:
    """Whether a file's name says that it is a mask: a_mask, mask_a."""
    words = words_of(stem)
    return len(words) > 1 and (words[-1] in _MASK_WORDS or words[0] in _MASK_WORDS)
