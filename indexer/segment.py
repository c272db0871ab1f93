"""Text to terms: the one door to jieba. The same at index and at query time."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import stat
import sys
from collections import ChainMap
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from math import log
from operator import add
from pathlib import Path  # noqa: TC003 - part of public signatures that are introspected
from typing import TYPE_CHECKING, Any, cast

from indexer.errors import IndexerError
from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

_setuptools: Any = sys.modules.setdefault("pkg_resources", cast("Any", None))  # "not installed": jieba does without, in 0.12 s and 11 MB less
import jieba  # noqa: E402 - see above

if _setuptools is None:
    del sys.modules["pkg_resources"]

MAX_TERM = 64
"""Characters of one term; longer ones are cut (engines disagree beyond it)."""

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    r"|(?P<code>[^\W_](?:(?![" + _HAN + r"])[^\W_])*(?:[.+#/_\-&@%:'](?:(?![" + _HAN + r"])[^\W_])+)*[+#%]{0,2})"
)
_HAN_CHAR = re.compile(f"[{_HAN}]")
_CODE_PART = re.compile(r"[^\W_]+")
_PART_SIZES = (2, 3)
"""Characters of the shorter words that a longer one is also found by, as jieba's cut_for_search has them."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The three streams of a text: words (Han words, whole codes and their parts), character pairs, single Han characters."""

    words: tuple[str, ...]
    pairs: tuple[str, ...]
    chars: tuple[str, ...]


class _Dictionary(jieba.Tokenizer):  # type: ignore[misc]
    """jieba's dictionary, kept ready in a folder that only we can write: jieba's own cache is executed data and takes three times as long to load."""

    def __init__(self, cache_dir: Path | None) -> None:
        super().__init__()
        jieba.setLogLevel(logging.CRITICAL)
        self.initialized = True
        if cache_dir is None:
            self.FREQ, self.total = self.gen_pfdict(self.get_dict_file())
            return
        cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(cache_dir.stat().st_mode) & 0o022:
            raise IndexerError(f"{cache_dir} can be written by others, who could change what is a word; run chmod 700 {cache_dir}")
        kept = cache_dir / f"dictionary-{jieba.__version__}"
        found = _kept_dictionary(kept)
        self.FREQ, self.total = found or self.gen_pfdict(self.get_dict_file())
        if not found:
            with suppress(OSError):  # a full disk costs the next start a second, nothing else
                _keep_dictionary(kept, self.FREQ, self.total)


def _kept_dictionary(path: Path) -> tuple[dict[str, int], int] | None:
    """Return frequencies and their total, or None when the file is missing or is not what was written."""
    try:
        digest, _, data = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    if hashlib.sha256(data).hexdigest().encode() != digest:
        return None
    numbers, _, words = data.decode().partition("\n")
    try:
        total, frequencies = json.loads(numbers)
        return dict(zip(words.split("\n"), frequencies, strict=True)), total
    except ValueError:
        return None  # whole, but written by another version


def _keep_dictionary(path: Path, frequencies: dict[str, int], total: int) -> None:
    data = "\n".join([json.dumps([total, [*frequencies.values()]]), *frequencies]).encode()
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
    aside.replace(path)


@cache
def _dictionary(cache_dir: Path | None) -> _Dictionary:
    return _Dictionary(cache_dir)


_cache_dir: Path | None = None


def use_cache(cache_dir: Path | None) -> None:
    """Keep jieba's prepared dictionary in this folder (made with 0700) from the first use on; None keeps none."""
    global _cache_dir  # noqa: PLW0603 - jieba's dictionary is one a process
    _cache_dir = cache_dir


def warm_up(cache_dir: Path | None = None) -> None:
    """Load jieba's dictionary now (about a second, then 0.2 s from `cache_dir`), before any fork.

    Raises IndexerError when others can write the cache folder.
    """
    use_cache(cache_dir)
    _dictionary(cache_dir)


