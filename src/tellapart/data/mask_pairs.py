"""Which mask is of which picture, by the names of folders and files alone. In: paths. Out: MaskPairs. Next: mask_class_files.py.

Folders are called as pictures or masks are (images, masks, label, 标注); what is left of a path without such words must be equal:
train/images/a.jpg and train/masks/a.png, images/train/a.jpg and masks/train/a_mask.png, train/a.jpg and trainannot/a.png.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tellapart.data.tree import has_picture_name

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
_NAMES_OF_OTHERS = "segmentationobject segmentationclassvisualization visualization color colors instanceids polygons"
_MASK_WORDS, _IMAGE_WORDS = frozenset(_NAMES_OF_MASKS.split()), frozenset(_NAMES_OF_PICTURES.split())
_OTHER_WORDS = frozenset(_NAMES_OF_OTHERS.split())
_SPLIT_AND_WORD = re.compile(r"(train|val|test)(\w+)")
_WORDS = re.compile(r"[\W_]+")


class Named(NamedTuple):
    """What a path says, taken apart."""

    path: str
    folders: tuple[str, ...]  # below the root, without the words for pictures and masks
    stem: str  # of the file's name
    kind: str  # mask, image, other or "": what the innermost folder that says so is for


class MaskPair(NamedTuple):
    """A picture and its masks."""

    picture: str
    mask: str
    parts: tuple[tuple[str, str], ...] = ()  # of one mask a class: class and path, the first is `mask`


class MaskPairs(NamedTuple):
    """What was found."""

    pairs: list[MaskPair]  # sorted by picture
    without_mask: list[str]  # pictures
    without_picture: list[str]  # masks
    several: list[
        tuple[str, str]
    ]  # pictures of which more than one mask is called alike, and the mask that is not read
    form: str  # in words, why: images/ beside masks/


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
    kept = [rest for folder, kind in zip(folders, kinds, strict=True) if (rest := _rest(folder) if kind else folder)]
    stem = unicodedata.normalize("NFC", os.path.splitext(name)[0])
    return Named(path, tuple(kept), stem, next((kind for kind in reversed(kinds) if kind), ""))


def _rest(folder: str) -> str:
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
    known = "|".join(sorted(_MASK_WORDS | _IMAGE_WORDS | {"l", "p", "bin", "binary", "rgb"}, key=len, reverse=True))
    for pattern in (rf"^(.+?)[\W_]+(?:{known})$", rf"^(?:{known})[\W_]+(.+)$"):
        while match := re.match(pattern, found):
            found = match[1]
    return found


def says_mask(stem: str) -> bool:
    """Whether a file's name says that it is a mask: a_mask, mask_a."""
    words = words_of(stem)
    return len(words) > 1 and (words[-1] in _MASK_WORDS or words[0] in _MASK_WORDS)


def find_pairs(root: str, paths: Iterable[str]) -> MaskPairs:
    """MaskPair the files below `root` that have a picture's name; nothing is opened."""
    named = [take_apart(path, root) for path in sorted(paths) if has_picture_name(path)]
    masks = [one for one in named if one.kind == "mask"]
    pictures = [one for one in named if one.kind == "image"]
    if masks:
        pictures = pictures or [one for one in named if not one.kind]
        form = f"{_folder(pictures, root)} beside {_folder(masks, root)} with pictures in both"
    else:
        stems = {(one.folders, one.stem.casefold()) for one in named if not says_mask(one.stem)}
        masks = [one for one in named if says_mask(one.stem) and (one.folders, bare(one.stem)) in stems]
        pictures = [one for one in named if one.kind != "other" and one not in set(masks)]
        form = f"pictures beside masks such as {os.path.basename(masks[0].path)!r}" if masks else ""
    return _paired(pictures, masks, form)


def _folder(files: Sequence[Named], root: str) -> str:
    """The folder that the first of them lies in, as seen from the root."""
    return f"{os.path.relpath(os.path.dirname(files[0].path), root) if files else 'pictures'}/"


def _paired(pictures: Sequence[Named], masks: Sequence[Named], form: str) -> MaskPairs:
    """By folders and names, then without the words at the ends of names."""
    left: dict[str, Named] = {mask.path: mask for mask in masks}
    found: dict[str, list[str]] = {}
    for key in (_whole, _plain):
        by_key: defaultdict[object, list[str]] = defaultdict(list)
        for mask in left.values():
            by_key[key(mask)].append(mask.path)
        for picture in pictures:
            if picture.path not in found and (own := by_key.get(key(picture))):
                found[picture.path] = own
                for path in own:
                    left.pop(path, None)
    pairs = [MaskPair(path, own[0]) for path, own in sorted(found.items())]
    return MaskPairs(
        pairs=pairs,
        without_mask=[one.path for one in pictures if one.path not in found],
        without_picture=sorted(left),
        several=[(path, other) for path, own in sorted(found.items()) for other in own[1:]],
        form=form,
    )


def _whole(one: Named) -> tuple[tuple[str, ...], str]:
    return one.folders, one.stem


def _plain(one: Named) -> tuple[tuple[str, ...], str]:
    return tuple(folder.casefold() for folder in one.folders), bare(one.stem)
