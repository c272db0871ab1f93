"""Do two wordings want the same? Pure: what each says of the other, weighed by a logistic model (likeness.toml, which names the command that fits it).

A wrong join gives a person somebody else's answer, a missed one costs an agent a click. So what contradicts decides alone (the other deed, time, place,
number, question or direction), and the threshold is chosen for precision.
"""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from kb.tickets.wish import GENERAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kb.tickets.wish import Unit, Wish, Word

_BY_SOUND, _LONE = 0.95, 0.5
"""What a character of a word counts that is met by its sound beside the same neighbour, and one that is met without its neighbours."""
_NOTHING = 0.3
"""Weight that is no difference: one general verb."""
_ENOUGH = 2.0
"""Shared weight from which more tells nothing: two stories share many words."""
_WHETHER = frozenset({"may"})
_IN_TURN = re.compile("先.+(?:后|再|才)")
_FROM, _TO = re.compile("(?<!自)从(?=([\u4e00-\u9fff]{2}))"), re.compile("[到往去](?=([\u4e00-\u9fff]{2}))")
_PART_OF_CODE = 4
"""Letters from which a code inside a longer one is the same: nullpointerexception and java.lang.nullpointerexception."""


@dataclass(frozen=True, slots=True)
class Model:
    """Coefficients, and the likeness from which two wordings are joined and from which an agent is shown the other one."""

    coefficients: dict[str, float]
    joined: float
    shown: float

    @classmethod
    def load(cls, path: Path) -> Model:
        """Read a model. Raises OSError, tomllib.TOMLDecodeError or KeyError for a file that is none."""
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(data["coefficients"], **data["thresholds"])


MODEL = Model.load(Path(__file__).with_name("likeness.toml"))


def likeness(one: Wish, other: Wish, model: Model = MODEL) -> float:
    """Return how likely two wordings want the same (0-1): 1 for the same letters, 0 for what shares nothing or contradicts. Symmetric."""
    if one.text == other.text:
        return 1.0
    if contradiction(one, other):
        return 0.0
    found = features(one, other)
    return probability(model.coefficients, found) if found["shared"] else 0.0


def probability(coefficients: Mapping[str, float], found: Mapping[str, float]) -> float:
    """Return the logistic model's value: σ(intercept + Σ coefficient · feature)."""
    logit = coefficients["intercept"] + sum(coefficients[name] * value for name, value in found.items())
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, logit))))


def contradiction(one: Wish, other: Wish) -> str:
    """Return why two wordings cannot be one wish, "" when nothing says so: `opposed`, `counted`, `codes`, `asked`, `undone` or `turned`."""
    if any(not alternatives & other.named.get(line, alternatives) for line, alternatives in one.named.items()):
        return "opposed"
    if any(not numbers & other.counted.get(counts, numbers) for counts, numbers in one.counted.items()):
        return "counted"
    if one.codes and other.codes and not any(code in another or another in code for code in one.codes for another in other.codes):
        return "codes"
    if _otherwise(one, other):
        return "asked"
    if (GENERAL.undoing.search(one.text) is None) != (GENERAL.undoing.search(other.text) is None):
        return "undone"
    return "turned" if _turned(one, other) else ""


def features(one: Wish, other: Wish) -> dict[str, float]:
    """Return what tells whether two wordings want the same.

    `nothing_left`: each says all that the other says. `shared`: what both say, in words that name a subject. `covered`: its share of all that they say.
    `one_left`: what one says more. `slip`, `contrast`: what one says more, and what each does, in sentences that are else letter by letter the same.
    `asked_alike`: they ask the same about it (how, where, how much …).
    """
    mine, theirs = _met(one, other), _met(other, one)
    left = sorted((one.weight - mine, other.weight - theirs))
    letters = _same_letters(one.text, other.text)
    return {
        "nothing_left": float(sum(left) < _NOTHING),
        "shared": min(mine, theirs, _ENOUGH),
        "covered": (mine + theirs) / max(one.weight + other.weight, _NOTHING),
        "one_left": min(left[1], 1.0),
        "slip": min(left[1], 1.0) * letters,
        "contrast": min(left[0], 1.0) * letters,
        "asked_alike": float(not _asked(one).isdisjoint(_asked(other))),
    }


def _asked(wish: Wish) -> frozenset[str]:
    """Return what is asked, in question words or else by nouns; whether (能…吗) only when it is nothing else: 能用多久 asks how long."""
    return wish.asks - _WHETHER or wish.aspects or wish.asks


