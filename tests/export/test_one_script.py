"""Modules as one script. In: texts. Out: what Node makes of it, or why it is refused."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tellapart.export.one_script import one_script

MODULES = {
    "page/start.js": 'import * as words from "./words.js";\nimport { twice as two, Thing } from "../sample/sums.js";\n'
    "console.log(words.say(two(3)), new Thing().n, words.twice(1));",
    "page/words.js": 'export { twice, Thing } from "../sample/sums.js";\n'
    "const own = 7;\nexport const say = (n) => `${n} and ${own}`;\n",
    "sample/sums.js": 'import { one } from "./one.js";\nconst own = 2;\nexport function twice(n) {\n  return own * n * one;\n}\n'
    "export class Thing {\n  n = one;\n}",
    "sample/one.js": "export const one = 1;",
    "unused.js": "throw new Error();",
}


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_it_does_what_the_modules_do() -> None:
    script = one_script(MODULES, "page/start.js")
    done = subprocess.run(["node", "-"], input=script, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("6 and 7 1 2\n", "")
    assert "unused" not in script


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('import { x } from "./gone.js";', "there is no module gone.js, which a.js imports"),
        ('import "./b.js";', 'a.js has a form of import or export that is not known: import "./b.js";'),
        ("export default 1;", "a form of import or export that is not known: export default 1;"),
        ('import { b } from "./b.js";', "modules import each other in a ring: a.js -> b.js -> a.js"),
    ],
)
def test_what_is_not_known_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        one_script({"a.js": text, "b.js": 'import { a } from "./a.js";'}, "a.js")
