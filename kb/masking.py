"""Personal data in questions is masked before it is stored; its kind stays, so that questions about it still cluster.

What somebody adds to a question (details, why it is not solved, a word to a rating) is read by them and agents alone and forgotten in time: there only
the numbers of identity cards and bank cards are masked. Telephone numbers stay, for agents call back, and so do numbers of vouchers and orders.

Masked: mobile and landline numbers, identity cards, bank cards (Luhn), e-mail addresses, passwords and tokens, WeChat ids, number plates, other runs of 15-19
digits, and a personal name given as 抬头. Company tax numbers (统一社会信用代码) and invoice numbers of 20 digits are not personal and stay.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from indexer.text import normalise
from kb.surnames import begins_with_surname

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EMAIL = re.compile(r"[a-z0-9._%+\-]{1,64}@[a-z0-9\-]{1,63}(?:\.[a-z0-9\-]{1,63}){1,8}")
_TOKEN = re.compile(
    r"(?:eyj[a-z0-9_\-]{8,}(?:\.[a-z0-9_\-]{4,}){1,2}|[sp]k_[a-z0-9_]{12,}|(?:bearer|token|password|passwd|pwd|密码(?:是|为|:|=))\s*(?:[:=]\s*)?(?=[!-~]*[a-z0-9])[!-~]{6,})"
)
_WECHAT = re.compile(r"wxid_[a-z0-9]{6,}")
_PLATE = re.compile(r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][a-z](?=[a-z]{0,2}\d)[a-z0-9]{5,6}(?![a-z0-9])")
_IDENTITY = re.compile(r"(?<![0-9a-z])\d{6}[ \-]?(?:19|20)\d{2}[ \-]?\d{4}[ \-]?\d{3}[\dx](?![0-9a-z])|(?<![0-9a-z])\d{17}[\dx](?![0-9a-z])")
_CARDS = tuple(re.compile(rf"(?<![0-9a-z])(?:\d[ \-]?){{{places - 1}}}\d(?![0-9a-z])") for places in range(19, 15, -1))
"""One pattern a length: a greedy one would take the amount that follows a card for a part of it."""
_LONG = re.compile(r"(?<![0-9a-z])\d{14,18}[\dx](?![0-9a-z])")
_MOBILE = re.compile(r"(?<!\d)(?:\+?86[ \-]?)?1[3-9]\d[ \-.]?\d{4}[ \-.]?\d{4}(?!\d)")
_LANDLINE = re.compile(r"(?<!\d)(?:0\d{2,3}[ \-]|\(0\d{2,3}\) ?)\d{7,8}(?!\d)")
_NAME_AS_TITLE = re.compile(
    r"(?:抬头|姓名|名字|收款人|户名)(?:写成了|写成|写的是|写了|开成了|开成|开的是|是|为|叫|:)\s*([\u4e00-\u9fff·]{2,4})(?=[,。;、!?了的吗呢怎能可应要该\s]|$)"
)
_BORN = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")
_CARD_BEGINS = "3456"
"""First digits of bank cards; numbers of orders mostly begin with a year."""
_TAX_NUMBER = 18
"""Places of a company tax number; those of companies begin with 9."""


def masked(text: str) -> str:
    """Return `text` with personal data replaced by its kind in brackets, as in `[手机号]`; everything else stays as written."""
    return _replaced(text, _RULES)


def _replaced(text: str, rules: Sequence[tuple[re.Pattern[str], str, Callable[[str], bool]]]) -> str:
    normal = normalise(text)
    spans: list[tuple[int, int, str]] = []
    for pattern, kind, accept in rules:
        for match in pattern.finditer(normal.text):
            start, end = match.span(match.lastindex or 0)
            overlaps = any(start < taken_end and taken_start < end for taken_start, taken_end, _ in spans)
            if not overlaps and accept(normal.text[start:end]):
                spans.append((start, end, kind))
    parts, at = [], 0
    for start, end, kind in sorted(spans):
        left, right = normal.source_span(start, end)
        parts += [text[at:left], f"[{kind}]"]
        at = right
    return "".join([*parts, text[at:]])


def without_cards(text: str) -> str:
    """Return `text` with numbers of identity cards and bank cards replaced as `masked` does, and nothing else: what agents never need to help somebody."""
    return _replaced(text, _CARD_RULES)


def masks(text: str) -> tuple[str, ...]:
    """Return the marks that `masked` left in a text, as in ("[手机号]",): once each, in order."""
    return tuple(dict.fromkeys(_MASK.findall(text)))


def _digits(text: str) -> str:
    return "".join(char for char in text if char.isdigit() or char == "x")


def _is_identity(text: str) -> bool:
    """Check digit of GB 11643: weights 2^(17-i) mod 11, remainders mapped to 10X98765432."""
    digits = _digits(text)
    total = sum(int(digit) * (2 ** (17 - i) % 11) for i, digit in enumerate(digits[:17]) if digit.isdigit())
    return len(digits) == _TAX_NUMBER and "10x98765432"[total % 11] == digits[-1]


def is_luhn(text: str) -> bool:
    """Tell whether the digits of `text` pass the Luhn check (ISO/IEC 7812-1), as bank cards do."""
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit if i % 2 == 0 else sum(divmod(digit * 2, 10)) for i, digit in enumerate(reversed(digits))]
    return len(digits) in range(16, 20) and sum(doubled) % 10 == 0


_RULES: tuple[tuple[re.Pattern[str], str, Callable[[str], bool]], ...] = (
    (_EMAIL, "邮箱", lambda _: True),
    (_TOKEN, "密钥", lambda _: True),
    (_IDENTITY, "身份证号", _is_identity),
    *((card, "银行卡号", lambda digits: is_luhn(digits) and digits[0] != "9") for card in _CARDS),
    (_LONG, "长数字", lambda digits: not (len(digits) == _TAX_NUMBER and digits[0] == "9")),
    (_WECHAT, "微信号", lambda _: True),
    (_PLATE, "车牌", lambda _: True),
    (_MOBILE, "手机号", lambda _: True),
    (_LANDLINE, "电话", lambda _: True),
    (_NAME_AS_TITLE, "姓名", begins_with_surname),
)
_CARD_RULES = [
    (_IDENTITY, "身份证号", lambda text: _is_identity(text) and _BORN.fullmatch(_digits(text)[6:14]) is not None),
    *((card, "银行卡号", lambda text: is_luhn(text) and text[0] in _CARD_BEGINS) for card in _CARDS),
]
"""Narrower than in questions: a check digit alone is right in one of ten numbers of orders, which agents need."""
_MASK = re.compile(rf"\[(?:{'|'.join(dict.fromkeys(kind for _, kind, _ in _RULES))})\]")
