"""The settings in force as an administrator reads them: never a secret, nor an address that holds one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kb.config import HIDDEN, SETTINGS

if TYPE_CHECKING:
    from kb.config import Config

MEANINGS = {
    "KB_DATA": "所有写入的内容放在这个目录：数据库、索引、密钥",
    "KB_ARTICLES": "文章所在的目录",
    "KB_DATABASE_URL": "数据库的位置；空着就是 KB_DATA 里的 kb.sqlite3",
    "KB_HOST": "服务监听的地址",
    "KB_PORT": "服务监听的端口",
    "KB_WORKERS": "网页进程的数量",
    "KB_BASE_URL": "大家访问的地址，链接和 Cookie 都用它；空着就是监听的地址和端口",
    "KB_HOSTS": "大家还会用哪些主机名或 IP 地址访问；KB_BASE_URL 里的和本机的不用写",
    "KB_SECRET_KEY": "给表单签名；空着就自动生成一个，存在 KB_DATA 里",
    "KB_SCORER": "搜索结果由什么排序",
    "KB_TICKETS_PER_HOUR": "一个人一小时最多有几个问题变成工单",
    "KB_REQUESTS_PER_MINUTE": "一个网络地址一分钟最多多少次请求（每个进程）",
    "KB_PROXIES": "前面有几层反向代理",
    "KB_WIDGET_ORIGINS": "可以嵌入挂件的网站",
    "KB_SLA": "时限的规定写在哪个文件；空着就用自带的",
    "KB_SMTP": "发邮件的服务器；空着就不发送，邮件存成 KB_DATA/mail 里的文件",
    "KB_MAIL_FROM": "邮件的发件人",
    "KB_BOTS": "团队的群机器人：企业微信、钉钉、飞书",
    "KB_FOLLOWER_HOOK": "把提问的进展通知给别的应用的地址；空着就不通知",
    "KB_HOOK_SECRET": "给 KB_FOLLOWER_HOOK 的通知签名",
}
"""What each setting is for, in the words of those who run the help centre; README.md says it to those who install it."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A setting: its value ("" when it is empty or hidden), whether it is hidden, and whether somebody chose another one than the default."""

    name: str
    value: str
    hidden: bool
    chosen: bool
    meaning: str


def in_force(config: Config) -> list[InForce]:
    """Return all settings as they were read at the start, in the order of the documentation."""
    return [InForce(name, "" if value == HIDDEN else value, value == HIDDEN, value != SETTINGS[name][0], MEANINGS[name]) for name, value in config.as_read]
