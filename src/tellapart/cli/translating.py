"""What the screen says, in Chinese. In: an English line. Out: the Chinese one, or the line itself. Next: chinese_nouns.py.

chinese.toml has every sentence of the program with `{0}`, `{1}` ... for what is put in at run time. A line is known again by what
stands between these; what was put in may be such a sentence itself. What no sentence fits stays as it is.
"""

from __future__ import annotations

import functools
import importlib.resources
import itertools
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tellapart.cli.chinese_nouns import BENDING, NOUNS, PROGRESS, THINGS, Sentence, epoch_line, typed_places
from tellapart.cli.chinese_rows import table_head, table_row, width

MOST_DEPTH = 6  # sentences within sentences
_LEAST_LETTERS = 5  # that a sentence with placeholders must have of its own
_LONGEST = 4_000  # characters of a line that is looked at
_PLACE = re.compile(r"(?<!\{)\{(\w*)\}(?!\})")  # {0}, and {} or {they} of a sentence that is filled in later
_LETTERS = re.compile(r"[A-Za-z]")
_COUNTED = re.compile(r"([\d,]+) ([A-Za-z-]+(?: [a-z]+)?)")
_BETWEEN = re.compile(
    r"(?<=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])\x20{1,2}(?=[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef])"
)
# Where a line that no sentence fits is taken apart, the coarsest first: cells, sentences, then what stands between : and ;.
_PARTS = (re.compile(r"(\s{2,})"), re.compile(r"((?<=[.?!]) )"), re.compile(r"((?<=:) |; )"))
_CLAUSE = re.compile(r"(?=, )")
_MOST_CLAUSES = 6  # each run of them is looked up
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
# What is counted, by what Chinese counts it with, and what is left of such a number in the same sentence.
_MEASURED = re.compile(r"(?:(?<=[\d,])( )个 ?|(?<=每)个)((?:测试|验证|训练)?(图片|文本))(?!文件|列|数组)")
_LEFT = re.compile(r"(?<=[\d,]) 个(?=[，。；）]|$)")


def translate(text: str, depth: int = 0) -> str:
    """The Chinese for an English text of one or several lines; what is not known stays."""
    if "\n" in text:
        return _known().exact.get(text) or "\n".join(translate(line, depth) for line in text.split("\n"))
    stripped = text.strip()
    if depth > MOST_DEPTH or len(stripped) > _LONGEST or not _LETTERS.search(stripped):
        return text
    head, _, tail = text.partition(stripped)
    return head + _line(stripped, depth) + tail


def _line(line: str, depth: int) -> str:
    known = _known()
    if (exact := known.exact.get(line)) is not None:
        return exact
    if (whole := known.exact.get(f"{line}.")) is not None:  # a reason lacks its full stop
        return whole.removesuffix("。")
    counted = _COUNTED.fullmatch(line)
    if counted is not None and counted[2] in NOUNS:
        return f"{counted[1]} {NOUNS[counted[2]]}"
    for mark, chinese in (("! ", "! "), ("Error: ", "错误："), ("Warning: ", "警告：")):
        marked = line.startswith(mark)
        if marked and not any(one.pieces[0].startswith(mark) and one.values(line) for one in known.sentences):
            return chinese + translate(line[len(mark) :], depth + 1)
    if (epoch := epoch_line(line, chinese_words())) is not None:
        return epoch
    for pattern, chinese in PROGRESS:
        if (progress := pattern.fullmatch(line)) is not None:
            return chinese.format(*(translate(value, depth + 1) for value in progress.groups()))
    if (head := table_head(line, chinese_words())) is not None:
        return head
    if (filled := _filled(line, depth)) is not None:
        return filled
    if (row := table_row(line, chinese_words(), lambda told: translate(told, depth + 1))) is not None:
        return row
    return _taken_apart(line, depth)


def _filled(line: str, depth: int) -> str | None:
    """The sentence that fits, with what was put in; None where there is none. A reason may lack its full stop."""
    best = _best(_known().with_ends_of(line), line) if line else None
    if ". " in line and line[-1] not in ".:?!":
        whole = _best(_known().with_ends_of(f"{line}."), f"{line}.")
        if whole is not None and (best is None or whole[0].letters > best[0].letters):
            return _with_values(*whole, depth).removesuffix("。")
    return None if best is None else _with_values(*best, depth)


