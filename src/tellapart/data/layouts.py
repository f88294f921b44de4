"""How folders are laid out, by their names alone. In: a tree. Out: which folders are splits or classes. Next: other_tasks.py."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tellapart.data.examples import Split
from tellapart.data.tree import Child, Folder, Tree, has_picture_name, holding
from tellapart.errors import DataError

SPLIT_WORDS: Mapping[str, Split] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_MORE_WORDS: Mapping[str, Split] = {
    **SPLIT_WORDS,
    "dev": "validation",
    "trn": "train",
    "tst": "test",
    **dict.fromkeys(("训练", "訓練", "训练样本", "訓練樣本"), "train"),
    **dict.fromkeys(("验证", "驗證", "校验", "校驗", "开发", "開發"), "validation"),
    **dict.fromkeys(("测试", "測試"), "test"),
    # Japanese and Korean
    **dict.fromkeys(("学習", "トレーニング", "학습", "훈련"), "train"),
    **dict.fromkeys(("検証", "バリデーション", "검증"), "validation"),
    **dict.fromkeys(("テスト", "테스트", "시험"), "test"),
    # Spanish, Portuguese, French, Italian, German, Russian
    **dict.fromkeys(("entrenamiento", "treino", "treinamento", "entraînement", "entrainement"), "train"),
    **dict.fromkeys(("addestramento", "trainings", "обучение", "обучающая", "тренировочная"), "train"),
    **dict.fromkeys(("validación", "validacion", "validação", "validacao", "validazione"), "validation"),
    **dict.fromkeys(("validierung", "validierungs", "валидация", "валидационная"), "validation"),
    **dict.fromkeys(("prueba", "pruebas", "teste", "testes", "prova", "тест", "тестовая", "тестирование"), "test"),
}
_BESIDE = (
    "set|sets|data|dataset|split|images|image|imgs|img|pictures|pics|photos|daten|bilder|datensatz"
    "|集|集合|数据|數據|数据集|數據集|图片|圖片|图像|圖像|用|セット|データ|画像|用データ|세트|데이터|이미지"
)
_WORD = re.compile(rf"({'|'.join(sorted(_MORE_WORDS, key=len, reverse=True))})(?:{_BESIDE})?\d*")
_FILLER = re.compile(rf"(?:{_BESIDE})|\d+")
_LOWER = (
    "if the lower ones are, --label-from '(?P<label>[^/]+)/[^/]+$', with (?P<group>[^/]+)/ before it where the upper ones say what "
    "stays together, such as a patient."
)
_SPLIT_IN_CLASS = "if they are splits, --label-from '(?P<label>[^/]+)/(?P<split>[^/]+)/[^/]+$'."
_DEEPEST = 8  # folders that may lie in between


class SplitName(NamedTuple):
    """What a folder's name says of a split."""

    split: Split
    stem: tuple[str, ...]  # what else it says: ("seg",) of seg_train


def split_of(name: str) -> SplitName | None:
    """The split that a folder's name says, in its usual ways: train, train_set, trainset, train2017, seg_train, 训练集."""
    parts = [part for part in re.split(r"[\W_]+", unicodedata.normalize("NFKC", name).casefold()) if part]
    words = [found.group(1) for part in parts if (found := _WORD.fullmatch(part))]
    if len(words) != 1:
        return None
    stem = tuple(part for part in parts if not _WORD.fullmatch(part) and not _FILLER.fullmatch(part))
    return SplitName(_MORE_WORDS[words[0]], stem)


class SplitFolder(NamedTuple):
    """A folder whose folders are classes, of one split."""

    child: Child
    split: Split


def find_splits(tree: Tree, root: Folder, folders: Sequence[Child]) -> list[SplitFolder]:
    """The split folders, or nothing where the folders are classes.

    Raises: DataError where they hold pictures, but no class folders.
    """
    named = _named(folders)
    if not named:
        return []
    with_pictures = holding(tree, root, list(folders))
    splits = [SplitFolder(child, named[child]) for child in with_pictures if child in named]
    with_classes = any(inner.is_folder for found in splits for inner in tree.children(found.child.path, Counter()))
    words = {found.split for found in splits}
    # Of folders called train and test beside others: splits rather than classes of those names.
    download = with_classes and "train" in words and len(words) > 1
    if not splits or (len(splits) < len(with_pictures) and not download):
        return []
    if not with_classes:
        raise _no_classes(root, splits)
    return splits


