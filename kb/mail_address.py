"""Which texts are mail addresses: the plain ones that people have. What the standard allows besides (quotes, comments, addresses of machines) is refused."""

from __future__ import annotations

import hashlib
import re

LONGEST = 200
"""Characters of an address: what a column holds, and more than anybody has."""
_LONGEST_LOCAL = 64
_ATOM = r"[A-Za-z0-9_+&'%~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@((?:{_LABEL}\.)+(?:[A-Za-z]{{2,63}}|xn--[A-Za-z0-9-]{{1,59}}))", re.ASCII)
_WITHIN = re.compile(r"(?:^|(?<=[\s,;:(<\[])|(?<=[\u3000-\u9fff\uff00-\uffef]))([A-Za-z0-9_+&'%~.-]+)@([A-Za-z0-9.-]+)(?![@_A-Za-z0-9.\u00a1-\u2fff-])")
"""An address between others' words: none that goes on in letters it cannot have, for half an address is somebody else's."""


def is_address(text: str) -> bool:
    """Tell whether a text is one mail address and nothing else."""
    found = _ADDRESS.fullmatch(text)
    return found is not None and len(text) <= LONGEST and len(found[1]) <= _LONGEST_LOCAL and "--" not in found[2].replace("xn--", "")


def address_in(text: str) -> str:
    """Return the first mail address that stands in a text such as 分机 8021，lin@example.com。, its domain in lower case; "" without one."""
    for name, domain in _WITHIN.findall(text):
        if is_address(address := f"{name}@{domain.rstrip('.').lower()}"):
            return address
    return ""


def digest(address: str) -> str:
    """Return what stands for an address, in whatever capitals, where the address itself is not to be read: 16 hexadecimal digits."""
    return hashlib.sha256(address.lower().encode()).hexdigest()[:16]


def shortened(address: str) -> str:
    """Return an address so that its owner knows it again and others cannot write to it: l***@example.com. What is none stays as it is."""
    name, at, domain = address.rpartition("@")
    return f"{name[:1]}***@{domain}" if at else address
