"""What the demo page shows: which options of the widget somebody chose there, and the lines that an embedder copies for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from collections.abc import Mapping

CHOICES = {
    "mode": {"button": "按钮", "inline": "只用页面里的搜索框", "headless": "不显示，由脚本打开"},
    "position": {"right": "右下角", "left": "左下角"},
    "theme": {"auto": "跟随系统", "light": "浅色", "dark": "深色"},
    "lang": {"zh-CN": "简体中文", "zh-TW": "繁體中文", "en": "English"},
    "size": {"medium": "中", "small": "小", "large": "大"},
}
"""The options that can be chosen with the words for their values. The first value of each is what the widget does unasked."""
NAMES = {"mode": "显示为", "position": "位置", "theme": "颜色", "lang": "语言", "size": "大小"}
LABEL = "帮助"
MOST_LABEL = 20
"""Characters of a label that the page takes."""
SITE = "SITE"
"""Stands in the copied lines for the name under which a site is registered."""
_SCRIPT = "/widget/v1.js"
_BOX = "\n\n<!-- 放在要出现搜索框的地方，可以放几个 -->\n<kb-search></kb-search>"


def chosen(given: Mapping[str, str]) -> dict[str, str]:
    """Return the options that differ from what the widget does unasked; a value that it does not know is left out."""
    options = {name: given[name] for name, values in CHOICES.items() if given.get(name) in list(values)[1:]}
    label = " ".join(given.get("label", "").split())[:MOST_LABEL]
    return options | ({"label": label} if label not in {"", LABEL} else {})


def tag(url: str, options: Mapping[str, str], site: str = "") -> Markup:
    """Return the script tag with these options, for a registered site or (site "") for a page of our own origin."""
    attributes = {"data-kb": site} if site else {}
    attributes |= {f"data-{name}": value for name, value in options.items()}
    return Markup('<script src="{}" defer{}></script>').format(url, Markup("").join(Markup(' {}="{}"').format(*pair) for pair in attributes.items()))


def demo_of(base_url: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return what the template of the demo shows for the query of a request: the page has its own script, a copy that of `base_url`."""
    options = chosen(given)
    return {
        "tag": tag(_SCRIPT, options),
        "snippet": snippet(f"{base_url}{_SCRIPT}", options),
        "options": options,
        "choices": CHOICES,
        "names": NAMES,
        "label": LABEL,
        "most_label": MOST_LABEL,
        "site": SITE,
        "hostile": given.get("css") == "hostile",
    }


def snippet(url: str, options: Mapping[str, str]) -> Markup:
    """Return what an embedder copies, as the text of an element."""
    return escape(str(tag(url, options, SITE)) + (_BOX if options.get("mode") == "inline" else ""))
