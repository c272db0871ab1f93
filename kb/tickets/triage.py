"""What kind of wish a question is and how soon it wants a person: a guess from its words, corrected by hand on the desk.

The order is deliberate. Who is angry reports faults and asks how as well, and wants to be heard: complaint first. A wish for another product often names
what does not work: suggestion before fault. “查验失败怎么办” is a fault with a question behind it: fault before guidance. What is left asks to know.

A word counts in its own clause only, and not where the clause asks about it: 投诉渠道在哪里 and 建议书怎么写 want to be shown the way.
"""

from __future__ import annotations

import re
from enum import StrEnum

from indexer.text import folded


class Category(StrEnum):
    """What kind of wish a ticket is."""

    SYSTEM_FAULT = "fault"
    INQUIRY = "inquiry"
    GUIDANCE = "guidance"
    COMPLAINT = "complaint"
    SUGGESTION = "suggestion"


class Priority(StrEnum):
    """How soon a ticket wants a person."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"


CATEGORY_NAMES = {
    Category.SYSTEM_FAULT: "系统故障",
    Category.INQUIRY: "功能咨询",
    Category.GUIDANCE: "操作指导",
    Category.COMPLAINT: "投诉",
    Category.SUGGESTION: "建议",
}
PRIORITY_NAMES = {Priority.URGENT: "紧急", Priority.HIGH: "重要", Priority.NORMAL: "普通"}

_READ = 400
"""Characters that are read, as many as are searched: a pasted letter says early what it wants."""
_HANDS_ON = frozenset({"account", "integration", "mobile", "permissions"})
"""Modules whose bare topics (忘了密码, 换手机) are jams to be led out of; those of the others (差旅补贴) are rules to be told.
A folder by another name gives no hint."""


def _any(*alternatives: str) -> re.Pattern[str]:
    return re.compile("|".join(alternatives))


_CLAUSE = re.compile(r"[,。.!;:、~…\n ]+|(?<=\?)")
_ASKING = _any("怎么", "怎样", "如何", "咋", "哪", "谁", "什么", "多久", "多少", "几", "[吗么]", r"\?", "渠道", "电话", "流程", "方式", "入口")

_DISPLEASED = _any(
    r"态度.{0,4}(?:差|恶劣|不好|敷衍|冷淡|傲慢)",
    r"不满|失望|离谱|差劲|差评|过分|恶心|无语|忽悠|糊弄|敷衍|推诿|踢皮球|推来推去|甩锅|刁难|故意(?:不|拖|卡|为难|压|退)|不负责|不作为|不讲理",
    r"难用|垃圾(?![费分桶袋处箱清])|坑[人爹]|什么破|破系统|[气烦急]死|受够|受不了|忍无可忍|忍不了|浪费.{0,4}时间",
    r"[没无]人(?:理|管|回|接(?!送|机)|应|处理|解决|负责)|不理(?:人|我|睬)|爱[答搭]不理|有没有人[管上]|给.{0,3}说法",
    r"效率.{0,4}[低差慢]",
    r"(?:审|批|财务|处理|回复|客服|付款|打款|到账|办事|你们).{0,8}(?:太|这么|那么|也忒)慢",
    r"等了.{0,3}(?:[一两二三四五六半几]|\d).{0,2}(?:月|周|星期|礼拜|年).{0,6}(?:还|都|也|才|没)",
    r"[退打问催跑](?:过|了)?.{0,3}(?:[两二三四五六七八九十几]|\d)[次遍回趟].{0,6}(?:都|还|每次|也|没)",
    r"到底(?:[要想].{0,2}怎|想干|管不管|有没有人)",
)
_COMPLAINT = re.compile(r"投诉|举报")

_SUGGESTION = _any(
    r"(?<!财务)(?<!领导)(?<!系统)(?<!客服)(?<!主管)(?<!经理)(?<!老师)建议(?![书函稿箱价零的])",
    r"(?:希望|期望|期待|盼望|但愿)(?!.*(?:尽快|尽早|早日|早点|快点|快些|赶紧|马上|今天|帮|处理|解决|回复))",
    r"最好(?:能|可以|有|加|把|改|是能)",
    r"就(?:更)?好了|(?:会|能|就|那)更(?:好|方便|人性化|清楚)|应该(?:把|增加|加个|加上|改成|改为|做成|有个)",
    r"(?:增加|新增|添加|加上?个|加上?一个|做个|出个).{0,12}吧$",
)
_COULD_BECOME = re.compile(
    r"(?:能不能|能否|可不可以|可否|是否(?:可以|能)|可以|能).{0,10}?"
    r"(?:支持|优化|改进|改善|完善|开发|简化|放宽|提高(?!.{0,4}(?:额度|预算))|(?:增加|添加|新增|加上?一?个|[做出]一?个)"
    r"(?!.{0,3}(?:审批人|人|附件|发票|明细|行|预算|额度|成员|账号|权限|科目|抬头|项目|部门|银行卡|收款|费用|证明|签)))"
)
"""A wish put as a question about the product. Who would add a line to a form of their own asks how, and is not meant."""

_FAULT = _any(
    r"崩(?:了|溃)|闪退|[白黑花]屏|(?<!银行)卡[死顿]|(?<!银行)卡住(?!在)|[太很好]卡(?:$|了|啊)|死机|宕机|瘫痪",
    r"(?:系统|服务器?|网站|网页|平台|页面|软件|后台).{0,6}(?:挂(?![号失靠载])|太慢|很慢|慢得|断)",
    r"转圈|加载(?:中|不|失败|很久)|[没无](?:有)?(?:反应|响应|动静)|一直(?:显示|提示|是|在).{0,6}中|拒绝访问|乱码|空白|重叠|错位",
    r"(?<!不)报错(?!了?(?:金额|科目|类型|部门|项目|抬头|费用))|出错|错误(?:码|提示|信息)|(?:提示|显示|出现|返回).{0,6}(?:错误|异常|失败|繁忙|无此|查无)",
    r"(?:网络|系统|服务|数据|程序|流程)(?:异常|错误|故障)|故障|失败|(?<![a-z])(?:bugs?|error)(?![a-z])|(?<!\d)(?:40[0-9]|50[0-4])(?!\d|元|块|公里|人|%)",
    r"不显示|显示不|[收看搜]不[到见]|没(?:有)?收到(?!货)|弹不出|[出进上起过](?:不来|不去)|不出来|打不开|点不[了动开]|连不上|登[录陆]?不[上了进]|不能(?:登录|提交|保存|上传|打开)",
    r"(?:提交|保存|上传|下载|导出|导入|打开|预订|订|修改|编辑|删除|撤回|打印|预览|识别|搜索?|绑定?|扫|发送?|传|填|选|用|付|签|存|加载)(?:不了|不成|不上|不出|不进|不过)",
    r"(?:[传推导进付发打]|同步)(?:不[上出进过]|不动)",
    r"(?:识别|显示|计算|自动|算|带出|同步|导出|汇总|生成).{0,10}(?:不对|错了|不准|有误|不正确|不全|少了|多了)",
    r"(?:内容|数据|单子|单据|单|记录|草稿|附件|按钮|菜单|消息|待办).{0,4}(?:没了|不见|消失|丢失|被清空)",
    r"(?:可是|但是|但|却|结果|又).{0,6}(?:还是|还在|仍|没变|弹回|跳回|退出)|灰色|是灰的|是坏的|坏了|(?:文件|pdf|ofd|图片).{0,3}损坏",
)

_HOW = _any(
    r"怎么(?!还(?:没|不|要|是|在|有|得|未|审|显示|差|收)|[又这那老总不没都才会变]|一直|突然|回事|是|就|计?算|规定|界定|区分|收费|扣)",
    r"怎样|如何(?!计?算|规定|界定|区分)|咋(?!还|又|这|那|没|不|回事)",
    r"(?<!差别)(?<!区别)(?<!不同)(?<!差异)(?<!原因)(?:在|从|去|到|上)哪(?!天|年|个月|一天|些|了)|哪(?:里|儿)|哪个(?:按钮|入口|菜单|页面|账户)|[找问]谁|联系谁",
    r"教(?:程|我|一下)|求助|帮我|帮忙|忘(?:了|记)|有没有.{0,6}(?:手册|指引|指南|模板|说明)",
    r"(?:我要|我想|想要?|打算|需要)(?!.{0,3}(?:问|知道|了解|咨询|确认|请教|请问))(?:把|将|给)?.{0,6}(?:改|换|撤|转|删|重新|取消|申请|开|填|加|补|查|退|绑|导|设|委托)",
)
_WAY = _any("步骤", "流程", "操作", "入口", "方法", "办法", "渠道", "手册", "指引", "指南")
_FACT = _any("多久", "多少", "几", "什么时候", "吗", "么$", "能不能", "是不是", "要不要", "可以", "是否", "什么意思", "区别")

_EVERYBODY = _any(
    r"所有人|全公司|全集团|全员|全体|集体|整个(?:公司|部门|集团|团队|办公室|财务)|(?:大家|同事们?|我们|部门|公司|财务)(?:的人)?[都全]|每个人|好多人|很多人|一群人"
)
_DOWN = re.compile(r"(?:系统|服务器|平台|网站|后台)(?:全|都|又|整个|彻底|是不是|好像|直接|已经)*(?:崩|挂(?![号失靠载])|瘫|宕)")
_TODAY = r"(?:今天|今日|今晚|马上|立刻|立即|下班前|半个?小时|[一1]个?小时)"
_MONEY = r"(?:付款|打款|付出|付不|支付|放款|汇款|转账|发工资|发薪|缴税|缴款|报税|申报|关账|结账|封账|月结|扎账|轧账)"
_DUE = _any(rf"{_TODAY}.{{0,8}}{_MONEY}", rf"{_MONEY}.{{0,6}}{_TODAY}", rf"(?:工资|薪|货款|税款).{{0,6}}{_TODAY}.{{0,4}}付")
_MUST = _any(r"必须|一定要|非.{0,6}不可|不然|否则", r"(?:马上|立刻|立即|今天|今晚)(?:就要?|要)?(?:关|结|封)账(?!.*(?:[吗几]|什么|是不是))")
_PRESSED = _any(
    r"(?<![应着不])急(?![救诊性支流刹])(?<!不是很急)(?<!不太急)(?<!紧急)(?<!加急)",
    r"(?<!不)着急|紧急(?!联系|采购|程度|出口|预案|程序|电话)|加急(?!费|件|快递|单子?是|章)",
    r"尽快|赶紧|快一?[点些]|马上|立刻|立即|下班前|来不及|等着用|火烧眉毛",
    r"(?:今天|今日|今晚).{0,6}(?:必须|就|要(?!我)|得|能|可以|内|之前|前|截止|最后|到期|付|打款|出发|走)",
    r"(?:月底|月末|年底|明天|快要?|后天).{0,4}(?:关|结|封)账(?!.{0,2}(?:几|哪天|什么|日|时间))",
)


def category(question: str, module: str) -> Category:
    """Guess what kind of wish a question is; `module` ("" for none) decides only where no word does."""
    text = folded(question[:_READ])
    clauses = [clause for clause in _CLAUSE.split(text) if clause]
    if _DISPLEASED.search(text) or _says(_COMPLAINT, clauses):
        return Category.COMPLAINT
    if _says(_SUGGESTION, clauses) or _COULD_BECOME.search(text):
        return Category.SUGGESTION
    if _FAULT.search(text):
        return Category.SYSTEM_FAULT
    asks_a_fact = _FACT.search(text)
    if _HOW.search(text) or (not asks_a_fact and (_WAY.search(text) or module in _HANDS_ON)):
        return Category.GUIDANCE
    return Category.INQUIRY


def priority(question: str) -> Priority:
    """Guess how soon a question wants a person: urgent stops many people, or money that is due, today."""
    text = folded(question[:_READ])
    fault = _FAULT.search(text)
    if _DOWN.search(text) or (fault and _EVERYBODY.search(text)) or (_DUE.search(text) and (fault or _MUST.search(text))):
        return Priority.URGENT
    if _PRESSED.search(text) or category(question, "") is Category.COMPLAINT:
        return Priority.HIGH
    return Priority.NORMAL


def _says(pattern: re.Pattern[str], clauses: list[str]) -> bool:
    """Tell whether a clause states what `pattern` means, rather than asking about it."""
    return any(pattern.search(clause) and not _ASKING.search(clause) for clause in clauses)
