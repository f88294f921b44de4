"""Which column of a table is what. In: Cells, what was told. Out: Cells with path, label, split, group, fold. Next: table.py.

What is told wins; then the plain names; then the names that other programs use, of which one must fit. A table without a header is
known by its first row, which names a picture. What was found so is told, and so are columns that look like a split or a group and
are not read.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
from collections.abc import Iterable, Mapping, Sequence

from tellapart.answers.formats import FORMAT_OF_EXTENSION
from tellapart.data.cells import Cells, quoted_all
from tellapart.data.examples import ReadOptions, Split
from tellapart.data.headless_boxes import with_box_names
from tellapart.data.layouts import split_of
from tellapart.errors import DataError, SettingsError

ROLES = ("path", "label", "split", "group")
_TOLD_ROLES = (*ROLES, "text", "fold")  # a column of folds counts only where it was told
# Names that other programs give to columns, in lower case, blanks and hyphens as underscores.
_USUAL: Mapping[str, str] = {
    "path": "image filename file_name file filepath file_path image_path img_path imagepath img image_name img_name image_file "
    "picture photo image_id img_id imageid id 图片 图像 路径 文件 文件名 画像 ファイル ファイル名 이미지 파일 파일명 "
    "imagen archivo fichero "
    "imagem arquivo fichier immagine bild datei dateiname фото изображение файл",
    "label": "class category class_name classname category_name label_name target emotion expression species breed variety "
    "diagnosis dx disease 标签 类别 分类 "
    "ラベル クラス 라벨 레이블 클래스 clase etiqueta classe étiquette etichetta klasse класс метка",
    "split": "subset set fold partition phase usage dataset data_split train_test traintest is_train mode 划分 partición",
    "group": "patient patient_id patientid subject_id case_id lesion_id person_id animal_id video_id session_id group_id "
    "患者 患者id 病人 受试者 受試者 환자 paciente sujet patientin пациент",
}
# Of columns that hold the texts themselves, the likeliest first; and of their classes, beside those above.
_OF_TEXTS = (
    "text sentence review content comment tweet message document body utterance question query headline title 文本 内容 句子 "
    "评论 正文 标题 新闻 テキスト 本文 文 리뷰 문장 텍스트 texto texte testo текст отзыв"
)
_OF_THEIR_CLASSES = "sentiment polarity topic intent rating stars is_spam spam lang language 情感 主题"
TEXT_NAMES, _TEXT_LABELS = tuple(_OF_TEXTS.split()), tuple(_OF_THEIR_CLASSES.split())
PATH_NAMES, LABEL_NAMES = tuple(_USUAL["path"].split()), tuple(_USUAL["label"].split())  # the first that is there wins
NAMES = frozenset((*ROLES, "labels", *PATH_NAMES, *LABEL_NAMES))  # that a header may have
_SPLIT_LIKE, _GROUP_LIKE = frozenset(_USUAL["split"].split()), frozenset(_USUAL["group"].split())
# Of a run's examples.csv, which needs no word about its target.
_EXAMPLES = {"path", "target", "content_hash"}
_ROWS_TRIED = 20
NOT_READ = " (not read)"  # after the name of a column that is not what it is called


def with_roles(cells: Cells, options: ReadOptions) -> Cells:
    """The table with its columns called path, label (or labels), split, group and fold as far as they are there, or were told.

    Raises: DataError where a told column is not there, or several may be meant; SettingsError for one column told twice.
    """
    headless = _lacks_header(cells, options)
    if headless:
        cells = with_box_names(cells.without_header())
    told = _told(cells, options)
    places = dict(told)
    names = [plain_name(name) for name in cells.header]
    if not {"text", "path"} & places.keys() and (place := _text_place(cells, names, headless)) is not None:
        places["text"] = place
    if (
        not {"text", "path"} & places.keys()
        and (place := _path_place(cells, names, headless, told.values())) is not None
    ):
        places["path"] = place
    if "label" not in places and (place := _label_place(cells, names, headless, places, options)) is not None:
        places["label"] = place
    for role in ("split", "group"):
        if role not in places and role in names:
            places[role] = names.index(role)
    return cells.renamed(
        _renamed(cells.header, places, told, options), notes=_notes(cells, names, places, told, headless)
    )


def find_paths(cells: Cells) -> tuple[Cells, int, str]:
    """The table, the place of its column of paths, and that column's name, by the usual names or by what its cells are.

    Raises: DataError where there is none, or several may be meant.
    """
    headless = _lacks_header(cells, ReadOptions())
    if headless:
        cells = cells.without_header()
    place = _path_place(cells, [plain_name(name) for name in cells.header], headless, ())
    if place is None:
        raise DataError(
            f"the table {str(cells.path)!r} has no column of paths; its columns are: {quoted_all(cells.header)}. Call the column "
            "of paths 'path'."
        )
    return cells, place, cells.header[place] if headless else repr(cells.header[place])


def find_texts(cells: Cells, name: str | None, option: str) -> int:
    """The place of the column of texts: the one that `option` names, or the first by the usual names; no file is looked for.

    Raises: DataError where there is none.
    """
    if name is not None:
        return _place(cells, name, option)
    names = [plain_name(header) for header in cells.header]
    found = [names.index(usual) for usual in TEXT_NAMES if usual in names]
    if not found:
        raise DataError(
            f"the table {str(cells.path)!r} has no column of texts that is called so; its columns are: {quoted_all(cells.header)}. "
            f"Say which it is with {option}."
        )
    return found[0]


@functools.lru_cache(maxsize=1024)
def split_named(cell: str) -> Split | None:
    """The split that a cell, or a folder, says and nothing else: train, Validation, test_set, 训练集."""
    found = split_of(cell)
    return None if found is None or found.stem else found.split


def plain_name(name: str) -> str:
    """A column's name in lower case, its blanks and hyphens as underscores."""
    return re.sub(r"[\s\-]+", "_", name.strip().casefold())


