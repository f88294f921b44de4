"""Tables in other encodings. In: names as people have them, encoded by Python. Out: the same names, or a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.data.encodings import known_encoding, read_text
from tellapart.errors import DataError, SettingsError

TABLE = Path("table.csv")


def table(names: str) -> str:
    return "path,label\n" + "".join(f"{number}.jpg,{name}\n" for number, name in enumerate(names.split(), start=1))


def read(data: bytes, encoding: str | None = None, files: tuple[str, ...] = ()) -> tuple[str, str]:
    found = read_text(TABLE, data, encoding, files.__contains__)
    return found.text, found.note


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_is_known_needs_no_word(encoding: str) -> None:
    text = table("猫 Müller кошка")
    assert read(text.encode(encoding)) == (text, "")


@pytest.mark.parametrize(
    ("names", "encoding", "told"),
    [
        ("Müller Äpfel Straße café", "cp1252", "cp1252"),
        ("Müller Meier", "latin-1", "cp1252"),
        ("señal niño árbol", "cp1252", "cp1252"),
        ("chêne hêtre crème forêt brûlé", "cp1252", "cp1252"),
        ("æble brød gås", "cp1252", "cp1252"),
        ("kočka žába pták květina", "cp1250", "cp1250"),
        ("小麦 玉米 水稻 大豆 正常", "gb18030", "gb18030"),
        ("小麥 玉米 水稻 大豆 正常", "big5", "cp950"),
        ("ネコ 犬 ヒマワリ すみれ", "shift_jis", "cp932"),
        ("γάτα σκύλος πουλί", "cp1253", "cp1253"),
        ("Müller Äpfel café", "mac_roman", "mac_roman"),
        ("Größe Müller Zürich", "cp850", "cp850"),
        ("kočka žába pták květina", "cp852", "cp852"),
        ("kuş ağaç şişe ördek İnek", "cp1254", "cp1254"),
        ("katė šuo žąsis", "cp1257", "cp1257"),
        ("кошка собака корова", "cp866", "cp866"),
        ("Кошка Собака Корова", "koi8_r", "koi8_r"),
        ("قطة كلب حصان طائر", "cp1256", "cp1256"),
        ("แมว สุนัข ม้า นก", "cp874", "cp874"),
        ("スーパーカー バス", "shift_jis", "cp932"),
        ("ネコ 犬", "iso2022_jp", "iso2022_jp"),
        ("고양이 개", "iso2022_kr", "iso2022_kr"),
        ("小麦 Müller", "utf-16-le", "utf-16-le"),
        ("小麦 Müller", "utf-16-be", "utf-16-be"),
    ],
)
def test_a_guess_is_right_and_told_with_an_example(names: str, encoding: str, told: str) -> None:
    text, note = read(table(names).encode(encoding))
    assert text == table(names)
    assert note == (
        f"table.csv: not in UTF-8; read as {told}, a guess, in which it says {names.split()[0]!r}. "
        "If that is wrong, name the encoding with --encoding."
    )


@pytest.mark.parametrize(
    ("names", "encoding", "asked"),
    [
        ("猫 狗", "gb18030", ("gb18030 ('猫')", "cp949 ('챔')")),
        ("고양이 강아지 새", "euc_kr", ("cp949 ('고양이')", "gb18030 ('绊剧捞')")),
        ("кошка собака", "cp1251", ("cp1251 ('кошка')", "cp1253 ('κξψκΰ')", "koi8_r ('ЙНЬЙЮ')")),
        ("кошка собака", "koi8_r", ("cp1251 ('ЛПЫЛБ')", "koi8_r ('кошка')")),
        ("חתול כלב", "cp1255", ("cp1251 ('зъем')", "cp1255 ('חתול')")),
        ("猫 犬", "euc_jp", ("gb18030 ('黔')", "euc_jp ('猫')")),
        ("りんご バナナ", "euc_jp", ("cp950 ('曰氏仍')", "euc_jp ('りんご')")),
        ("Müller Meier", "mac_roman", ("cp1250 ('Mźller')", "mac_roman ('Müller')")),
        (
            "ñu",
            "cp850",
            ("encoding: cp850 ('ñu')", "cp950 ('工')", "--encoding cp850."),
        ),  # letters of one language first
        ("kůň", "cp1250", ("cp1252 ('kùò')", "cp1250 ('kůň')")),
    ],
)
def test_two_guesses_that_are_about_as_good_are_asked(names: str, encoding: str, asked: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        read(table(names).encode(encoding))
    assert str(caught.value).startswith("the table 'table.csv' is not in UTF-8, and may be in more than one encoding: ")
    assert all(guess in str(caught.value) for guess in asked)
    assert ". Say which with --encoding, such as --encoding " in str(caught.value)
    assert read(table(names).encode(encoding), encoding) == (table(names), "")


def test_an_escape_that_means_nothing_is_a_character() -> None:
    text = table("cat\x1b dog\x1b(Q 猫")
    assert read(text.encode()) == (text, "")


def test_a_language_that_is_long_enough_decides() -> None:
    names = "кошка собака птица дерево лошадь корова медведь заяц волк лисица белка мышь рыба змея олень утка гусь"
    assert read(table(names).encode("cp1251"))[0] == table(names)


def test_names_that_are_files_decide() -> None:
    """The bytes of 狗 may be Korean, too; but there is a file called 狗.jpg."""
    text = "path,label\n狗.jpg,a\n"
    assert read(text.encode("gb18030"), files=("狗.jpg",))[0] == text
    korean = text.encode("gb18030").decode("cp949")
    assert read(text.encode("gb18030"), files=(korean.split("\n")[1].split(",")[0],))[0] == korean


def test_an_encoding_that_is_told_must_fit() -> None:
    with pytest.raises(DataError) as caught:
        read(b"path,label\na.jpg,caf\xe9\n", "utf-8")
    assert str(caught.value) == (
        "the table 'table.csv' is not in utf-8: byte 0xe9 in line 2 means nothing there. Give another --encoding, or save the "
        "table again as UTF-8."
    )


def test_one_broken_place_in_utf_8_is_told() -> None:
    data = (table("猫 狗 鸟 鱼 马 牛 羊 鸡 鸭 鹅") * 3).encode()[:-2] + b"\n"
    with pytest.raises(DataError, match=r"is in UTF-8 but for 1 places, the first in line 33\. Mend them, or name"):
        read(data)


@pytest.mark.parametrize(
    "data", [b"path,label\n\x81\x8d\xa0\xff\n", b"a,b\na\0.png,cat\n", b"\xff\xfep", bytes(range(256))]
)
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(DataError, match="is not a text table in an encoding that can be told"):
        read(data)


def test_a_nul_or_half_a_character_is_told_with_its_line() -> None:
    rows = "".join(f"a fine film {number},good\n" for number in range(40)).encode()
    with pytest.raises(
        DataError, match=r"is text but for the character NUL, .* first in line 22\. Take it out wherever"
    ):
        read(b"text,label\n" + rows.replace(b"film 20", b"fi\0lm 20"))
    with pytest.raises(
        DataError, match=r"but for halves of characters \(surrogates\), first in line 22\. Save it again"
    ):
        read(b"text,label\n" + rows.replace(b"film 20", b"fi\xed\xa0\x80lm 20"))


@pytest.mark.parametrize("name", ["klingon", "hex", "a\0b", ""])
def test_an_unknown_encoding_is_refused(name: str) -> None:
    with pytest.raises(
        SettingsError, match="which is not known. Use a name such as utf-8, cp1252, gb18030 or shift_jis"
    ):
        known_encoding(name)
