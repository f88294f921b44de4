"""Modules of JavaScript become one script. In: texts by path. Out: one text. Next: workflows/exporting/browser.py.

A page that is opened by a double click may run scripts, but no modules. Only the forms of import and export that our own pages use
are known; anything else stops.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

_IMPORT = re.compile(r'^import (?P<what>\* as \w+|\{[^}]*\}) from "(?P<path>\.[^"]+)";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (?P<name>\w+))", re.M)
_NAMED = re.compile(r"^export (?:async function|function|class|const) (\w+)", re.M)
_HANDED_ON = re.compile(r'^export \{(?P<names>[\w\s,]*)\} from "(?P<path>\.[^"]+)";$', re.M)
_RENAMED = re.compile(r"(\w+) as (\w+)")
_LEFT = re.compile(r"^(?:import|export)\b.*", re.M)


def one_script(modules: Mapping[str, str], entry: str) -> str:
    """The module at the path `entry` with all that it imports, each once, before what needs it.

    Raises: ValueError for a module that is missing, imports itself in a ring, or has another form of import or export.
    """
    parts: list[str] = []
    _add(entry, modules, parts, done=set(), above=())
    return '"use strict";\nconst modules = {};\n' + "\n".join(parts)


def _add(path: str, modules: Mapping[str, str], parts: list[str], *, done: set[str], above: tuple[str, ...]) -> None:
    if path in above:
        raise ValueError(f"modules import each other in a ring: {' -> '.join((*above, path))}")
    if path in done:
        return
    if path not in modules:
        raise ValueError(f"there is no module {path}, which {above[-1] if above else 'nobody'} imports")
    text = modules[path]
    for found in (*_IMPORT.finditer(text), *_HANDED_ON.finditer(text)):
        _add(_resolved(path, found["path"]), modules, parts, done=done, above=(*above, path))
    names = _NAMED.findall(text)
    body = _EXPORT.sub("", _HANDED_ON.sub("", _IMPORT.sub(lambda found: _required(path, found), text)))
    if left := _LEFT.search(body):
        raise ValueError(f"{path} has a form of import or export that is not known: {left[0][:80]}")
    given = ", ".join([*(f"get {name}() {{ return {name}; }}" for name in names), *_handed_on(path, text)])
    parts.append(f'modules["{path}"] = (() => {{\n{body}\nreturn {{ {given} }};\n}})();')
    done.add(path)


def _handed_on(path: str, text: str) -> list[str]:
    """Getters of what a module only passes on from another."""
    return [
        f'get {name}() {{ return modules["{_resolved(path, found["path"])}"].{name}; }}'
        for found in _HANDED_ON.finditer(text)
        for name in re.findall(r"\w+", found["names"])
    ]


def _required(path: str, found: re.Match[str]) -> str:
    module = f'modules["{_resolved(path, found["path"])}"]'
    what = found["what"]
    if what.startswith("*"):
        return f"const {what.removeprefix('* as ')} = {module};"
    renamed = _RENAMED.sub(r"\1: \2", what)
    return f"const {renamed} = {module};"


def _resolved(path: str, imported: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), imported))