def _lacks_header(cells: Cells, options: ReadOptions) -> bool:
    """Whether the first row is data: none of its cells is a column's name, and one names a picture."""
    if any(plain_name(cell) in NAMES for cell in cells.header):
        return False
    asked = [getattr(options, f"{role}_column") for role in _TOLD_ROLES]
    if any(name in cells.header for name in asked if name is not None):
        return False
    return any(map(_says_picture, cells.header)) or any(cells.locator.find(cell) for cell in cells.header if cell)


def _says_picture(cell: str) -> bool:
    return os.path.splitext(cell)[1].lower() in FORMAT_OF_EXTENSION


def _told(cells: Cells, options: ReadOptions) -> dict[str, int]:
    """The columns that were told, by role."""
    places: dict[str, int] = {}
    for role in _TOLD_ROLES:
        name = getattr(options, f"{role}_column")
        if name is None:
            continue
        place = _place(cells, name, f"--{role}-column")
        same = [other for other, taken in places.items() if taken == place]
        if same:
            raise SettingsError(
                f"--{same[0]}-column and --{role}-column both name the column {name!r}; each needs one of its own. Leave one out."
            )
        places[role] = place
    return places


def _place(cells: Cells, name: str, option: str) -> int:
    folded = [header.casefold() for header in cells.header]
    for found in ([header == name for header in cells.header], [header == name.casefold() for header in folded]):
        if sum(found) > 1:
            raise DataError(
                f"the table {str(cells.path)!r} has {sum(found)} columns called {name!r}. Give {option} its number, from 1."
            )
        if any(found):
            return found.index(True)
    if name.isdecimal() and 0 < int(name) <= len(folded):
        return int(name) - 1
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    raise DataError(
        f"the table {str(cells.path)!r} has no column {name!r}, which {option} names."
        f"{f' Did you mean {cells.header[folded.index(near[0])]!r}?' if near else ''} Its columns are: {quoted_all(cells.header)}."
    )


def _path_place(cells: Cells, names: Sequence[str], headless: bool, taken: Iterable[int]) -> int | None:
    if "path" in names:
        return names.index("path")
    free = [place for place in range(len(names)) if place not in set(taken)]
    if headless:
        found = [place for place in free if _says_picture(cells.rows()[0][1][place]) or _files_in(cells, place)]
        if len(found) > 1:
            raise DataError(
                f"the table {str(cells.path)!r} has no header, and columns "
                f"{' and '.join(str(place + 1) for place in found)} both name files. Say which is meant with --path-column, by "
                "its number."
            )
        return found[0] if found else None
    found = [names.index(name) for name in PATH_NAMES if name in names and names.index(name) in free]
    # Of image and id, the one whose cells are files.
    return max(found, key=lambda place: _files_in(cells, place)) if len(found) > 1 else next(iter(found), None)


def _text_place(cells: Cells, names: Sequence[str], headless: bool) -> int | None:
    """The column that holds texts, of a table of which no column names pictures."""
    found = [] if headless or "path" in names else [names.index(name) for name in TEXT_NAMES if name in names]
    paths = [names.index(name) for name in PATH_NAMES if name in names]
    if not found or any(_files_in(cells, place) or _say_pictures(cells, place) for place in paths):
        return None
    return found[0]