def _otherwise(one: Wish, other: Wish) -> bool:
    """Tell whether no one answer tells what both ask; who asks nothing does not ask for a figure: 开通VPN and 开通VPN要多久."""
    asked, another = _asked(one), _asked(other)
    if not asked or not another:
        figures = (one.asks | other.asks) - _WHETHER
        return bool(figures) and figures <= GENERAL.figures
    return asked.isdisjoint(another) and not any(frozenset((this, that)) in GENERAL.together for this in asked for that in another)


def _same_letters(text: str, other: str) -> float:
    """Return how far two texts are the same letter by letter (0-1): the pairs of letters that both have."""
    pairs, others = set(pairwise(text)), set(pairwise(other))
    return 2 * len(pairs & others) / max(len(pairs) + len(others), 1)


def _met(one: Wish, other: Wish) -> float:
    """Return how much of what one says the other says too."""
    return sum(word.weight * _degree(word, one, other) for word in one.words)


def _degree(word: Word, one: Wish, other: Wish) -> float:
    """Return how far a word of one stands in the other (0-1): by a name of its own, or character by character."""
    if not word.names.isdisjoint(other.names):
        return 1.0
    if word.end - word.first == 1 and not one.units[word.first].sound:
        return float(any(_same_code(word.text, unit.text) for unit in other.units if not unit.sound))
    if word.end - word.first == 1:
        return _lone_degree(word.first, one, other)
    units = one.units[word.first : word.end]
    degrees = [_unit_degree(units, at, other) for at in range(len(units))]
    return sum(degrees) / len(degrees) if degrees else 0.0


def _unit_degree(units: tuple[Unit, ...], at: int, other: Wish) -> float:
    """Return how far a character of a longer word stands in the other wording: beside the same neighbour, a neighbour that sounds the same, or alone."""
    beside = [(units[start], units[start + 1]) for start in (at - 1, at) if 0 <= start < len(units) - 1]
    if any((before.text, after.text) in other.pairs for before, after in beside):
        return 1.0
    spelt = units[at].text != units[at].sound
    if any((before.sound, after.sound) in (other.loose if spelt else other.sounds) for before, after in beside):
        return _BY_SOUND
    return _LONE if units[at].text in other.chars else 0.0


def _lone_degree(at: int, one: Wish, other: Wish) -> float:
    """Return how far a word of one character stands in the other wording; it may be a part of one that is misspelt (年价, 宝销单)."""
    if one.units[at].text in other.chars:
        return 1.0
    beside = [(one.units[start], one.units[start + 1]) for start in (at - 1, at) if 0 <= start < len(one.units) - 1 and one.units[start + 1].joined]
    return _BY_SOUND * any((before.sound, after.sound) in other.sounds for before, after in beside)


def _same_code(code: str, another: str) -> bool:
    return min(len(code), len(another)) >= _PART_OF_CODE and (code in another or another in code)


def _turned(one: Wish, other: Wish) -> bool:
    """Tell whether two things changed places where places matter."""
    return _swapped(one, other) or _sent_back(one.text, other.text) or _sent_back(other.text, one.text) or _around(one, other)


def _swapped(one: Wish, other: Wish) -> bool:
    """Tell whether two people changed places (上级看下级的, 下级看上级的), or two deeds of which one comes first (先付款后开票, 先开票后付款)."""
    in_turn = _IN_TURN.search(one.text) is not None and _IN_TURN.search(other.text) is not None
    places, others = dict(reversed(one.spots)), dict(reversed(other.spots))
    both = [word for word in places if word in others and (in_turn or word in GENERAL.people)]
    return any((places[word] < places[after]) != (others[word] < others[after]) for word, after in combinations(both, 2))


def _sent_back(text: str, other: str) -> bool:
    """Tell whether one comes from where the other goes: 从分公司借调, 借调到分公司."""
    left = {match[1] for match in _FROM.finditer(text)} - {match[1] for match in _TO.finditer(text)}
    return not left.isdisjoint({match[1] for match in _TO.finditer(other)} - {match[1] for match in _FROM.finditer(other)})


def _around(one: Wish, other: Wish) -> bool:
    """Tell whether two things changed places around a word that cares: 甲请乙 and 乙请甲."""
    places = {match[0]: match.start() for match in GENERAL.turning.finditer(one.text)}
    if not places:
        return False
    for match in GENERAL.turning.finditer(other.text):
        at, there = places.get(match[0]), match.start()
        if at is None:
            continue
        before = {word for word, place in one.spots if place < at} & {word for word, place in other.spots if place > there}
        after = {word for word, place in one.spots if place > at} & {word for word, place in other.spots if place < there}
        if before and after:
            return True
    return False
