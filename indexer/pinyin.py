"""How Chinese text is typed on a Latin keyboard: the one door to pypinyin."""

from __future__ import annotations

import os
from functools import cache, lru_cache
from itertools import chain, islice, product
from typing import TYPE_CHECKING, cast

from indexer.text import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST = 12
"""Spellings of one word; a word of many-voiced characters would have hundreds."""
_LONGEST_SYLLABLE, _MOST_SYLLABLES = 6, 12
_ALSO = dict(
    pair.split(":")
    for pair in (  # noqa: SIM905
        "行:hang 长:chang 重:chong 还:huan 差:chai 调:tiao 传:zhuan 会:kuai 率:shuai 地:de 着:zhao 便:pian 参:shen 称:chen 大:dai 都:du 给:ji 降:xiang "
        "没:mo 模:mu 系:ji 校:jiao 曾:zeng 车:ju 省:xing 什:shi 熟:shou 谁:shei 血:xie 露:lou 朝:zhao 藏:zang 卡:qia 薄:bao 剥:bao 弹:dan 觉:jiao 落:la 塞:se "
        "色:shai 说:shui 择:zhai 削:xiao 粘:zhan 折:she 弄:long 那:nei 哪:nei 这:zhei 得:dei 乐:yue 呢:ni 咋:zha 壳:qiao 似:si 识:zhi 乘:sheng 宿:xiu"
    ).split()
)
"""The second reading of characters that are often typed by it; others are typed as pypinyin reads them alone."""

_TOGETHER = {"不了": "buliao", "了解": "liaojie"}
"""Words that are read in another way than their characters one by one."""


@cache
def _reader() -> Callable[[str], list[str]]:
    """Return pypinyin's reading of a text; loaded at the first use, because most questions in Chinese never need it."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "true")  # the phrase dictionary costs 62 MB a process
    os.environ.setdefault("PYPINYIN_NO_DICT_COPY", "true")
    from pypinyin import lazy_pinyin  # noqa: PLC0415 - see above

    return cast("Callable[[str], list[str]]", lazy_pinyin)


def spell(text: str) -> str:
    """Return `text` in toneless pinyin without spaces or punctuation; Latin letters stay: 报销 → baoxiao."""
    letters = "".join(_reader()(normalise(text).text))
    return "".join(char for char in letters if char.isalnum())


@lru_cache(maxsize=16384)
def readings(char: str) -> tuple[str, ...]:
    """Return how one Han character in normal form is typed, the usual way first, ü as v and as u; nothing for what has no pinyin."""
    first = _reader()(char)[0].replace("ü", "v")
    if not (first.isascii() and first.isalpha()) or char.isascii():
        return ()
    found = [first, *([_ALSO[char]] if char in _ALSO else [])]
    return tuple(dict.fromkeys(way for reading in found for way in (reading, reading.replace("v", "u"))))


def sound_of(char: str) -> str:
    """Return how one Han character in normal form is usually typed; itself when it has no pinyin."""
    return next(iter(readings(char)), char)


@lru_cache(maxsize=4096)
def syllables_of(letters: str) -> tuple[str, ...]:
    """Return a Latin word as the fewest syllables that it can be cut into, () for what is no pinyin: nianjia → nian, jia."""
    if not (letters.isascii() and letters.isalpha()) or len(letters) > _LONGEST_SYLLABLE * _MOST_SYLLABLES:
        return ()
    best: list[tuple[str, ...] | None] = [(), *[None] * len(letters)]
    for end in range(1, len(letters) + 1):
        for start in range(max(0, end - _LONGEST_SYLLABLE), end):
            before, syllable = best[start], letters[start:end]
            if before is not None and syllable in _all_syllables() and (best[end] is None or len(before) + 1 < len(best[end] or ())):
                best[end] = (*before, syllable)
    return best[-1] or ()


@cache
def _all_syllables() -> frozenset[str]:
    every = (readings.__wrapped__(chr(code)) for code in range(0x4E00, 0x9FA6))  # past the cache, which is for the characters that people use
    return frozenset(chain.from_iterable(every))


def spellings(word: str) -> tuple[str, ...]:
    """Return the ways in which a Han word in normal form is typed, at most 12, likely ones first: 差旅 → chalv, chalu, chailv, chailu."""
    one_by_one = ("".join(way) for way in islice(product(*map(readings, word)), _MOST))
    return tuple(dict.fromkeys(chain([_TOGETHER[word]] if word in _TOGETHER else [], one_by_one)))[:_MOST]


def initials(word: str) -> str:
    """Return the first letter of each character's usual reading, "" when some character has none: 报销单 → bxd."""
    usual = [readings(char)[:1] for char in word]
    return "".join(way[0][0] for way in usual) if all(usual) else ""


def blurred(letters: str) -> str:
    """Return pinyin without the differences that many speakers do not make: zh-z, ch-c, sh-s and final ng-n."""
    for clear, same in (("zh", "z"), ("ch", "c"), ("sh", "s"), ("ng", "n")):
        letters = letters.replace(clear, same)
    return letters
