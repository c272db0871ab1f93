"""What the API says to people, in the language that a request asks for with `?lang=`; without it in Simplified Chinese.

Words are translated where they leave: whatever makes them knows one language. What people and editors wrote stays as it is.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from flask import has_request_context, request

from indexer.text import traditional
from kb.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flask import Flask

NAME = "lang"
OURS, TAIWAN, ENGLISH = LANGUAGES = ("zh-CN", "zh-TW", "en")
_ENGLISH = Path(__file__).with_name("english.toml")
_STOP = {OURS: "。", TAIWAN: "。", ENGLISH: ". "}
_PLACE = re.compile(r"\{(\d)(:said)?\}")


@dataclass(frozen=True, slots=True)
class _Form:
    """A sentence with places: what fits it in our language, what it is in another one, and which places hold words of ours."""

    fits: re.Pattern[str]
    other: str


def install(app: Flask) -> None:
    """Refuse a language that the API does not speak."""

    @app.before_request
    def _check() -> None:
        if request.path.startswith("/api/") and request.args.get(NAME, OURS) not in LANGUAGES:
            raise InvalidRequestError("bad_field", f"{NAME} must be one of {', '.join(LANGUAGES)}")


def said(*sentences: str) -> str:
    """Return sentences of ours in the language of this request, joined, without the last full stop; empty ones are left out."""
    asked = request.args.get(NAME, OURS) if has_request_context() and request.path.startswith("/api/") else OURS
    language = asked if asked in LANGUAGES else OURS
    return _STOP[language].join(in_language(one, language) for one in sentences if one)


def listed(words: Iterable[str]) -> str:
    """Return words of others one after the other, as the language of this request has them."""
    return (", " if request.args.get(NAME) == ENGLISH else "、").join(words)


def in_language(text: str, language: str) -> str:
    """Return what we say, in another language; what is no words of ours stays as it is."""
    if language == OURS:
        return text
    words, forms = _known(language)
    if (exact := words.get(text)) is not None:
        return exact
    for form in forms:
        if found := form.fits.fullmatch(text):
            return _PLACE.sub(lambda place: _filled(found, place, language), form.other)
    return text


def _filled(found: re.Match[str], place: re.Match[str], language: str) -> str:
    held = found[f"g{place[1]}"]
    if not place[2] or not held.strip():
        return held
    inner = in_language(held.strip(), language)
    return inner if language == ENGLISH else held.replace(held.strip(), inner)  # Chinese has its spaces where they were


def warm_up() -> None:
    """Make the tables that the first question in each language would wait for."""
    for language in (TAIWAN, ENGLISH):
        _known(language)


@cache
def _known(language: str) -> tuple[Mapping[str, str], tuple[_Form, ...]]:
    """Return the words that stand for themselves, and the sentences with places."""
    table = {ours: english if language == ENGLISH else taiwans(ours) for ours, english in english_words().items()}
    forms = tuple(_Form(_pattern(ours), other) for ours, other in table.items() if _PLACE.search(ours))
    return {ours: other for ours, other in table.items() if not _PLACE.search(ours)}, forms


def taiwans(text: str) -> str:
    """Return a sentence in the Traditional Chinese of Taiwan. 回复 is always 回覆 here: OpenCC, which goes by what stands before, takes some for 回復."""
    return traditional(text).replace("回復", "回覆")


def _pattern(ours: str) -> re.Pattern[str]:
    fixed = _PLACE.split(ours)  # text, number, ":said" or None, text, …
    parts = (re.escape(text) + (f"(?P<g{number}>.*?)" if number is not None else "") for text, number in zip(fixed[::3], [*fixed[1::3], None], strict=True))
    return re.compile("".join(parts), re.DOTALL)


def english_words() -> dict[str, str]:
    """Return what the API says in English, by what it says in Simplified Chinese, as the file of it holds them."""
    table: dict[str, str] = tomllib.loads(_ENGLISH.read_text(encoding="utf-8"))
    return table