class _Cutter(jieba.Tokenizer):  # type: ignore[misc]
    """jieba with words of its own above a dictionary that is never copied.

    A copy is a second table of 20 MB and a write to each of half a million words, which a worker shares no more from then on.
    """

    def __init__(self, base: jieba.Tokenizer, words: tuple[str, ...]) -> None:
        super().__init__()
        self.shared: dict[str, int] = base.FREQ
        self.own: dict[str, int] = {}
        self.FREQ = ChainMap(self.own, self.shared)
        self.total = base.total
        self.initialized = True
        for word in words:
            self.add_word(word)

    def get_DAG(self, sentence: str) -> dict[int, list[int]]:  # noqa: N802 - jieba's name; as jieba's own, but without a call for each look into the chain
        """Return where the words end that begin at each character."""
        own, shared = self.own, self.shared
        found = {}
        size = len(sentence)
        for start in range(size):
            ends = []
            end = start
            while end < size:
                piece = sentence[start : end + 1]
                if shared.get(piece) or own.get(piece):
                    ends.append(end)
                elif piece not in shared and piece not in own:
                    break
                end += 1
            found[start] = ends or [start]
        return found

    def calc(self, sentence: str, DAG: dict[int, list[int]], route: dict[int, tuple[float, int]]) -> None:  # noqa: N803 - jieba's names, jieba's sums
        """Fill `route` with the likeliest way on from each character: its logarithm and where its first word ends."""
        own, shared, total = self.own, self.shared, log(self.total)
        route[len(sentence)] = (0, 0)
        for start in range(len(sentence) - 1, -1, -1):
            ways = [(log(own.get(word := sentence[start : end + 1]) or shared.get(word) or 1) - total + route[end + 1][0], end) for end in DAG[start]]
            route[start] = max(ways)


class Segmenter:
    """Cuts text into terms with the editors' words. Immutable, so any number of threads may share one."""

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        """Know `words` (normalised Han words) too."""
        self._jieba = _Cutter(_dictionary(_cache_dir), words)

    def terms(self, text: str) -> Terms:
        """Return every term of `text`, repeated as often as it stands there, in order."""
        words: list[str] = []
        pairs: list[str] = []
        chars: list[str] = []
        for kind, run in runs(normalise(text).text):
            if kind == "code":
                words.extend(_code_terms(run))
                continue
            words.extend(part for word in self._jieba.cut(run, HMM=False) for part in self.parts(word))
            chars.extend(run)
            pairs.extend(map(add, run, run[1:]))
        return Terms(tuple(words), tuple(pairs), tuple(chars))

    def parts(self, word: str) -> list[str]:
        """Return a word that `cut` gave, or a whole code, as `terms` holds it: a Han word after the shorter words inside it, a code before its parts."""
        if not _HAN_CHAR.match(word):
            return _code_terms(word)
        own, shared = self._jieba.own, self._jieba.shared
        pieces = (word[i : i + size] for size in _PART_SIZES if len(word) > size for i in range(len(word) - size + 1))
        return [*(piece for piece in pieces if shared.get(piece) or own.get(piece)), word]

    def cut(self, text: str) -> list[str]:
        """Return the words of `text` once each place, without the overlapping parts that `terms` adds: what a person would call its words."""
        words: list[str] = []
        for kind, run in runs(normalise(text).text):
            words.extend([run[:MAX_TERM]] if kind == "code" else self._jieba.cut(run, HMM=False))
        return words


def runs(normal: str) -> Iterator[tuple[str, str]]:
    """Split normalised text into ("han", run) and ("code", run); a code is a Latin word, a number or a document number."""
    for match in _RUN.finditer(normal):
        yield match.lastgroup or "code", match.group()


def _code_terms(run: str) -> list[str]:
    """Return a code whole and, when it has several, its parts: k/3 → k/3, k, 3."""
    parts = _CODE_PART.findall(run)
    whole = run[:MAX_TERM]
    return [whole] if parts == [run] else [whole, *(part[:MAX_TERM] for part in parts)]


@lru_cache(maxsize=4)
def segmenter(words: tuple[str, ...]) -> Segmenter:
    """Return the segmenter for these editors' words; builds that share a vocabulary share it."""
    return Segmenter(words)