def _with_values(sentence: Sentence, values: Sequence[str], depth: int) -> str:
    typed = typed_places(sentence.pieces)
    said = {
        place: value if number in typed else _put_in(value, depth)
        for number, (place, value) in enumerate(zip(sentence.places, values, strict=True))
    }
    end = ""
    if not sentence.pieces[-1] and (last := said[sentence.places[-1]]).endswith(".") and not last.endswith(".."):
        said[sentence.places[-1]], end = last[:-1], "。"  # of the sentence, not of what was put in
    return _measured(_BETWEEN.sub("", _PLACE.sub(lambda match: said[match[1]], sentence.chinese))) + end


def _measured(line: str) -> str:
    """Pictures and texts, which a sentence has as what is put in, are counted by words of their own: 3 张图片, 3 条文本."""
    found = _MEASURED.search(line)
    if found is None:
        return line
    measure = "张" if found[3] == "图片" else "条"
    counted = _MEASURED.sub(lambda one: f"{one[1] or ''}{measure}{one[2]}", line)
    return _LEFT.sub(f" {measure}", counted) if found[1] else counted


def _taken_apart(line: str, depth: int) -> str:
    """A line of several parts, each for itself; the end of a sentence is no part of what the table has."""
    if line.endswith("."):
        whole = _known().exact.get(line[:-1]) or _filled(line[:-1], depth)
        if whole is not None:
            return f"{whole}。"
    if "  " not in line and (several := _clauses(line, depth, all_known=True)) != line:
        return several
    head, named, rest = line.partition(": ")
    if named and ": " in rest and (whole := _known().exact.get(rest.removesuffix("."))) is not None:
        return f"{translate(head, depth + 1)}：{whole}{'。' * rest.endswith('.')}"
    told = _reason(line, depth) or _sentences(line, depth)
    if told is not None:
        return told
    for separator in _PARTS:
        parts = separator.split(line)
        if len(parts) > 1:
            return _columns(parts, [translate(part, depth + 1) for part in parts])
    for end, chinese in ((".", "。"), (":", "：")):
        if line.endswith(end) and (said := translate(line[:-1], depth + 1)) != line[:-1]:
            return said + chinese
    return _clauses(line, depth)


def _reason(line: str, depth: int) -> str | None:
    """A path, and why it cannot be read; None for another line."""
    path, comma, reason = line.partition(", ")
    said = (_known().exact.get(reason) or _filled(reason, depth)) if comma and " " not in path else None
    return None if said is None else f"{path}，{said}"


def _sentences(line: str, depth: int) -> str | None:
    """Sentences of which several are one of the table's, and the others; None for another line."""
    parts = _PARTS[1].split(line)[::2]
    if "  " in line or not 2 < len(parts) <= _MOST_CLAUSES:
        return None
    for first, last in itertools.combinations(range(len(parts)), 2):
        said = _whole(" ".join(parts[first : last + 1]), depth)
        if said is not None:
            others = (translate(" ".join(some), depth + 1) for some in (parts[:first], parts[last + 1 :]))
            return _BETWEEN.sub("", f"{next(others)} {said} {next(others)}".strip())
    return None


def _whole(run: str, depth: int) -> str | None:
    """Several sentences that are one of the table's, which may lack its full stop there; None for others."""
    known = _known()
    for told, end in ((run, ""), (run.removesuffix("."), "。" * run.endswith("."))):
        if told in known.exact:
            return f"{known.exact[told]}{end}"
        best = _best(known.with_ends_of(told), told)
        if best is not None and any(". " in piece for piece in best[0].pieces):
            return _with_values(*best, depth) + end
    return None


def _clauses(line: str, depth: int, *, all_known: bool = False) -> str:
    """What stands between commas: the longest runs that are known, and the rest as it is, or, with `all_known`, the line."""
    clauses = _CLAUSE.split(line)
    if not 1 < len(clauses) <= _MOST_CLAUSES:
        return line
    said, first = "", 0
    while first < len(clauses):
        for end in range(min(len(clauses), first + len(clauses) - 1), first, -1):
            run = "".join(clauses[first:end])
            if (found := _clause(run, depth, within=not all_known)) is not None:
                break
        if found is None and all_known:
            return line
        said += run if found is None else found
        first = end
    return said


def _clause(run: str, depth: int, *, within: bool) -> str | None:
    """Of one run, with its comma or without; None where it is not known. `within`: what it is made of may be known, too."""
    known = _known()
    comma = run.startswith(", ")
    if (found := known.exact.get(run)) is not None or (comma and (found := _filled(run, depth)) is not None):
        return found
    bare = run.removeprefix(", ")
    said = known.exact.get(bare) or _filled(bare, depth)
    if said is None and within and ", " not in bare:
        said = translate(bare, depth + 1)
    return None if said is None or said == bare else f"，{said}" * comma or said


