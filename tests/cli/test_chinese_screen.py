"""What commands say under --lang zh. In: faulty calls, in one process. Out: no English words but names, paths and settings."""

from __future__ import annotations

import gzip
import importlib
import io
import pickle
import re
import zipfile
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from tellapart.cli.main import COMMANDS, execute, main
from tellapart.cli.speaking import HELP, ChineseStream, helped
from tellapart.cli.translating import translate

# Files that cannot be read, or not as what they are called; `check` is asked about each.
FAULTY = {
    "cut.npz": b"PK\3\4 cut off",
    "cut.npy": b"\x93NUMPY\1\0\4\0zz",
    "data_batch_1.bin": bytes(100),
    "data_batch_2.bin": b"\x77" + bytes(3072),
    "data_batch_3": pickle.dumps([1]),
    "train-images-idx3-ubyte": b"\0\0\x08\3" + 3 * b"\0\0\0\2" + bytes(7),
    "train-images-idx3-ubyte.gz": gzip.compress(bytes(99))[:-9],
    "cut.parquet": b"PAR1 and nothing more",
    "a.arrow": b"ARROW1 and nothing more",
    "no.zip": b"<html>not found</html>",
    "no.tar": b"<html>not found</html>",
    "no.tar.gz": b"\x1f\x8b <html>not found</html>",
    "a.xlsx": b"PK\3\4 cut off",
    "a.json": b'{"path": ["a"]}',
    "quote.csv": b'path,label\n"0.png,a\n1.png,b\n',
    "after.csv": b'path,label\n"0.png"x,a\n1.png,b\n',
    "columns.csv": b"a,b\n1,2\n",
    "unlabelled.csv": b"path,label\n0.png,\n1.png,b\n",
    "many.csv": b"path,label\n0.png,\n1.png,\n2.png,\n3.png,\n",
    "gone.csv": b"path,label\n6.png,a\n7.png,b\n8.png,b\n9.png,b\n",
    "two.csv": b"path,label,split\n0.png,a,train\n0.png,a,test\n",
    "files.csv": b"0.png,1.png,a\n1.png,2.png,b\n",
}
CALLS = (
    *(f"check {name}" for name in FAULTY),
    "check locked.zip",
    "check flipped.zip",
    "check objects.npz",
    "check complex.npz",
    "check alone.npy",
    "check empty",
    "check json",
    "check xml",
    "check masks",
    "check texts --task classification",
    "check arrays.npz",
    "check nosuch",
    "train arrays.npz --split 80/10/20",
    "train empty",
    "train masks --epochs -1",
    "train masks --kfold 1",
    "train masks --validation 5",
    "train masks --set network.dropout=3",
    "train masks --set loop.loss=hing",
    "network nosuch.toml",
    "train masks --set augment.fill=x",
    "train masks --set loop.foo=3",
    "train masks --set loop.monitr=loss",
    "train masks --range x",
    "train masks --bogus",
    "search empty",
    "shard empty --out s",
    "label nosuch.csv",
    "predict nosuch cat.jpg",
    "network VGG16 --set network.pooling=flaten",
    "demo --list",
)
# Names, paths, options and settings: in quotes, of capital letters, with a point, dash, slash, colon or line, or a row of them.
NAMES = re.compile(
    r"'[^']*'|`[^`]*`|\[[^\]]*\]|[\w*-]*[A-Z./_=:\d-][\w*./=:()-]*|(?:已有的设置：|它必须是 ).*|\w+(?= 中没有|：images/)",
    re.ASCII,
)
WORD = re.compile("[A-Za-z]{2,}")
KNOWN = {"tellapart", "masks", "train", "test", "background", "detection", "segmentation", "annotations"}
KNOWN |= {"zip", "pickle", "pandas", "parquet", "label", "split", "group", "val", "records"}
KNOWN |= {"class", "demo", "path", "mnist", "digits", "flowers", "texts", "arrays", "empty", "nosuch"}


