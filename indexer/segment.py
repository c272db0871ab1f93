"""Text to terms: the one door to jieba. The same at index and at query time."""

from __future__ import annotations

import logging
import re
import stat
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path  # noqa: TC003 - part of public signatures that are introspected
from typing import TYPE_CHECKING

import jieba

from indexer.errors import IndexerError
from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TERM = 64
"""Characters of one term; longer ones are cut (engines disagree beyond it)."""

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(
    rf"(?P<han>[{_HAN}]+)"
    r"|(?P<code>[^\W_](?:(?![" + _HAN + r"])[^\W_])*(?:[.+#/_\-&@%:'](?:(?![" + _HAN + r"])[^\W_])+)*[+#%]{0,2})"
)
_CODE_PART = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Terms:
    """The three streams of a text: words (Han words, whole codes and their parts), character pairs, single Han characters."""

    words: tuple[str, ...]
    pairs: tuple[str, ...]
    chars: tuple[str, ...]


class _Dictionary(jieba.Tokenizer):  # type: ignore[misc]
    """jieba's dictionary with its cache in a folder that only we can write."""

    def __init__(self, cache_dir: Path | None) -> None:
        super().__init__()
        jieba.setLogLevel(logging.CRITICAL)
        if cache_dir is None:
            self.FREQ, self.total = self.gen_pfdict(self.get_dict_file())
            self.initialized = True
            return
        cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if stat.S_IMODE(cache_dir.stat().st_mode) & 0o022:
            raise IndexerError(f"{cache_dir} can be written by others and jieba's cache in it is executed data; run chmod 700 {cache_dir}")
        self.tmp_dir = str(cache_dir)
        self.initialize()


@cache
def _dictionary(cache_dir: Path | None) -> _Dictionary:
    return _Dictionary(cache_dir)


_cache_dir: Path | None = None


def use_cache(cache_dir: Path | None) -> None:
    """Keep jieba's prepared dictionary in this folder (made with 0700) from the first use on; None keeps none."""
    global _cache_dir  # noqa: PLW0603 - jieba's dictionary is one a process
    _cache_dir = cache_dir


def warm_up(cache_dir: Path | None = None) -> None:
    """Load jieba's dictionary now (about a second, then 0.3 s from `cache_dir`), before any fork.

    Raises IndexerError when others can write the cache folder.
    """
    use_cache(cache_dir)
    _dictionary(cache_dir)


class Segmenter:
    """Cuts text into terms with the editors' words. Immutable, so any number of threads may share one."""

    def __init__(self, words: tuple[str, ...] = ()) -> None:
        """Copy the dictionary and add `words` (normalised Han words) to it."""
        base = _dictionary(_cache_dir)
        self._jieba = jieba.Tokenizer()
        self._jieba.FREQ = dict(base.FREQ) if words else base.FREQ
        self._jieba.total = base.total
        self._jieba.initialized = True
        for word in words:
            self._jieba.add_word(word)

    def terms(self, text: str) -> Terms:
        """Return every term of `text`, repeated as often as it stands there, in order."""
        words: list[str] = []
        pairs: list[str] = []
        chars: list[str] = []
        for kind, run in runs(normalise(text).text):
            if kind == "code":
                words.extend(_code_terms(run))
                continue
            words.extend(self._jieba.cut_for_search(run, HMM=False))
            chars.extend(run)
            pairs.extend(run[i : i + 2] for i in range(len(run) - 1))
        return Terms(tuple(words), tuple(pairs), tuple(chars))

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