def _columns(english: Sequence[str], chinese: Sequence[str]) -> str:
    """Parts with what stands between them; columns stay below each other as far as two blanks are left."""
    said, wider = "", 0
    for number, (one, other) in enumerate(zip(english, chinese, strict=True)):
        if one.isspace() and len(one) > 1:
            blanks = max(2, len(one) - wider)
            wider -= len(one) - blanks
            said += " " * blanks
            continue
        wider += width(other) - len(one)
        if one == "; " and _CHINESE.search(said):
            other = "；"
        elif one == " " and said.endswith(":") and _CHINESE.search(chinese[number + 1]):
            said, other = said[:-1], "："
        said += other
    return _BETWEEN.sub("", said) if not re.search(r"\s{2}", said) else said


def _put_in(value: str, depth: int) -> str:
    """What was put into a sentence; what only bends an English word is left out."""
    bent = BENDING.get(value)
    if bent is None:
        bent = THINGS.get(value)
    return translate(value, depth + 1) if bent is None else bent


def _best(sentences: Sequence[Sentence], line: str) -> tuple[Sentence, tuple[str, ...]] | None:
    """The sentence with most letters of its own that fits."""
    letters = len(_LETTERS.findall(line)) if "; " in line else 0
    for sentence in sentences:  # the longest first
        values = sentence.values(line)
        if values is None:
            continue
        # A short one would swallow what stands before and behind a semicolon: these are said one by one. Behind one of its own
        # it may have a row of them.
        if letters > 3 * sentence.letters and any(
            "; " in value and not (sentence.pieces[0] and "; " in before) and not _is_known(value)
            for before, value in zip(sentence.pieces, values, strict=False)
        ):
            continue
        if any("   " in value for value in values) and not any("  " in piece for piece in sentence.pieces):
            continue  # nor cells of a table
        return sentence, values
    return None


def _is_known(text: str) -> bool:
    """Whether it is one sentence of the table, semicolon and all."""
    text = text.removesuffix(".")
    known = _known()
    return text in known.exact or any(
        any("; " in piece for piece in sentence.pieces) and sentence.values(text) is not None
        for sentence in known.sentences
    )


@dataclass(frozen=True, slots=True)
class _Known:
    exact: Mapping[str, str]
    sentences: tuple[Sentence, ...]
    _by_ends: dict[tuple[str, str], tuple[Sentence, ...]] = field(default_factory=dict)

    def with_ends_of(self, line: str) -> tuple[Sentence, ...]:
        """Those that may fit a line by its first letter and its last: a few dozen of thousands."""
        ends = line[0], line[-1]
        if ends not in self._by_ends:
            self._by_ends[ends] = tuple(
                one
                for one in self.sentences
                if one.pieces[0][:1] in ("", line[0]) and one.pieces[-1][-1:] in ("", line[-1])
            )
        return self._by_ends[ends]


@functools.cache
def _known() -> _Known:
    """The table, read once."""
    exact: dict[str, str] = {}
    sentences: list[Sentence] = []
    for english, chinese in chinese_sentences().items():
        if "{{" in english:  # of a sentence that is filled in later
            english, chinese = (text.replace("{{", "{").replace("}}", "}") for text in (english, chinese))
        for one, other in _by_lines(english, chinese):
            pieces = _PLACE.split(one)
            if len(pieces) == 1:
                exact.setdefault(one, other)
                continue
            literal = tuple(pieces[::2])
            letters = sum(len(_LETTERS.findall(piece)) for piece in literal)
            if letters >= _LEAST_LETTERS:
                sentences.append(Sentence(literal, tuple(pieces[1::2]), other, letters))
    sentences.sort(key=lambda sentence: (-sentence.letters, -sum(map(len, sentence.pieces))))
    return _Known(exact, tuple(sentences))


def _by_lines(english: str, chinese: str) -> list[tuple[str, str]]:
    """The sentence as it is and, of several lines, line by line where they correspond; blanks at the ends are no part of it."""
    found = [(english, chinese)] if "\n" in english.strip() else []
    lines, others = english.strip().split("\n"), chinese.strip().split("\n")
    if len(lines) == len(others):
        found += [(one.strip(), other.strip()) for one, other in zip(lines, others, strict=True) if one.strip()]
    return found


def chinese_sentences() -> Mapping[str, str]:
    """The whole table: English -> Chinese."""
    return _table("chinese.toml")["sentences"]


def chinese_words() -> Mapping[str, str]:
    """Words that stand alone, at the head of a row or column; where they are found in a line they may be names."""
    return _table("chinese_words.toml")["words"]


@functools.cache
def _table(name: str) -> Mapping[str, Mapping[str, str]]:
    text = (importlib.resources.files("tellapart.cli") / name).read_text(encoding="utf-8")
    return tomllib.loads(text)