def english_words(line: str) -> list[str]:
    """Words of a line that are neither names nor settings."""
    return [word for word in WORD.findall(NAMES.sub(" ", line)) if word not in KNOWN]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("zh")
    for name in ("empty", "json", "xml", "masks/images", "masks/masks", "texts/a", "texts/b"):
        (root / name).mkdir(parents=True)
    (root / "json" / "a.json").write_text("{}")
    (root / "xml" / "a.xml").write_text("<a/>")
    for name in ("a", "b"):
        (root / "texts" / name / "1.txt").write_text("a text")
    pixels = np.random.default_rng(0).integers(0, 255, (6, 12, 12, 3), dtype=np.uint8)
    for number, one in enumerate(pixels):
        Image.fromarray(one).save(root / "masks" / "images" / f"{number}.png")
    for number in (0, 1, 2, 8):  # others have no mask, and one has no picture
        Image.fromarray((pixels[0, :, :, 0] > 99).astype(np.uint8)).save(root / "masks" / "masks" / f"{number}.png")
    labels = np.arange(6) % 2
    for name, data in FAULTY.items():
        (root / name).write_bytes(data)
    np.savez(root / "objects.npz", x_train=pixels, y_train=np.array([{}] * 6))
    np.savez(root / "complex.npz", x_train=pixels, y_train=labels * 1j)
    np.save(root / "alone.npy", pixels)
    archived = io.BytesIO()
    with zipfile.ZipFile(archived, "w") as archive:
        for number in range(4):
            archive.write(root / "masks" / "images" / f"{number}.png", f"{number % 2}/{number}.png")
    data = archived.getvalue()
    (root / "flipped.zip").write_bytes(data[:200] + b"XY" + data[202:])
    flags = re.compile(rb"(PK\x03\x04..|PK\x01\x02....).", re.DOTALL)
    (root / "locked.zip").write_bytes(flags.sub(lambda found: found[1] + b"\1", data))  # as with a password
    np.savez(root / "arrays.npz", x_train=pixels, y_train=labels, x_test=255 - pixels[:, ::-1], y_test=labels)
    return root


