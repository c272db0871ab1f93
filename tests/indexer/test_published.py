import hashlib
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import vocabulary
from indexer.article import Article, Section
from indexer.backend import MAX_TERMS, Query, Sought
from indexer.build import build, publish, write_build
from indexer.errors import ArticlesRejectedError, DamagedIndexError, NoIndexError
from indexer.published import ALL, CHECK_EVERY, EVERYONE, IMPACTS, SCORERS, Audience, Library, current_id, open_build, verify
from indexer.ranking import MAX_PER_ARTICLE
from indexer.text import bare

NOBODY, EMPLOYEE, FINANCE = (Audience(frozenset(roles)) for roles in ((), ("employee",), ("finance",)))


class Clock:
    """Moves only when told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def pass_(self):
        self.now += CHECK_EVERY + 0.1


@pytest.fixture
def index(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def put(index):
    """Publish a build of one article with this text."""

    def put_(text, id_=None):
        id_ = id_ or f"build-{text}"
        write_build(index, id_, [Article("m/a", "题", (Section("", "", 1, f"<p>{text}</p>", text),))], vocabulary.Vocabulary())
        publish(index, id_)
        return id_

    return put_


def text_of(published):
    return published.articles["m/a"].sections[0].text


def articles(published, text, **settings_):
    return [published.sections[hit.position].article.id for hit in published.search(published.read(text), **settings_)]


HAN = re.compile(r"[\u4e00-\u9fff]{2,}")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_run_of_two_to_thirty_characters_that_stands_in_a_section_finds_it(shipped, data):
    position = data.draw(st.integers(0, len(shipped.sections) - 1))
    place = shipped.sections[position]
    runs = HAN.findall(f"{place.section.heading}\n{place.section.text}") or HAN.findall(place.article.title)
    run = data.draw(st.sampled_from(runs))
    start = data.draw(st.integers(0, len(run) - 2))
    part = run[start : start + data.draw(st.integers(2, 30))]
    if len(part) < 2 or shipped.read(part).empty:
        return
    assert shipped.backend.search(Query(Sought(shipped.read(part).terms), among={position})), part


def test_each_similar_question_finds_its_article_in_traditional_characters_too(shipped):
    from opencc import OpenCC  # noqa: PLC0415 - only here, to write the questions

    traditional = OpenCC("s2t")
    for article in shipped.articles.values():
        for question in article.questions[::3]:
            assert article.id in shipped.articles_for(traditional.convert(question), 3), question


@pytest.mark.parametrize("text", ["K/3", "k/3 凭证", "Ｋ／３", "U8+", "OFD", "12306"])
def test_a_code_is_found_whole(publish, article, text):
    files = {"m/codes.md": article("支持 K/3、U8+、OFD 和 12306，凭证。"), "m/other.md": article("凭证。"), "m/k.md": article("只有 K 与 3。")}
    assert articles(publish(files), text)[0] == "m/codes"


def test_a_single_character_finds_the_sections_where_it_stands(publish, article):
    published = publish({"m/a.md": article("报销单。", title="甲"), "m/b.md": article("发票。", title="乙")})
    assert articles(published, "票") == ["m/b"]
    assert articles(published, "单") == ["m/a"]
    assert articles(published, "龘") == []


def test_a_question_beyond_the_limits_is_searched_by_its_most_telling_terms(shipped):
    filler = "".join(chr(0x4E00 + 7 * i) for i in range(170))
    text = f"审批流 {filler}"
    assert len(shipped.read(text).terms) > MAX_TERMS
    assert shipped.search(shipped.read(text))
    assert shipped.search(shipped.read("发票查验失败怎么办" * 100))


def test_no_article_fills_the_list(publish, article):
    many = "\n\n".join(f"## 发票{i}\n\n发票发票。" for i in range(9))
    published = publish({"m/a.md": article(many), "m/b.md": article("发票在此。" + "别的字。" * 50)})
    found = articles(published, "发票")
    assert found.count("m/a") == MAX_PER_ARTICLE
    assert "m/b" in found


def test_a_search_stays_in_its_module(publish, article):
    published = publish({"m/a.md": article("发票"), "n/b.md": article("发票")})
    assert articles(published, "发票", module="n") == ["n/b"]
    assert articles(published, "发票", module="nowhere") == []
    assert articles(published, "发票", module="") == []


@pytest.mark.parametrize(
    ("audience", "found"),
    [(EMPLOYEE, {"m/open", "m/staff"}), (FINANCE, {"m/open", "m/secret"}), (ALL, {"m/open", "m/staff", "m/secret"}), (NOBODY, {"m/open"})],
)
def test_an_article_exists_for_its_audience_only(publish, article, audience, found):
    published = publish(
        {"m/open.md": article("发票"), "m/staff.md": article("发票", audience=["employee"]), "m/secret.md": article("发票", audience=["finance", "admin"])}
    )
    assert set(articles(published, "发票", audience=audience)) == found
    assert {id_ for id_ in published.articles if published.article(id_, audience)} == found


def test_a_module_of_restricted_articles_is_empty_for_the_others(publish, article):
    published = publish({"m/open.md": article("发票"), "n/secret.md": article("发票", audience=["finance"])})
    assert articles(published, "发票", module="n") == []
    assert articles(published, "发票", module="n", audience=FINANCE) == ["n/secret"]


def test_a_build_in_which_all_is_restricted_shows_nothing(publish, article):
    assert articles(publish({"n/secret.md": article("发票", audience=["finance"])}), "发票") == []


def test_a_word_still_being_typed_finds_more(publish, article):
    published = publish({"m/a.md": article("上传 OFD 文件")})
    assert articles(published, "of") == []
    assert articles(published, "of", completed=["ofd"]) == ["m/a"]


@pytest.mark.parametrize(("one", "other"), [("发票没了？", "發票 沒了"), ("K/3", "k3"), ("OFD打不开!", "ｏｆｄ、打不开")])
def test_punctuation_and_script_do_not_make_another_question(one, other):
    assert bare(one) == bare(other)


def test_any_number_of_threads_may_search_one_build(shipped):
    questions = [question for article in shipped.articles.values() for question in article.questions][:40]
    expected = [shipped.articles_for(question, 5) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda question: shipped.articles_for(question, 5), questions)) == expected


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "emptied": lambda path: path.write_bytes(b""),
    "one bit flipped": lambda path: path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:]),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_build_with_any_file_damaged_is_refused(put, index, damage):
    id_ = put("一")
    whole = index / "whole"
    shutil.copytree(index / "builds" / id_, whole)
    verify(whole)
    for path in sorted(whole.rglob("*")):
        if path.is_dir() or (path.stat().st_size == 0 and damage != "gone"):
            continue
        folder = index / "builds" / "copy"
        shutil.copytree(whole, folder)
        DAMAGES[damage](folder / path.relative_to(whole))
        with pytest.raises(DamagedIndexError):
            verify(folder)
        if path.parent.name == IMPACTS:
            with open_build(index, "copy") as published:
                assert published.scorer == "whoosh"
                assert f"{IMPACTS}/{path.name}" in published.scorer_note
                assert "kb index build" in published.scorer_note
                assert articles(published, "一") == ["m/a"]
        else:
            with pytest.raises(DamagedIndexError):
                open_build(index, "copy")
        shutil.rmtree(folder)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", "null", '{"files": {}}', '{"files": {}, "format": 999}', '{"files": [], "format": 1}', "\x00"])
def test_a_build_with_a_wrong_manifest_is_refused(put, index, manifest):
    id_ = put("一")
    (index / "builds" / id_ / "MANIFEST.json").write_text(manifest)
    with pytest.raises(DamagedIndexError):
        open_build(index, id_)


def test_a_file_that_was_slipped_in_is_refused(put, index):
    id_ = put("一")
    (index / "builds" / id_ / "whoosh" / "extra.seg").write_bytes(b"x")
    with pytest.raises(DamagedIndexError, match=r"extra\.seg"):
        open_build(index, id_)


def test_impacts_that_this_version_does_not_read_leave_ranking_to_whoosh(put, index):
    folder = index / "builds" / put("一")
    (folder / IMPACTS / "about.json").write_text('{"format": 0}')
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    manifest["files"][f"{IMPACTS}/about.json"] = hashlib.sha256(b'{"format": 0}').hexdigest()
    (folder / "MANIFEST.json").write_text(json.dumps(manifest))
    with open_build(index, folder.name) as published:
        assert published.scorer == "whoosh"
        assert "another format" in published.damage
        assert articles(published, "一") == ["m/a"]


@pytest.mark.parametrize("scorer", SCORERS)
def test_a_build_is_ranked_as_it_was_asked_to_be(put, index, scorer):
    with open_build(index, put("一"), scorer) as published:
        assert published.scorer.startswith(scorer)
        assert published.damage == ""
        assert articles(published, "一") == ["m/a"]


def test_who_asks_for_whoosh_is_not_told_of_damage_to_the_compiled_scorer(put, index):
    id_ = put("一")
    (index / "builds" / id_ / IMPACTS / "impacts.npy").unlink()
    with open_build(index, id_, "whoosh") as published:
        assert (published.scorer, published.scorer_note) == ("whoosh", "")


def test_a_library_takes_the_compiled_scorer_again_when_the_same_build_was_written_anew(put, index):
    clock = Clock()
    library = Library(index, clock)
    id_ = put("一")
    (index / "builds" / id_ / IMPACTS / "impacts.npy").unlink()
    assert library.current().scorer == "whoosh"
    clock.pass_()
    assert library.current().scorer == "whoosh"
    put("一")
    clock.pass_()
    assert library.current().scorer.startswith("compiled")
    assert library.refusal == ""


def test_a_library_follows_the_pointer_within_a_second(put, index):
    clock = Clock()
    library = Library(index, clock)
    put("一")
    assert text_of(library.current()) == "一"
    put("二")
    assert text_of(library.current()) == "一"
    clock.pass_()
    assert text_of(library.current()) == "二"


def test_a_library_says_that_nothing_was_published(index):
    with pytest.raises(NoIndexError):
        Library(index).current()


def test_the_only_build_being_damaged_is_an_error(put, index):
    (index / "builds" / put("一") / "catalogue.json").unlink()
    with pytest.raises(DamagedIndexError):
        Library(index).current()


@pytest.mark.parametrize("pointer", [b"", b"nowhere", b"\xff\xfe", b"\x00", b"..", b"../..", b"/", b"."])
def test_a_bad_pointer_leaves_the_open_build_in_service(put, index, pointer):
    clock = Clock()
    library = Library(index, clock)
    put("一")
    library.current()
    (index / "CURRENT").write_bytes(pointer)
    clock.pass_()
    assert text_of(library.current()) == "一"


def test_a_damaged_newer_build_leaves_the_open_one_in_service_and_says_why(put, index):
    clock = Clock()
    library = Library(index, clock)
    put("一")
    library.current()
    (index / "builds" / put("二") / "catalogue.json").write_text("{}")
    clock.pass_()
    assert text_of(library.current()) == "一"
    assert "catalogue.json" in library.refusal
    put("三")
    clock.pass_()
    assert text_of(library.current()) == "三"
    assert library.refusal == ""


def test_a_return_to_the_open_build_ends_the_complaint_about_the_damaged_one(put, index):
    clock = Clock()
    library = Library(index, clock)
    first = put("一")
    library.current()
    (index / "builds" / put("二") / "catalogue.json").write_text("{}")
    clock.pass_()
    library.current()
    assert library.refusal
    (index / "CURRENT").write_text(first)
    clock.pass_()
    assert text_of(library.current()) == "一"
    assert library.refusal == ""


def test_an_open_build_that_was_written_anew_is_searched_by_old_and_new_threads(put, index):
    library = Library(index, Clock())
    put("一", "same")
    held = library.current()
    assert articles(held, "一") == ["m/a"]
    shutil.rmtree(index / "builds" / "same")
    put("一", "same")
    with ThreadPoolExecutor(1) as another_thread:
        assert another_thread.submit(articles, held, "一").result() == ["m/a"]
    assert articles(held, "一") == ["m/a"]


def test_a_reader_keeps_its_build_when_it_is_pruned(put, index):
    library = Library(index, Clock())
    put("一")
    held = library.current()
    assert articles(held, "一") == ["m/a"]
    for text in "二三四五六":
        put(text)
    assert held.id != current_id(index)
    assert not held.folder.exists()
    assert articles(held, "一") == ["m/a"]


def test_threads_that_ask_during_a_publish_get_one_whole_build_or_the_other(put, index):
    clock = Clock()
    library = Library(index, clock)
    put("一")

    published = Event()

    def ask_until_published(_):
        seen = set()
        while not published.is_set():
            clock.pass_()
            current = library.current()
            seen.add((text_of(current), *articles(current, text_of(current))))
        return seen

    with ThreadPoolExecutor(4) as pool:
        asked = pool.map(ask_until_published, range(4))
        put("二")
        published.set()
        assert set().union(*asked) <= {("一", "m/a"), ("二", "m/a")}
    clock.pass_()
    assert text_of(library.current()) == "二"


def test_the_shipped_articles_build_without_an_error(shipped):
    assert len(shipped.articles) > 40
    assert {article.module for article in shipped.articles.values()} <= {module.id for module in shipped.modules}


def test_the_shipped_canned_replies_are_short_and_fit_any_company(shipped):
    assert len(shipped.replies) == 10
    assert len({reply.title for reply in shipped.replies}) == 10
    assert all(2 <= reply.text.count("。") <= 4 and len(reply.text) < 160 for reply in shipped.replies)
    assert all("{{" not in reply.text for reply in shipped.replies)
    assert all(module.owners == () for module in shipped.modules)


def test_an_empty_folder_is_refused_and_the_live_index_stays(write, index, now):
    live = build(write({"a/b.md": "---\ntitle: 发票\n---\n发票正文\n"}), index, now).build
    empty = index.parent / "empty"
    empty.mkdir()
    (empty / "_modules.toml").write_text("")
    with pytest.raises(ArticlesRejectedError, match="no-articles"):
        build(empty, index, now)
    assert current_id(index) == live


def test_warming_up_asks_the_engine_nothing_so_that_it_may_happen_before_a_fork(put, index):
    with open_build(index, put("printer")) as published:
        published.backend.close()
        published.warm_up()
        with pytest.raises(ValueError, match="closed"):
            published.read("打印机")


def open_articles(tmp_path, *found):
    write_build(tmp_path, "made", found, vocabulary.Vocabulary(stop=frozenset("的"), question=frozenset({"不", "怎么办"})))
    return open_build(tmp_path, "made")


def made(id_, title, *texts, **more):
    return Article(id_, title, tuple(Section(f"s{at}" if at else "", "", 2, "", text) for at, text in enumerate(texts)), **more)


def test_a_wording_without_a_letter_is_nobodys_question(tmp_path):
    with open_articles(tmp_path, made("m/a", "！！！", "发票"), made("m/b", "报销", "发票", questions=("？？",))) as published:
        assert "" not in published.wordings
        assert published.written_for("", EVERYONE) is None
        assert published.written_for("？？？", EVERYONE) is None


def test_a_long_article_leaves_room_for_the_others(tmp_path):
    long = made("m/long", "发票发票", *["发票发票发票"] * 80)
    others = [made(f"m/{at}", f"报销{at}", f"发票和报销的第{at}段，说说别的事情") for at in range(20)]
    with open_articles(tmp_path, long, *others) as published:
        found = articles(published, "发票", limit=10)
    assert found.count("m/long") == MAX_PER_ARTICLE
    assert len(found) == 10


def test_nothing_is_corrected_to_what_only_others_may_read(tmp_path):
    secret = made("m/a", "裁员补偿方案", "裁员补偿", audience=("finance",))
    with open_articles(tmp_path, secret, made("m/b", "发票查验", "发票查验")) as published:
        for typed in ("caiyuanbuchang", "裁圆补偿"):
            assert published.read(typed).corrected is None
            assert published.read(typed, FINANCE).corrected
        assert published.read("fapiaochayan").corrected == "发票查验"


def test_what_is_beyond_the_limit_of_terms_is_no_part_of_what_could_be_found(shipped):
    question = shipped.read("".join(place.section.text for place in shipped.sections)[:400])
    sought, counts = shipped.looked_up(question)
    assert len(sought.terms) == MAX_TERMS
    assert shipped.attainable(question) <= sum(shipped._idf(counts[term.stream, term.text]) for term in sought.terms)  # noqa: SLF001 - the formula's own idf


def test_a_question_that_was_cut_has_no_last_word_still_being_typed(shipped):
    assert shipped.completing(shipped.read("发票抬头" * 90 + " fapi")) is not None
    assert shipped.completing(shipped.read("发票抬头" * 99 + " fapiao怎么办")) is None


def test_a_question_in_other_order_and_politeness_is_the_editors_own(tmp_path):
    asked = made("m/a", "催办", "提醒一下", questions=("领导不审批怎么办",))
    with open_articles(tmp_path, asked, made("m/b", "换领导", "领导不在")) as published:
        assert published.meant_by(published.read("领导不审批"), EVERYONE) is published.articles["m/a"]
        assert published.meant_by(published.read("领导审批"), EVERYONE) is None
        assert published.meant_by(published.read("催办"), EVERYONE) is None


def test_what_two_articles_ask_is_nobodys_question(tmp_path):
    twice = [made(f"m/{at}", f"报销{at}", "说明", questions=(wording,)) for at, wording in enumerate(("领导不审批", "不审批的领导"))]
    with open_articles(tmp_path, *twice) as published:
        assert published.meant_by(published.read("领导不审批"), EVERYONE) is None
