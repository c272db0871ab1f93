"""Which picture an address in HTML leads to, and how large it is, so that a page keeps its place before the picture has come."""

from __future__ import annotations

import html
import re
from urllib.parse import unquote

_VIEW_BOX = re.compile(rb'<svg\b[^>]*?\bviewBox="\s*[-\d.]+[\s,]+[-\d.]+[\s,]+([\d.]+)[\s,]+([\d.]+)\s*"')
_PNG = b"\x89PNG\r\n\x1a\n"
_IMAGE = re.compile(r'<img (?=[^>]*?src="/media/(?P<name>[^"]+)")')


def named(address: str) -> str:
    """Return the name ("module/name") of a picture or file by what stands after "/media/" in an attribute of HTML, percent-encoded as it may be."""
    return unquote(html.unescape(address))


def size(data: bytes) -> tuple[int, int] | None:
    """Return width and height of an SVG (its viewBox) or PNG in pixels, None for other kinds."""
    if data.startswith(_PNG) and len(data) >= 24:  # noqa: PLR2004 - signature, chunk head, two numbers
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    box = _VIEW_BOX.search(data[:4096])
    return (round(float(box[1])), round(float(box[2]))) if box else None


def with_sizes(source: str, media: dict[str, bytes]) -> str:
    """Return sanitised HTML whose `<img>` carry width and height wherever the picture in `media` ("module/name") tells them."""

    def sized(match: re.Match[str]) -> str:
        found = size(media.get(named(match["name"]), b""))
        return f'<img width="{found[0]}" height="{found[1]}" ' if found else match.group()

    return _IMAGE.sub(sized, source)