@pytest.mark.parametrize("call", CALLS)
def test_nothing_stays_english(call: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr("tellapart.cli.main.helped", lambda command: command)  # which stays Chinese for other tests
    written = io.StringIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", ChineseStream(written))
    execute(["--lang", "zh", *call.split()])
    said = written.getvalue()
    assert re.search(r"[\u4e00-\u9fff]", said)
    assert {line: words for line in said.splitlines() if (words := english_words(line))} == {}


@pytest.mark.parametrize(
    ("english", "chinese"),
    [
        ("it must be at least 1.", "它必须至少为 1。"),
        (
            "epoch 1 of 2: train loss 1.4, accuracy 18.8 %; validation loss 2.08, accuracy 50.0 %; 9 pictures/s, about 3 min left",
            "第 1 轮（共 2 轮）：训练损失 1.4，准确率 18.8 %；验证损失 2.08，准确率 50.0 %；每秒 9 张图片，大约还需 3 分",
        ),
        (
            "epoch 2 of 2: train loss 0.9; validation loss 1.80, box loss 0.5; 113 texts/s",
            "第 2 轮（共 2 轮）：训练损失 0.9；验证损失 1.80，box loss 0.5；每秒 113 条文本",  # a part's name stays
        ),
        (
            (
                "Too small a test to tell: the accuracy is 63.7 % (95 %: 52.8 % to 73.4 %); class '0' has 8 test pictures (2 more "
                "would make 10); class '1' has 1 test picture (9 more would make 10); 7 more classes have fewer than 10."
            ),
            (
                "测试集太小，难下结论：准确率为 63.7 %（95 %：52.8 % 至 73.4 %）；类别 '0' 有 8 张测试图片（再加 2 张即为 10 张）；"
                "类别 '1' 有 1 张测试图片（再加 9 张即为 10 张）；另有 7 个类别少于 10 张。"
            ),
        ),
        ("Training lenet5: 8 of 8 in 7.3 s", "正在训练 lenet5：8 / 8，用时 7.3 s"),
        ("Converting to tensorflow: 4 min 02 s", "正在转换为 tensorflow，用时 4 分 02 秒"),
        (
            "true class in set   92.5 % (95 %: 84.6 % to 96.5 %); wanted 95.0 %; 2.31 classes a set",
            "真实类别在集合中    92.5 %（95 %：84.6 % 至 96.5 %）；期望 95.0 %；每个集合 2.31 个类别",
        ),
        ("test macro f1            56.9 %", "测试宏 F1                56.9 %"),
        (
            (
                "'a' holds YOLO boxes, but nothing to learn from: a/1.txt (1.jpg) names pictures that are not there. Put the "
                "pictures beside the annotations."
            ),
            "'a' 含有 YOLO boxes，但没有可供学习的内容：a/1.txt (1.jpg) 所指的图片不存在。把图片放在标注旁边。",
        ),
        ("it must be own, average, max or flatten.", "它必须是 own, average, max 或 flatten。"),
        (
            "timm has no network named 'x'. Choose one from `tellapart models`, or from timm.list_models().",
            "timm 没有名为 'x' 的网络。从 `tellapart models` 中选择一个，或从 timm.list_models() 中选择。",
        ),
        (
            "Test: 10 of 48 pictures, drawn with seed 0, copies kept together.",
            "测试：48 张图片里的 10 张，以种子 0 抽取，重复图片放在一起。",
        ),
        ("2 pictures, 1 unreadable, 1 unknown; written to x.csv", "2 张图片，1 个无法读取，1 个未知；已写入 x.csv"),
        (
            "'a.npz' cannot be read as arrays: File is not a zip file. Save or download it again",  # in brackets behind a path
            "'a.npz' 无法作为数组读取：文件不是 zip 文件。重新保存或下载它",
        ),
        (
            (
                "none of the 4 pictures in a.zip can be read; the first, a.zip/0.png, because: encrypted in its archive. Pack it "
                "without a password. Check that they are pictures in a known format."
            ),
            (
                "a.zip 中的 4 张图片都无法读取；第一个是 a.zip/0.png，原因：在压缩包中已加密。不带密码打包。"
                "检查它们是否为已知格式的图片。"
            ),
        ),
        (
            "a/0.png, damaged in its archive: its bytes are not those that were packed",
            "a/0.png，在压缩包中已损坏：其字节不是打包时的字节",
        ),
        (
            "--path-column and --label-column both name the column 'a'; each needs one of its own. Leave one out.",
            "--path-column 和 --label-column 都指定了列 'a'；每个需要自己的列。去掉一个。",
        ),
        ("Unreadable (2):", "无法读取 (2)："),
        ("2 pictures, 2 unreadable", "2 张图片，2 个无法读取"),
        (
            "the file has no such picture; there are a-0.png ... a-9.png, and 2 more arrays, the rows of an array counted from 0",
            "文件中没有这样的图片；有的是 a-0.png ... a-9.png，以及另外 2 个数组，数组的行从 0 数起",
        ),
        (
            "mnist.npz: the labels of 'x_train' are 'y_train', its split is train.",
            "mnist.npz：'x_train' 的标签是 'y_train'，它的划分是 train。",
        ),
        (
            (
                "classes 'a' has 3, 'b' has 4 and 5 more: fewer different pictures than 20, so the scores of these classes will be "
                "uncertain. Add pictures."
            ),
            "类别 'a' 有 3，'b' 有 4 以及另外 5 个：不同的图片少于 20 个，这些类别的成绩因此不确定。增加图片。",
        ),
        (
            "dark: 20 pictures, such as a.png; nearly nothing in them is bright.",
            "过暗：20 张图片，例如 a.png；其中几乎没有亮的部分。",
        ),
        ("Near copies (6):", "近似重复 (6)："),
        ("pictures  9 train, 1 validation, 2 test", "图片      训练 9，验证 1，测试 2"),
        ("pictures: 14 train, 2 validation, 4 test", "训练 14，验证 2，测试 4"),
        ("every class at least 0.0 % probable; 2 a test picture", "每个概率至少为 0.0 % 的类别；平均每张测试图片 2 个"),
        ("logit 0.43 = bias -2.17, last layer +2.59", "logit 0.43 = 偏置 -2.17，最后一层 +2.59"),
        ("Asking pr/latest: 8 of 8 in 0.7 s", "正在询问 pr/latest：8 / 8，用时 0.7 s"),
        ("Layer (type)     Output Shape    Param #", "层（类型）       输出形状       参数个数"),
        ("'train' is not 'validation'.", "'train' 不是 'validation'。"),
        (
            (
                "--unfreeze is '99'; this network has 7 stages. Give head, half, all, a share such as 0.25, or a whole "
                "number from 0 to 7."
            ),
            "--unfreeze 为 '99'；该网络有 7 个阶段。给出 head、half、all、一个比例（如 0.25），或从 0 到 7 的整数。",
        ),
        ("Fine-tuning: 1 of 1 in 1.5 s", "微调：1 / 1，用时 1.5 s"),
        (
            "left out: class folder without a picture (2), not a picture (6).",
            "已排除：没有图片的类别文件夹 (2)，不是图片 (6)。",
        ),
        (
            (
                "the weights of x cannot be downloaded (no route). Name imagenet:x once where the network is reached, which keeps "
                "it in c, or one that comes with the package: lite0."
            ),
            "无法下载 x 的权重（no route）。在能联网处使用一次 imagenet:x，它会保存在 c 中；或使用软件包自带的网络：lite0。",
        ),
    ],
)
def test_lines_of_several_parts(english: str, chinese: str) -> None:
    assert translate(english) == chinese


def test_an_english_word_would_be_found() -> None:
    assert english_words("错误：the folder 'emp' is empty. 把图片排列为 FOLDER/CLASS/picture.jpg。") == [
        "the",
        "folder",
        "is",
    ]
    assert english_words("错误：文件夹 'a b' 为空。给出 --out out.csv") == []


def test_the_list_of_networks_says_offline_in_chinese_and_leaves_classes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tellapart.cli.main.helped", lambda command: command)
    written = io.StringIO()
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(f"sys.{name}", ChineseStream(written))
    for call in ("models", "models --all"):
        assert execute(["--lang", "zh", *call.split()]) == 0
    said = written.getvalue()
    assert "  是      默认：" in said
    assert "需下载\n" in said
    assert not re.search(r"\b(yes|download)\b", said)
    assert "深度：" in said
    assert translate("yes                       12") == "yes                       12"  # a class of brain scans


def test_no_option_is_explained_in_english() -> None:
    sentence = re.compile(r"(?:\b[a-z]{2,}\b,? ){4,}")
    modules = [importlib.import_module(module).command for module, _ in COMMANDS.values()]
    commands = [main, *modules, *(inner for one in modules for inner in getattr(one, "commands", {}).values())]
    told = {str(option.help) for one in commands for option in one.params if getattr(option, "help", None)}
    assert len(told) > 200
    assert {text for text in told if sentence.search(translate(text))} == set()


def test_help_explains_itself_in_chinese_however_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", ChineseStream(io.StringIO()))
    command = helped(click.Command("x", params=[click.Option(["--a-very-long-name-of-an-option"], help="Nothing.")]))
    told = command.get_help(click.Context(command, help_option_names=HELP, max_content_width=40))
    assert "-h, --help" in told
    assert "显示此说明并退出。" in told
