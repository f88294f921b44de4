"""XML of annotations, from wherever it comes. In: bytes. Out: its element, or a fault. Next: boxes_voc.py.

Entities and anything from elsewhere are refused.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, ParseError
from xml.etree.ElementTree import fromstring as quick_fromstring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from tellapart.data.faults import FaultList

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*encoding\s*=\s*["']([\w.:-]+)["'][^>]*\?>""")
_ASCII_INSIDE = (
    b"utf-8",
    b"us-ascii",
    b"ascii",
    b"iso-8859-1",
)  # encodings in which a document type is what it looks like


def parse_xml(path: str, data: bytes, faults: FaultList) -> Element | None:
    """The outermost element of a file's bytes; None, and a fault, where it is no XML or defines entities."""
    try:
        return _element(data)
    except DefusedXmlException:
        faults.add("unreadable", path, detail="it defines entities, which are refused")
    except (ParseError, ValueError, LookupError, RecursionError) as error:
        faults.add("unreadable", path, detail=f"no well-formed XML: {error}")
    return None


def _element(data: bytes) -> Element:
    """Raises: DefusedXmlException, ParseError, ValueError, LookupError."""
    declared = _DECLARED.match(data)
    if b"<!DOCTYPE" not in data and b"\0" not in data and (declared is None or declared[1].lower() in _ASCII_INSIDE):
        # Without a document type there are no entities; the parser that looks for them takes five times as long.
        return quick_fromstring(data)
    try:
        root = fromstring(data)
    except (ParseError, ValueError, LookupError) as error:
        if declared is None or isinstance(error, DefusedXmlException):
            raise
        # The parser knows few encodings; Python knows GBK and its like.
        root = fromstring(data[declared.end() :].decode(declared[1].decode("ascii")))
    if not isinstance(root, Element):
        raise ParseError("there is no element")
    return root
