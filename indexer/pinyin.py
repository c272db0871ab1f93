"""How Chinese text is typed on a Latin keyboard: the one door to pypinyin."""

from __future__ import annotations

import os

os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # the phrase dictionary costs 62 MB a process
os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "true")

from pypinyin import lazy_pinyin

from indexer.text import normalise


def spell(text: str) -> str:
    """Return `text` in toneless pinyin without spaces or punctuation; Latin letters stay: 报销 → baoxiao."""
    letters = "".join(lazy_pinyin(normalise(text).text))
    return "".join(char for char in letters if char.isalnum())