def _say_pictures(cells: Cells, place: int) -> bool:
    return any(_says_picture(row[place]) for _, row in cells.rows()[:_ROWS_TRIED])


def _files_in(cells: Cells, place: int) -> int:
    return sum(cells.locator.find(row[place]) is not None for _, row in cells.rows()[:_ROWS_TRIED])


def _label_place(
    cells: Cells, names: Sequence[str], headless: bool, places: Mapping[str, int], options: ReadOptions
) -> int | None:
    if options.label_from is not None:
        return None
    for name in ("label", "labels"):
        if name in names:
            return names.index(name)
    free = [place for place in range(len(names)) if place not in places.values()]
    if headless:
        if len(free) > 1:
            raise DataError(
                f"the table {str(cells.path)!r} has no header, and {len(names)} columns. Say which holds the label "
                f"with --label-column, by its number; its first row is {quoted_all(cells.rows()[0][1])}."
            )
        return free[0] if free else None
    known = (*LABEL_NAMES, *_TEXT_LABELS) if "text" in places else LABEL_NAMES
    found = [place for place in free if names[place] in known]
    if len(found) > 1:
        raise DataError(
            f"the table {str(cells.path)!r} has no column 'label', but "
            f"{quoted_all(cells.header[place] for place in found)}, which all may be meant. Say which with "
            f"--label-column, such as --label-column {cells.header[found[0]]!r}."
        )
    return found[0] if found else None


def _renamed(
    header: Sequence[str], places: Mapping[str, int], told: Mapping[str, int], options: ReadOptions
) -> list[str]:
    """The header with the columns under the names of their roles; a name that belongs to another column now is marked."""
    role_at = {place: role for role, place in places.items()}
    labelled = "label" in told or options.label_from is not None
    renamed = []
    for place, name in enumerate(header):
        role = role_at.get(place)
        plain = name.casefold()
        if role is not None:
            renamed.append(plain if role == "label" and plain == "labels" else role if plain != role else name)
        elif plain in told or (labelled and plain in ("label", "labels")) or plain_name(name) in _SPLIT_LIKE:
            renamed.append(name + NOT_READ)
        else:
            renamed.append(name)
    return renamed


def _notes(
    cells: Cells, names: Sequence[str], places: Mapping[str, int], told: Mapping[str, int], headless: bool
) -> list[str]:
    """What was found by itself, and what looks like a split or group and is not read."""
    found = [
        f"{role} from column {place + 1}" if headless else f"{role} from the column {cells.header[place]!r}"
        for role, place in places.items()
        if role not in told and names[place] not in (role, "labels")
    ]
    notes = []
    if found and not set(names) >= _EXAMPLES:
        what, first = "no header; " if headless else "", "--text-column" if "text" in places else "--path-column"
        notes.append(f"{cells.path}: {what}{', '.join(found)}. Say otherwise with {first}, --label-column and so on.")
    whole = {"path", "label"} <= places.keys()  # else that is what has to be told, before any row is read
    for role, known in (("split", _SPLIT_LIKE), ("group", _GROUP_LIKE)):
        if role in places or headless:
            continue
        free = [place for place in range(len(names)) if place not in places.values()]
        alike = [
            cells.header[place]
            for place in free
            if names[place] in known or (role == "split" and whole and _holds_splits(cells, place))
        ]
        if alike:
            what = f"{quoted_all(alike)} may be a {role}, but {'is' if len(alike) == 1 else 'are'} not read"
            notes.append(f"{cells.path}: {what}; {_remedy(cells, role, alike[0])}.")
    return notes


def _holds_splits(cells: Cells, place: int) -> bool:
    """Whether a column, whatever it is called, says train and something else that is a split."""
    found = {split_named(row[place]) for _, row in cells.rows()}
    return None not in found and "train" in found and len(found) > 1


def _remedy(cells: Cells, role: str, column: str) -> str:
    found = {row[cells.header.index(column)] for _, row in cells.rows()}
    other = min((cell for cell in found if cell and split_named(cell) is None), default=None)
    if role == "split" and other is not None:
        folds = f"; train --fold-column {column} takes it as K folds" if plain_name(column) == "fold" else ""
        return f"a split is train, val or test, and its cells are such as {other!r}{folds}"
    return f"--{role}-column {column} reads it"
