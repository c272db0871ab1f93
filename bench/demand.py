"""What people send: searches of which few are asked again and again, and wishes that no article answers, each in more than one wording."""

from __future__ import annotations

import random
from itertools import accumulate, product
from typing import TYPE_CHECKING

from indexer.build import open_published
from kb.search.answer import answer
from kb.search.answerability import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PLACES = ("一号楼", "二号楼", "东区", "西区", "北门", "南门", "三楼", "五楼", "地下一层", "新园区")
_THINGS = (
    "停车位",
    "班车",
    "健身房",
    "咖啡机",
    "储物柜",
    "充电桩",
    "投影仪",
    "饮水机",
    "空调",
    "电梯",
    "快递柜",
    "母婴室",
    "自行车棚",
    "餐桌",
    "微波炉",
    "绿植",
    "雨伞",
)
_WANTS = (
    ("几点开放", "什么时候开放"),
    ("坏了找谁修", "坏了该找谁修理"),
    ("可以带家属用吗", "家属能用吗"),
    ("要不要预约", "需要预约吗"),
    ("由谁打扫", "谁来打扫"),
    ("能不能换一个", "可不可以换一个"),
)


def wishes(index: Path, count: int, seed: int = 1) -> list[tuple[str, str]]:
    """Return up to `count` wishes in two wordings each, both of which the published build leaves unanswered."""
    every = list(product(_PLACES, _THINGS, _WANTS))
    random.Random(seed).shuffle(every)  # noqa: S311 - the same load each time
    found: list[tuple[str, str]] = []
    with open_published(index) as published:
        for place, thing, (want, again) in every:
            both = (f"{place}{thing}{want}", f"请问{place}的{thing}{again}？")
            if len(found) < count and all(answer(published, text).verdict is Verdict.UNANSWERED for text in both):
                found.append(both)
    return found


def finished(known: Sequence[tuple[str, str]], seed: int = 1) -> Iterator[str]:
    """Yield finished questions without end: a new wish, then one of the earlier ones in other words, and so on; from the start again after the last."""
    chance, at = random.Random(seed), 0  # noqa: S311 - the same load each time
    while True:
        yield known[at % len(known)][0]
        yield known[chance.randrange(min(at + 1, len(known)))][1]
        at += 1


def searches(questions: Sequence[str], seed: int = 1) -> Iterator[str]:
    """Yield questions without end by Zipf's law: the n-th of a shuffled list comes 1/n as often as the first."""
    chance, ordered = random.Random(seed), list(questions)  # noqa: S311 - the same load each time
    chance.shuffle(ordered)
    weights = list(accumulate(1 / rank for rank in range(1, len(ordered) + 1)))
    while True:
        yield chance.choices(ordered, cum_weights=weights)[0]


def arrivals(per_second: float, seconds: float, seed: int = 1) -> list[float]:
    """Return the moments, in seconds from the start, at which people come who know nothing of each other: a Poisson process."""
    chance, at, found = random.Random(seed), 0.0, []  # noqa: S311 - the same load each time
    while (at := at + chance.expovariate(per_second)) < seconds:
        found.append(at)
    return found