def _named(folders: Iterable[Child]) -> dict[Child, Split]:
    """The folders that are called like a split, and like one another: seg_train and seg_test, but not train_station."""
    found = {child: name for child in folders if (name := split_of(child.name))}
    stems: dict[tuple[str, ...], set[Split]] = {}
    for name in found.values():
        stems.setdefault(name.stem, set()).add(name.split)
    several = {stem for stem, splits in stems.items() if not stem or ("train" in splits and len(splits) > 1)}
    return {child: name.split for child, name in found.items() if name.stem in several}


def _no_classes(root: Folder, splits: Sequence[SplitFolder]) -> DataError:
    names = ", ".join(repr(found.child.name) for found in splits)
    return DataError(
        f"the split folders {names} in {root.path!r} hold files but no class folders. Arrange the pictures as "
        f"FOLDER/train/CLASS/picture.jpg, or as FOLDER/CLASS/picture.jpg."
    )


def go_down(tree: Tree, root: Folder, *, in_split: bool = False) -> Folder:
    """The folder whose folders are classes, where others lie around it that hold nothing else: data/dataset/CLASS.

    `in_split`: it is a split's, which may have one class; so only names that are none lie in between: seg_train/seg_train.
    """
    here = root
    for _ in range(_DEEPEST):
        children = tree.children(here.path, Counter())
        if any(has_picture_name(child.name) for child in children if not child.is_folder):
            return root
        inside = holding(tree, here, [child for child in children if child.is_folder and not child.is_link])
        if len(inside) != 1:
            # Of a lone class that holds one folder, the class's name is the upper one.
            return here if len(inside) > 1 else root
        if not in_split and _named(inside):
            return here
        lower = tree.enter(here, inside[0].path, Counter())
        if lower is None or (in_split and not _says_nothing(inside[0].name)):
            return here
        here = lower
    return root


def _says_nothing(name: str) -> bool:
    parts = re.split(r"[\W_]+", unicodedata.normalize("NFKC", name).casefold())
    return split_of(name) is not None or all(_FILLER.fullmatch(part) for part in parts)


def check_classes(root: Folder, inner: Mapping[str, set[str]]) -> str:
    """A note where classes hold nothing but folders: which of the two are classes? "" in no other case.

    `inner` has the folders of each class, "" for files that lie in none. Raises: DataError where all hold the same folders.
    """
    if len(inner) < 2:
        return ""
    if any("" in names for names in inner.values()):
        return _about_deeper(
            root, {label: names for label, names in inner.items() if "" not in names and len(names) > 1}
        )
    names = list(inner.values())
    shown = ", ".join(repr(name) for name in sorted(names[0])[:4])
    if len(names[0]) > 1 and all(one == names[0] for one in names):
        what, lower = "views or parts of each; or the lower ones are the classes", _LOWER
        if all(split_of(name) for name in names[0]):
            what, lower = "splits within classes", _SPLIT_IN_CLASS
        raise DataError(
            f"the folders in {root.path!r} all hold the same folders ({shown}), which looks like {what}. If the upper ones are the "
            f"classes all the same, give --task classification; {lower} Or arrange the pictures as FOLDER/CLASS/picture.jpg or "
            "FOLDER/train/CLASS/picture.jpg, or give a CSV with path,label."
        )
    if not any(len(one) > 1 for one in names):
        return ""
    first, few = _deepest(inner)
    return (
        f"{root.path}: the folders hold folders themselves ({first!r} has {few}). The upper ones are read as classes; for the "
        "lower ones give a folder that holds them, or a CSV with path,label."
    )


def _about_deeper(root: Folder, deeper: Mapping[str, set[str]]) -> str:
    """A note on classes that hold nothing but folders, where others hold pictures."""
    if not deeper:
        return ""
    first, few = _deepest(deeper)
    return (
        f"{root.path}: the folder {first!r} holds no pictures but in folders of its own ({few}), unlike others. It is read as one "
        "class; move its folders up where they are the classes."
    )


def _deepest(inner: Mapping[str, set[str]]) -> tuple[str, str]:
    """The class that holds the most folders, and some of these in words."""
    first = min(inner, key=lambda label: (-len(inner[label]), label))
    return first, ", ".join(repr(name) for name in sorted(inner[first])[:3])
