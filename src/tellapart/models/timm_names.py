"""What timm calls its networks, read in its source. In: a name. Out: whether it stands there. Next: weights.py.

To ask timm itself takes PyTorch, and seconds, before anything else of a training has begun.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path


def is_written(name: str) -> bool:
    """Whether timm's source registers this network, and quotes the name with its tag where it has one.

    False says only that it has to be asked: names that are put together at run time stand nowhere.
    """
    base, dot, _ = name.partition(".")
    registered = re.compile(rf"@register_model\s+def {re.escape(base)}\(")
    for path in _sources():
        text = path.read_text(encoding="utf-8", errors="replace")
        if f"def {base}(" in text and registered.search(text):
            return not dot or f"'{name}'" in text or f'"{name}"' in text
    return False


def _sources() -> list[Path]:
    found = importlib.util.find_spec("timm")
    folders = [] if found is None else found.submodule_search_locations or []
    return [path for folder in folders for path in sorted(Path(folder).glob("models/*.py"))]
