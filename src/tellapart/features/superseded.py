"""What an update costs, in words. In: the folder of a network just made. Out: a sentence, or none. Next: backbone.py.

Embeddings are kept under the network that gave them. Where another version made another network of the same weights, those of
the earlier one are of no use any more, and the wait that follows should not puzzle anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_SAME = ("name", "weights_fingerprint", "preprocessing")  # what makes two records those of one network
_NETWORK = "onnx_sha256"


def superseded(folder: Path, record: str) -> str:
    """What to know where a folder beside `folder` has another network for the same; "" where none has.

    `record` is the name of the file in such a folder that tells what is in it; one that cannot be read is passed over.
    """
    made = _read(folder / record)
    for other in folder.parent.glob(f"*/{record}"):
        known = _read(other)
        same = all(name in known and known[name] == made.get(name) for name in _SAME)
        if same and known.get(_NETWORK) != made.get(_NETWORK):
            return (
                f"The cache has embeddings by {made['name']} as an earlier version made it. They are no longer used, and those "
                "that are needed are computed again, this once."
            )
    return ""


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
