"""What an earlier build worked out, so that the next one works out only what changed."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Cache:
    """JSON values by what they were made from, kept in one file between builds.

    `made_with` names whatever else the values depend on, such as the program's version: values made with another are forgotten.
    A file that is missing, cannot be read or is not what `save` wrote is an empty one. One thread only.
    """

    def __init__(self, path: Path, made_with: str) -> None:
        """Read what was kept."""
        self._path = path
        self._made_with = hashlib.sha256(made_with.encode()).hexdigest().encode()
        self._kept = self._read()
        self._asked: dict[bytes, bytes] = {}
        self.made = 0

    def get(self, source: object, make: Callable[[], Any]) -> Any:
        """Return what `make` returned when it was first called for an equal `source` (a JSON value), as JSON gives it back.

        `made` counts the calls of `make`; what it raises is passed on and nothing is kept.
        """
        key = hashlib.sha256(json.dumps(source, ensure_ascii=False).encode(errors="surrogatepass")).hexdigest().encode()
        kept = self._asked.get(key) or self._kept.get(key)
        if kept is not None:
            self._asked[key] = kept
            return json.loads(kept)
        value = make()
        self.made += 1
        made = self._asked[key] = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")
        return json.loads(made)

    def save(self) -> None:
        """Replace the file by the values that were asked for since it was read; the others are forgotten.

        Where it cannot be written (a full disk), it stays as it is: the next build makes more anew, and this one is none the worse.
        """
        if self._asked.keys() == self._kept.keys():
            return
        body = b"".join(b"%b %b\n" % entry for entry in self._asked.items())
        aside = self._path.with_name(f".{self._path.name}")  # there is one builder at a time
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            aside.write_bytes(b"%b %b\n" % (self._made_with, hashlib.sha256(body).hexdigest().encode()) + body)
            aside.replace(self._path)
        with suppress(OSError):
            aside.unlink()  # half of one takes the room that was missing

    def _read(self) -> dict[bytes, bytes]:
        """Return the entries of the file as written; no flush to disk guards it, the hash does."""
        try:
            head, _, body = self._path.read_bytes().partition(b"\n")
        except OSError:
            return {}
        if head != self._made_with + b" " + hashlib.sha256(body).hexdigest().encode():
            return {}
        entries = (line.partition(b" ") for line in body.split(b"\n") if line)
        return {key: value for key, _, value in entries}
