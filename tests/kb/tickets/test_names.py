import tomllib
from pathlib import Path

import pytest

from kb.tickets.names import personal_names

GOLDEN = Path(__file__).parents[2] / "golden"
NAMED = [
    ("张三没有审批权限怎么办", "张三"),
    ("找李四", "李四"),
    ("李经理不批怎么办", "李经理"),
    ("李處長說要補材料", "李處長"),
    ("张伟经理一直不批", "张伟经理"),
    ("孙主任把单子驳回了", "孙主任"),
    ("高总监不批", "高总监"),
    ("林总监没批", "林总监"),
    ("王总出差了谁审批", "王总"),
    ("王总的单子", "王总"),
    ("周总是不是休假了", "周总"),
    ("李总不批", "李总"),
    ("赵会计休产假了", "赵会计"),
    ("欧阳老师的单子", "欧阳老师"),
    ("司马懿老师让我补", "司马懿老师"),
    ("于老师的机票", "于老师"),
    ("周女士的发票", "周女士"),
    ("徐师傅的打车费", "徐师傅"),
    ("陈姐说要重新贴票", "陈姐"),
    ("胡哥什么时候回来", "胡哥"),
    ("吴工的报销单谁来审", "吴工"),
    ("黄董不签字", "黄董"),
    ("郑科不在", "郑科"),
    ("找小刘报销要带什么", "小刘"),
    ("找老张签字", "老张"),
    ("阿梁说不行", "阿梁"),
    ("交给小陈了", "小陈"),
    ("审批人是赵丽颖", "赵丽颖"),
    ("审批人写成了赵丽颖怎么改", "赵丽颖"),
    ("審批人是歐陽娜娜", "歐陽娜娜"),
    ("收款人填成了刘德华", "刘德华"),
    ("代理人选了王芳", "王芳"),
    ("单子转给张伟了还没动静", "张伟"),
    ("让周杰帮我提交", "周杰"),
    ("被王明退回了", "王明"),
    ("刘洋离职了单子卡着", "刘洋"),
    ("Mr. Wang 的报销单", "Mr. Wang"),
    ("Tina姐让我问", "Tina姐"),
]
UNNAMED = """
王府井店的餐票能报吗|金额填错了|高铁票怎么报|白屏|马上关账|张家口出差|预付许可费|于是就退回了|常用联系人在哪|钱包丢了|一万元以上|平台登不上|江苏分公司|严重吗
高级经理的住宿标准|常务副总审批吗|任何经理都能批吗|对方经理不签字|产品经理|项目经理审批|区域总监|由于主管不在|有助于出纳|总经理审批|副总不批|老师的讲课费|高校老师|任课老师
小程序打不开|小文件传不上去|小金额报销|最小金额|小高峰|小周期|老员工|老系统|从小李庄出发|阿里商旅
三张总额对不上|两张发票给张三联|给张发票|10张总共|行李总重|扩张处理|钱总是不到账|金总额|周总结|这张总不通过|每周总要报一次|林业局|施工队
审批人是谁|审批人是我|审批人离职了|经办人是本人|抬头是公司名|姓名写错了|户名不一致|收款人是供应商|领导不批|财务退回|找财务|找领导签字|找不到审批人
被退回|被驳回了|让我重新提交|让高管批|请于明天提交|叫外卖|给客户送礼|由部门审批|替同事报销|任务交给别人|方案不批|石家庄出差|武汉休假|陆续退回|罗列明细|陈列费
ms office装不上|CEO总在审批|IT经理|[姓名]的单子
"""


@pytest.mark.parametrize(("text", "name"), NAMED)
def test_forms_of_address_and_full_names_in_their_places_are_found_as_written(text, name):
    assert personal_names(text) == (name,)


@pytest.mark.parametrize("text", [text for line in UNNAMED.split("\n") for text in line.split("|") if text])
def test_words_that_only_begin_with_a_surname_are_no_names(text):
    assert personal_names(text) == ()


def test_every_name_is_told_once_in_the_order_of_the_text():
    assert personal_names("王总说找小刘，小刘说找李经理，李经理让我找王总") == ("王总", "小刘", "李经理")
    assert personal_names("") == ()


def test_of_324_golden_questions_only_the_one_that_names_somebody_is_flagged():
    sets = [tomllib.loads((GOLDEN / name).read_text(encoding="utf-8")) for name in ("questions.toml", "second.toml")]
    questions = [entry if isinstance(entry, str) else entry[0] for entries in sets for part in entries.values() for entry in part]
    assert len(questions) == 324
    assert {question: names for question in questions if (names := personal_names(question))} == {
        "我提前休完假回来上班了，怎么让单子别再往小王那边跑": ("小王",)
    }
