"""Pictures of a plain request, however they are written. In: a body. Out: files. Next: plain.py.

Files of a form, one file alone, and what pages and scripts make of a picture: a `data:` URI (RFC 2397), or base64 in JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from tellapart.serving.bodies import File, kind_of, read_aside, read_form, read_json, shown
from tellapart.serving.refusals import Refusal
from tellapart.serving.tensors import IMAGE, TEXT, from_base64
from tellapart.texts.cleaning import made_whole

_DATA = "data:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a request holds: N files, or texts that came in JSON, as they came."""

    names: Sequence[str]  # N; "" where it has none
    data: Sequence[bytes | str]  # N


async def read_pictures(body: bytes, request: Request) -> Sent:
    """The files of a request, at least one. Raises: Refusal, TooLarge."""
    kind = kind_of(request)
    if kind == "application/json":
        return await read_aside(_from_json, body)
    if kind == "multipart/form-data":
        files, fields = await read_form(body, request)
        written = {name: text for name, text in fields.items() if text[: len(_DATA)].lower() == _DATA}
        files += [File(name=name, data=from_base64(text, name)) for name, text in written.items()]
        if not files:
            raise Refusal("the form holds no file. Send at least one, in a field of any name.")
        return Sent(names=[file.name for file in files], data=[file.data for file in files])
    if body[: len(_DATA)].lower() == _DATA.encode():
        return _unnamed([from_base64(body.decode("latin-1"), IMAGE)])
    if not body:
        raise Refusal("the body is empty. Send multipart/form-data, JSON, or the bytes of one file.")
    return _unnamed([body])


def _unnamed(data: Sequence[bytes | str]) -> Sent:
    return Sent(names=("",) * len(data), data=data)


def _texts(given: Any) -> Sent:
    """Texts of a model that takes them. Raises: Refusal."""
    texts = given if isinstance(given, list) else [given]
    if set(map(type, texts)) != {str}:
        raise Refusal(f"`{TEXT}` is {shown(given)[:60]}; it must be a string, or a list of them.")
    return _unnamed(made_whole(texts))


def _from_json(body: bytes) -> Sent:
    found = read_json(body)
    if set(found) == {TEXT}:
        return _texts(found[TEXT])
    images = found.get(IMAGE)
    texts = images if isinstance(images, list) else [images]
    if set(found) != {IMAGE} or not texts or not all(isinstance(text, str) for text in texts):
        raise Refusal(
            f"the JSON holds {', '.join(sorted(map(shown, found)))[:80] or 'nothing'}; /predict takes "
            f'{{"{IMAGE}": "..."}}, a picture file as base64 or as a data: URI, {{"{TEXT}": "..."}}, a text, or a list of '
            "them. Or send the file itself."
        )
    return _unnamed([from_base64(text, IMAGE) for text in texts])
