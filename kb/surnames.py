"""The surnames of China that most people bear: what tells a name from other words of two to four characters."""

from __future__ import annotations

SINGLE = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
    "欧肖闫鲍霍樊殷裴翁柯阮骆耿倪聂葛柳"
)
COMPOUND = frozenset({"欧阳", "上官", "诸葛", "司马", "司徒", "夏侯", "皇甫", "尉迟", "慕容", "令狐", "长孙", "宇文", "端木", "独孤"})


def begins_with_surname(text: str) -> bool:
    """Tell whether `text` (in Simplified characters) begins with a surname."""
    return text[:2] in COMPOUND or text[:1] in SINGLE
