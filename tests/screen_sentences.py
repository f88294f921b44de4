"""The sentences that the program may show. In: source files. Out: templates with {0}, {1} for what is put in at run time."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

WORD = re.compile(r"[A-Za-z]{2,}")
PLACE = re.compile(r"\{\d+\}")


def template(node: ast.AST) -> str | None:
    """A string or f-string with its values as {0}, {1} ...; None for anything else."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if not isinstance(node, ast.JoinedStr):
        return None
    said, number = "", 0
    for part in node.values:
        if isinstance(part, ast.Constant):
            said += str(part.value)
        else:
            said += f"{{{number}}}"
            number += 1
    return said


def sentences(path: Path) -> Iterator[str]:
    """Every string of two words or more in a file, but for docstrings; parts of an f-string belong to it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    passed = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                passed.add(id(first.value))
        if isinstance(node, ast.JoinedStr):
            passed |= {id(part) for part in node.values}
    for node in ast.walk(tree):
        said = None if id(node) in passed else template(node)
        if said and " " in said.strip() and len(WORD.findall(PLACE.sub("", said))) >= 2:
            yield said


def all_sentences(package: Path) -> dict[str, str]:
    """Of a package's files: each sentence, and where it stands first."""
    found: dict[str, str] = {}
    for path in sorted(package.rglob("*.py")):
        for said in sentences(path):
            found.setdefault(said, str(path.relative_to(package)))
    return found
