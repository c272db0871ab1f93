"""A browser in words, so that people know their own sessions again."""

from __future__ import annotations

_BROWSERS = {
    "wxwork": "企业微信",
    "micromessenger": "微信",
    "dingtalk": "钉钉",
    "lark": "飞书",
    "feishu": "飞书",
    "edg": "Edge",
    "firefox": "Firefox",
    "fxios": "Firefox",
    "qqbrowser": "QQ 浏览器",
    "ucbrowser": "UC 浏览器",
    "360se": "360 浏览器",
    "crios": "Chrome",
    "chrome": "Chrome",
    "safari": "Safari",
}
"""Words of a User-Agent in the order in which they decide: most browsers also name those that they want to be taken for."""
_SYSTEMS = {"harmony": "鸿蒙", "android": "Android", "iphone": "iPhone", "ipad": "iPad", "windows": "Windows", "mac os": "macOS", "linux": "Linux"}


def in_words(user_agent: str) -> str:
    """Return what a User-Agent names, as in “Chrome，Windows”; 未知浏览器 when it names nothing known. Nothing of the header's own text is in it."""
    agent = user_agent.lower()
    names = [next((name for word, name in known.items() if word in agent), "") for known in (_BROWSERS, _SYSTEMS)]
    return "，".join(name for name in names if name) or "未知浏览器"
