"""Text as it is compared: one normal form for articles and questions, with the way back to the original."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from opencc import OpenCC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONTROL = {"Cc", "Cf", "Cs", "Co", "Cn"}
_SPACES = {"Zs", "Zl", "Zp"}
_VARIATION_SELECTORS = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_MAX_MARKS = 30
"""Combining marks of one character that count (Unicode's stream-safe limit): sorting more takes quadratic time."""
_ALSO_WRITTEN = {"帐": "账"}
"""Characters that people write for another one, with no other meaning that anybody would ask for."""
_SIGN_IN = re.compile("(?<![风攀])(?:登陆(?![点战艇舰])|登入(?![口门]))")
"""登录 as half of all people write it; not 台风登陆."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A text in normal form. `offsets[i]` is where character i of `text` begins in the source; one more entry marks the end."""

    text: str
    offsets: Sequence[int]

    def source_span(self, start: int, end: int) -> tuple[int, int]:
        """Turn a span of `text` into the span of the source that it came from (both half open)."""
        if start >= end:
            return self.offsets[start], self.offsets[start]
        after = end
        while after < len(self.text) and self.offsets[after] == self.offsets[end - 1]:
            after += 1
        return self.offsets[start], self.offsets[after]


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")


def traditional(text: str) -> str:
    """Convert what we ourselves say into the Traditional Chinese of Taiwan, its words included (软件 becomes 軟體)."""
    converted: str = _to_taiwan().convert(text)
    return converted


@cache
def _to_taiwan() -> OpenCC:
    return OpenCC("s2twp")


def let_go_of_traditional() -> None:
    """Let go of the 44 MB that `traditional` keeps; its next call takes 0.1 s of a processor to read them again."""
    _to_taiwan.cache_clear()


@lru_cache(maxsize=65536)
def _simplified(char: str) -> str:
    """Convert one character 繁→简; the context-free mapping keeps lengths and offsets."""
    if char < "\u3400":
        return char
    converted: str = _converter().convert(_converter().convert(char))  # twice: 薴 becomes 苧 and that 苎
    return _ALSO_WRITTEN.get(converted, converted) if len(converted) == 1 else char


def _clusters(text: str) -> Iterator[tuple[int, str]]:
    """Split into a base character with its combining marks and what is invisible between them, because NFKC composes across them."""
    start = 0
    for i in range(1, len(text) + 1):
        if i == len(text) or not (_invisible(text[i]) or _mark(text[i])):
            yield start, text[start:i]
            start = i


@lru_cache(maxsize=65536)
def _invisible(char: str) -> bool:
    if char in "\t\n\r\v\f":
        return False
    return unicodedata.category(char) in _CONTROL or any(ord(char) in selectors for selectors in _VARIATION_SELECTORS)


@lru_cache(maxsize=65536)
def _mark(char: str) -> bool:
    """Tell whether a character joins the one before it; the half-width ﾞ of ｶﾞ does only in its compatibility form."""
    return unicodedata.combining(unicodedata.normalize("NFKC", char)[0]) > 0


def _normal_cluster(cluster: str) -> str:
    """Return a cluster's normal form; only what is visible of it is remembered, so that a letter with 50,000 marks costs no memory."""
    return _normal_visible("".join(char for char in cluster if not _invisible(char))[: _MAX_MARKS + 1])


@lru_cache(maxsize=65536)
def _normal_visible(visible: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", visible).casefold())
    kept = []
    for char in folded:
        if char in "\t\n\r\v\f" or unicodedata.category(char) in _SPACES:
            kept.append(" ")
        elif not _invisible(char):
            kept.append(_simplified(char))
    return "".join(kept)


_CLUSTERED = "\0"
"""Stands in a translated text for what has no normal form of one character by itself; a control character, so no normal form holds it."""
_MAX_KNOWN = 65536
_UNPLAIN = re.compile(rf"[^{_CLUSTERED}]?{_CLUSTERED}+")
"""A character with the marks after it, or characters that become several."""


class _Plain(dict[int, str]):
    """Normal forms of characters that become one character whatever stands beside them, found out as they come; `_CLUSTERED` for all others."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        normal = _CLUSTERED if _invisible(char) or _mark(char) else _normal_visible(char)
        normal = normal if len(normal) == 1 else _CLUSTERED
        if len(self) < _MAX_KNOWN:
            self[code] = normal
        return normal


_plain = _Plain()


def normalise(text: str) -> Normalised:
    """Return `text` in NFKC, case-folded, without invisible and control characters, in Simplified characters and their usual spelling (帐号 is 账号).

    Every kind of white space becomes one space each; nothing is trimmed, so that the offsets stay true.
    """
    found = _unspelt(text)
    return Normalised(_SIGN_IN.sub("登录", found.text), found.offsets) if "登" in found.text else found


def _unspelt(text: str) -> Normalised:
    plain = text.translate(_plain)
    if _CLUSTERED not in plain:
        return Normalised(text if plain == text else plain, range(len(text) + 1))
    chars: list[str] = []
    offsets: list[int] = []
    done = 0
    for unplain in _UNPLAIN.finditer(plain):  # each begins and ends between two clusters: what is not `_CLUSTERED` begins one
        begin, end = unplain.span()
        chars.append(plain[done:begin])
        offsets.extend(range(done, begin))
        for start, cluster in _clusters(text[begin:end]):
            normal = _normal_cluster(cluster)
            chars.append(normal)
            offsets.extend([begin + start] * len(normal))
        done = end
    chars.append(plain[done:])
    offsets.extend(range(done, len(text) + 1))
    return Normalised("".join(chars), tuple(offsets))


def folded(text: str) -> str:
    """Return the normal form as one line with single spaces: what two questions are compared by."""
    return " ".join(normalise(text).text.split())


def bare(text: str) -> str:
    """Return a text's letters, digits and Han characters in normal form: two questions with the same ones are the same."""
    return "".join(char for char in folded(text) if char.isalnum())
