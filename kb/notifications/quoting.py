"""What somebody typed, as it stands in mail to others: short, one line, and nothing in it that leads anywhere. Pure."""

from __future__ import annotations

import re
from unicodedata import normalize

MOST_QUOTED = 60
"""Characters of a question in a mail: somebody may have typed it to be read by somebody else."""
IN_SUBJECT = 40
"""Characters of a question in a subject."""
_FILE = r"(?:docx?|xlsx?|pptx?|pdf|ofd|txt|csv|jpe?g|png|exe)(?![a-z0-9.])"
"""How names of files end that no host's name ends in."""
_LATIN = "com|cn|net|org|cc|top|xyz|vip|io|me|info|shop|site|club|online|app|link|live|icu|win|pro|biz|tv|co"
_HAN = "中国|公司|网络|网址|网站|中文网|商城|网店|在线|集团|企业|购物|商店|手机|娱乐|游戏|公益|政务|香港|台湾|我爱你"
"""Ends of hosts' names: those that tell a name after a Chinese full stop, which may only end a sentence, and those in Chinese."""
_LINK = re.compile(
    r"[a-z][a-z0-9+.-]*://\S*"
    r"|(?<![a-z0-9])www[.。]\S*"
    rf"|(?:(?:[a-z0-9_-]+|[^\W\da-z_]+)(?:\.[\w-]+)*\.(?!{_FILE})[a-z]{{2,}}|(?:[a-z0-9-]+[.。])+(?:{_LATIN})(?![a-z])"
    rf"|(?<![\w-])(?!\d+\.)[\w-]+(?:\.[\w-]+)*\.(?:{_HAN})|\d{{1,3}}(?:\.\d{{1,3}}){{3}}(?=[:/?#]))(?:[:/?#][!-~]*)?",
    re.IGNORECASE,
)
"""What mail programs, or people, take for an address, in a text in which every character stands for itself."""


def quoted(text: str, most: int = MOST_QUOTED) -> str:
    """Return what somebody typed as one line of at most `most` characters, in which nothing is a link: nobody sends theirs to others through us."""
    line = " ".join(_without_links("".join(letter if letter.isprintable() else " " for letter in text)).split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _without_links(text: str) -> str:
    """Return a text with a sign in the place of what looks like a link, be it in full-width or in circled letters."""
    plain = "".join(one if len(one := normalize("NFKC", letter)) == 1 else letter for letter in text)
    kept, end = [], 0
    for found in _LINK.finditer(plain):
        kept += [text[end : found.start()], "…"]
        end = found.end()
    return "".join([*kept, text[end:]])
