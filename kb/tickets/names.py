"""What in a question looks like a person's name: nobody wants to read it in an article.

Precision comes first: a name is believed by what stands around it, never by its surname alone. A form of address (李经理, 陈姐, 小刘), a full name after a role
or a verb that takes a person (审批人是赵丽颖, 找张伟), or before what only people do (张伟离职了). 王府井, 金额 and 高铁 begin with surnames too.
"""

from __future__ import annotations

import re

from indexer.text import normalise
from kb.surnames import COMPOUND, SINGLE

_BEGIN_WITH_ONE = (
    "丁克 丁字 丁香 万一 万事 万元 万分 万圣 万科 万能 万达 乔迁 于是 于此 任何 任免 任务 任命 任性 任意 任期 任职 任课 何人 何以 何况 何地 何处 何必 "
    "何日 何时 何种 余下 余姚 余数 余杭 余款 余票 余额 侯马 倪虹 冯唐 卢布 卢湾 史上 史料 叶子 叶片 吕梁 吴中 吴江 周一 周三 周二 周五 周全 "
    "周六 周内 周到 周口 周四 周围 周年 周报 周日 周期 周末 周转 周边 唐山 唐装 夏令 夏利 夏天 夏季 夏日 姚明 姜汁 孔子 孔径 孙女 孙子 孟加 宋体 "
    "宋江 崔健 常务 常客 常州 常常 常年 常德 常熟 常用 常见 常规 常识 常驻 康复 康师 张家 张数 张贴 张量 彭州 徐州 徐徐 徐汇 戴上 戴姆 戴尔 文件 "
    "文具 文化 文号 文员 文字 文明 文本 文案 文档 文秘 文章 文职 方便 方向 方块 方式 方形 方才 方案 方法 方针 方面 易于 易快 易懂 易用 易耗 易错 曹县 "
    "曹操 曾用 曾经 朱砂 朱红 杜绝 林业 林地 林芝 柯桥 柯达 柳州 柳工 梁柱 樊城 欧元 欧洲 欧盟 欧美 欧莱 武器 武昌 武术 武汉 武进 段位 段落 殷切 殷实 "
    "毛利 毛坯 毛巾 毛病 毛笔 毛衣 毛重 江北 江南 江湖 江苏 江西 江门 江阴 汤圆 汤臣 汪洋 沈阳 潘家 熊猫 王国 王子 王府 王牌 王者 田园 田地 白名 白天 "
    "白屏 白条 白班 白色 白费 白跑 白酒 白领 石化 石头 石家 石材 石油 石狮 石英 秦岭 秦淮 秦皇 程序 程度 程控 罗列 罗湖 罗马 翁源 耿直 聂耳 肖像 "
    "胡乱 胡同 胡子 苏宁 苏州 苏打 范例 范围 范本 范畴 萧山 萧条 葛根 董事 董办 董监 董秘 蒋村 蔡甸 薛城 裴济 许久 许可 许多 许诺 谢绝 谢谢 谭木 "
    "贺信 贺卡 贺年 贺礼 贾汪 赖床 赖账 邓州 邵阳 郑州 郑重 郝思 金华 金卡 金属 金牌 金税 金色 金蝶 金融 金额 金黄 钟头 钟点 钟祥 钟表 钱包 钱塘 钱币 "
    "钱数 钱款 钱财 阮籍 陆军 陆地 陆家 陆续 陆运 陈列 陈旧 陈述 雷同 雷诺 雷达 霍乱 霍尔 霍山 韩元 韩国 韩币 韩语 顾及 顾客 顾虑 顾问 马上 马克 马来 "
    "马桶 马路 马达 骆驼 高中 高于 高价 高低 高危 高原 高层 高峰 高度 高德 高手 高技 高效 高新 高明 高校 高温 高端 高等 高管 高级 高考 高达 高速 高铁 "
    "高额 魏县 鲍鱼 黄冈 黄埔 黄山 黄河 黄浦 黄牛 黄石 黄色 黄金 黎明 龙华 龙头 龙岗 龙岩 龙虾 "
)
_END_WITH_ONE = (
    "一万 七万 三万 两万 九万 二万 五万 八万 六万 几万 十万 千万 四万 百万 优于 位于 低于 便于 关于 助于 勇于 善于 在于 基于 处于 多于 大于 对于 小于 "
    "少于 属于 急于 敢于 用于 由于 等于 终于 至于 过于 鉴于 限于 上任 主任 信任 兼任 前任 历任 委任 担任 接任 新任 时任 现任 离任 调任 责任 连任 为何 "
    "几何 因何 奈何 如何 业余 其余 剩余 多余 结余 历史 树叶 茶叶 落叶 一周 三周 上周 下周 两周 几周 半周 单周 双周 四周 圆周 当周 整周 本周 每周 这周 "
    "首周 初夏 华夏 春夏 西夏 反常 家常 寻常 平常 异常 往常 日常 时常 正常 照常 经常 通常 非常 健康 安康 小康 一张 七张 三张 两张 主张 九张 五张 八张 "
    "六张 几张 十张 半张 单张 各张 哪张 四张 多张 夸张 开张 慌张 扩张 整张 某张 每张 百张 紧张 纸张 这张 那张 佩戴 爱戴 穿戴 中文 人文 作文 全文 公文 "
    "原文 发文 外文 批文 收文 条文 来文 正文 英文 论文 译文 语文 一方 三方 上方 下方 东方 两方 乙方 买方 付方 供方 借方 军方 前方 北方 卖方 南方 厂方 "
    "双方 各方 后方 四方 地方 处方 多方 大方 官方 对方 平方 店方 我方 收方 校方 甲方 立方 西方 警方 购方 贵方 贷方 资方 配方 销方 院方 需方 不易 交易 "
    "容易 简易 贸易 轻易 不曾 未曾 行李 农林 园林 森林 威武 一段 手段 时段 片段 路段 这段 那段 阶段 皮毛 羽毛 浙江 长江 煲汤 国王 大王 女王 霸王 "
    "农田 油田 种田 坦白 对白 明白 空白 纯白 表白 雪白 化石 宝石 岩石 钻石 全程 单程 工程 教程 旅程 日程 流程 章程 编程 航程 行程 规程 议程 课程 "
    "过程 返程 进程 远程 里程 二胡 复苏 典范 师范 模范 示范 规范 防范 不许 也许 允许 兴许 准许 少许 或许 特许 庆贺 恭贺 祝贺 依赖 抵赖 耍赖 五金 "
    "佣金 保金 公金 冶金 助金 合金 基金 备金 奖金 定金 慰金 抚金 押金 本金 现金 用金 礼金 租金 积金 税金 约金 纳金 罚金 美金 老金 薪金 订金 资金 酬金 "
    "分钟 时钟 点钟 秒钟 闹钟 付钱 价钱 借钱 出钱 块钱 垫钱 多钱 少钱 打钱 收钱 有钱 点钱 的钱 省钱 笔钱 给钱 花钱 要钱 赚钱 还钱 退钱 内陆 大陆 "
    "登陆 着陆 地雷 鱼雷 光顾 只顾 回顾 照顾 人马 立马 不高 偏高 升高 增高 太高 很高 拔高 提高 新高 更高 最高 越高 跳高 身高 较高 过高 发黄 尼龙 恐龙 "
    "水龙 "
)
_WORDS = frozenset((_BEGIN_WITH_ONE + _END_WITH_ONE).split())
"""Words of everyday and office life that begin or end with a surname."""
_NO_GIVEN = (
    "的了着过吗呢吧啊么不没还都也就已又再才要能会可被把在是和与跟给让叫请找问从到对为以因由于及或但而且并若如则虽即"
    "这那哪什谁怎几多少很太最更非每各某我你您他她它们自己有无未别再来去上下里外内前后左右间中时日月年号点分秒周季度"
    "个张份笔条次件块元角钱款费票单据账帐证表卡税额价率金银险资产本章函码号图纸页面段行列项目类级等部门司厂店院校省市县区州镇村局处科组室会员职务岗位"
    "两二三四五六七八九十百千万报销审批签付收退打开关改查填写交提转借贷领用买卖订送发传导出入录登走办做说看听想知道应该需必须经理总监主任管老师工程做完成已"
)
_GIVEN = rf"[^\W\d_a-z{_NO_GIVEN}]"
_SURNAME = rf"(?:{'|'.join(sorted(COMPOUND))}|[{''.join(sorted(SINGLE))}])"
_PLAIN = "".join(sorted(SINGLE - set("于万钱何任许白方余段高金常石易文史曾范程马龙毛江")))
_PLAIN_SURNAME = rf"(?:{'|'.join(sorted(COMPOUND))}|[{_PLAIN}])"
"""Surnames that are seldom a word of their own."""
_RANK = r"副?总经理|副?总监|总裁|副?经理|副?主任|副?主管|老师|副?处长|副?科长|副?局长|副?部长|书记|教授|博士|先生|女士|小姐"
_TITLE = rf"(?:{_RANK}|副?组长|副?所长|副?院长|校长|厂长|店长|董事长?|秘书|医生|律师|师傅|阿姨|会计|出纳|工程师)"
_SHORT_TITLE = (
    r"(?:总(?![额数计共账帐价金部公结体量线算务机包会裁监经分行产成资工览表站台代])|[姐哥叔婶嫂姨爷]|董(?!事)"
    r"|工(?![作资号程位具时厂地商会伤人单本龄薪费种期艺业序])|局(?![部域面限长])|处(?![理罚分置在于长境])|科(?![技目室研学员长普])"
    r"|队(?![列员伍长友])|导(?![出入航致游购师弹]))"
)
_AFTER = (
    r"(?=$|[^\u4e00-\u9fff]|[的了吗呢吧不没还已都也在就要能可会怎审批签报说来去帮处休请转退驳代那这和跟或走付打借办看改填选用交做为]"
    r"|同意|离职|出差|提交|申请|确认|调[走岗]|辞职)"
)
_ROLE = (
    r"(?:审批人|审核人|代理人|代审人|申请人|经办人|报销人|收款人|出差人|负责人|联系人|制单人|提交人|加签人|抄送人"
    r"|领导|同事|财务|出纳|会计|主管|经理|总监|老板|上级|下属|姓名|名字|抬头|户名)"
    r"(?:(?:还|写的|填的|选的)?是|为|叫|显示|:|(?:选|填|写|换|改|变)(?:成|为)?了?)?"
)
_VERB = r"(?:转给|交给|发给|委托给?|抄送给?|推给|传给|打给|付给|找|问|叫|让|请|被|由|替|帮|给|@)"
_DOES = (
    r"(?=(?:一直|总是|老是|还是|又|都|就|迟迟|还|已经?|上个?月|刚|说)?(?:不批|没批|不审|没审|不签|没签|离职|休假|请假|休产假|辞职|退休"
    r"|调走|调岗|转岗|驳回|退回|不?同意|让我|叫我|说要|说不|说让))"
)
_SMALL = r"[小老阿](?![于白段万钱毛方田黄龙余文汤武康石常易史])"
_NO_SMALL = "(?<![最大缩减太较过变很偏窄多微弱细养古父元敬从更短])"

_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<name>{_SURNAME}{_TITLE})",
        rf"(?P<name>{_SURNAME}{_GIVEN}{{1,2}}(?:{_RANK}|副总))",
        rf"(?P<name>{_PLAIN_SURNAME}{_SHORT_TITLE})",
        rf"{_NO_SMALL}(?P<name>{_SMALL}{_SURNAME})(?![一二三四五六七八九十百千万])",
        rf"{_ROLE}(?P<name>{_SURNAME}{_GIVEN}{{2}}){_AFTER}",
        rf"{_ROLE}(?P<name>{_PLAIN_SURNAME}{_GIVEN}){_AFTER}",
        rf"{_VERB}(?P<name>{_PLAIN_SURNAME}{_GIVEN}{{1,2}}){_AFTER}",
        rf"(?<![\u4e00-\u9fff])(?P<name>{_PLAIN_SURNAME}{_GIVEN}{{1,2}}){_DOES}",
        r"(?P<name>张三(?![联方角项分])|李四(?!光)|王五|赵六)",
    )
)
_LATIN = re.compile(r"(?<![A-Za-z])(?P<name>(?:Mr|Mrs|Ms|Miss|Dr)(?:\.\s?|\s)[A-Z][a-z]+|[A-Z][a-z]{1,14}(?:经理|总监|老师|[总姐哥](?![额数计是共账体])))")


def personal_names(text: str) -> tuple[str, ...]:
    """Return what in `text` looks like a person's name or form of address, as written there, once each, in order."""
    normal = normalise(text)
    spans = {normal.source_span(*match.span("name")) for pattern in _PATTERNS for match in pattern.finditer(normal.text) if _is_name(normal.text, match)}
    spans |= {match.span("name") for match in _LATIN.finditer(text)}
    widest = [(start, end) for start, end in spans if not any(left <= start and end <= right and (left, right) != (start, end) for left, right in spans)]
    return tuple(dict.fromkeys(text[start:end] for start, end in sorted(widest)))


def _is_name(text: str, match: re.Match[str]) -> bool:
    """Tell whether the surname of a match is no part of another word: 小程序, 三张总额."""
    at = match.start("name") + (text[match.start("name")] in "小老阿")
    return text[at : at + 2] not in _WORDS and (at == 0 or (text[at - 1 : at + 1] not in _WORDS and not text[at - 1].isdigit()))
