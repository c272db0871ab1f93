import fcntl
import json
import multiprocessing
import shutil
from importlib import metadata

import pytest

from indexer import build as building
from indexer import vocabulary, whoosh_backend
from indexer.article import Article, Section
from indexer.build import KEEP, build, last_outcome, rollback, write_build
from indexer.errors import ArticlesRejectedError, BuildRunningError, DamagedIndexError, IndexerError, NoIndexError
from indexer.published import current_id, open_build
from indexer.reply import Reply


@pytest.fixture
def index(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def make(write, index, article, now):
    """Build a folder with one article of this text."""
    return lambda text, **meta: build(write({"m/a.md": article(text, **meta)}), index, now)


def builds(index):
    return {path.name for path in (index / "builds").iterdir()}


def one_article(id_="m/a", text="别的"):
    return [Article(id_, "题", (Section("", "", 1, "", text),))]


def test_a_build_says_what_it_came_to_and_keeps_it(make, index):
    outcome = make("发票查验失败时重试。\n\n## 再试\n\n换一台电脑。", questions=["查验失败"])
    assert (outcome.ok, outcome.articles, outcome.sections) == (True, 1, 2)
    assert outcome.build == current_id(index)
    assert last_outcome(index) == outcome
    with open_build(index, outcome.build) as published:
        assert published.articles_for("查验失败", 3) == ["m/a"]


def test_the_same_articles_are_the_same_build(make, index):
    assert make("一").build == make("一").build
    assert len(builds(index)) == 1


@pytest.fixture
def programs_mark(write, article):
    """Return the mark of the same articles, worked out anew each time."""
    articles = write({"m/a.md": article("一")})

    def mark():
        building._program.cache_clear()  # noqa: SLF001 - a process has one program
        return building.fingerprint(articles)

    yield mark
    building._program.cache_clear()  # noqa: SLF001


@pytest.mark.parametrize("library", ["jieba", "Markdown", "nh3", "numpy", "OpenCC", "pypinyin", "Whoosh", "Unicode"])
def test_another_version_of_a_library_is_another_build(programs_mark, monkeypatch, library):
    before = programs_mark()
    with monkeypatch.context() as other:
        if library == "Whoosh":
            other.setattr(building.whoosh_backend, "ENGINE", "9")
        elif library == "Unicode":
            other.setattr(building.unicodedata, "unidata_version", "9")
        else:
            other.setattr(building, "version", lambda name: "9" if name == library else metadata.version(name))
        assert programs_mark() != before
    assert programs_mark() == before


def test_a_bad_article_stops_the_build_names_its_line_and_the_good_index_stays(make, write, index, now):
    good = make("一").build
    with pytest.raises(ArticlesRejectedError) as raised:
        build(write({"m/b.md": "没有头"}), index, now)
    assert [(problem.path, problem.line) for problem in raised.value.problems] == [("m/b.md", 1)]
    assert current_id(index) == good
    outcome = last_outcome(index)
    assert (outcome.ok, outcome.build) == (False, good)
    assert outcome.problems[0].startswith("m/b.md:1: error")


def test_a_question_that_does_not_find_its_article_stops_the_build(make, write, article, index, now):
    good = make("发票查验。").build
    with pytest.raises(ArticlesRejectedError) as raised:
        build(write({"m/z.md": article("无关", questions=["发票怎么查", "谢谢"]), "_stopwords.txt": "谢谢"}), index, now)
    (problem,) = raised.value.problems
    assert (problem.path, problem.line, problem.rule) == ("m/z.md", 3, "question-not-found")
    assert "谢谢" in problem.message
    assert current_id(index) == good
    assert builds(index) == {good}


def test_a_build_that_fails_its_probe_is_never_the_published_one_that_is_deleted(make, index):
    id_ = make("发票查验。", questions=["查验"]).build
    shutil.rmtree(index / "builds" / id_)
    write_build(index, id_, one_article(), vocabulary.Vocabulary())  # as a version of the program that cut words in another way would have left it
    with pytest.raises(ArticlesRejectedError):
        make("发票查验。", questions=["查验"])
    assert current_id(index) == id_
    assert builds(index) == {id_}


def test_a_missing_folder_is_an_outcome_too(index, tmp_path, now):
    with pytest.raises(IndexerError, match="no articles folder"):
        build(tmp_path / "nowhere", index, now)
    assert last_outcome(index).ok is False
    assert current_id(index) is None


def test_there_is_one_builder_at_a_time(make, index):
    good = make("一").build
    with (index / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BuildRunningError):
            make("二")
        with pytest.raises(BuildRunningError):
            rollback(index)
    assert current_id(index) == good
    assert make("二").ok


def test_a_builder_that_was_killed_leaves_no_lock_and_its_leftovers_are_cleared(make, index):
    make("一")
    killed = multiprocessing.get_context("spawn").Process(target=_hold_lock_and_die, args=(str(index),))
    killed.start()
    killed.join()
    assert killed.exitcode == 9
    assert any(name.startswith(".") for name in builds(index))
    assert make("二").ok
    assert not any(name.startswith(".") for name in builds(index))


def _hold_lock_and_die(index):
    import os  # noqa: PLC0415 - runs in a process of its own
    from pathlib import Path  # noqa: PLC0415

    handle = (Path(index) / "lock").open("w")
    fcntl.flock(handle, fcntl.LOCK_EX)
    (Path(index) / "builds" / ".half.1" / "whoosh").mkdir(parents=True)
    os._exit(9)


def test_old_builds_go_and_the_one_to_return_to_stays(make, index):
    ids = [make(text).build for text in "一二三四五六"]
    assert len(builds(index)) == KEEP
    assert {ids[-1], ids[-2]} <= builds(index)


def test_rollback_returns_to_the_build_before_and_back_again(make, index):
    first, second = make("一").build, make("二").build
    assert rollback(index) == first == current_id(index)
    with open_build(index, first) as published:
        assert published.articles["m/a"].sections[0].text == "一"
    assert rollback(index) == second == current_id(index)


def test_a_build_after_a_rollback_publishes_again(make, index):
    make("一")
    second = make("二").build
    rollback(index)
    assert make("二").build == second == current_id(index)


def test_there_is_nothing_to_roll_back_to_before_the_second_build(make, index):
    with pytest.raises(NoIndexError):
        rollback(index)
    make("一")
    with pytest.raises(NoIndexError):
        rollback(index)


def test_a_damaged_build_is_not_rolled_back_to(make, index):
    first, second = make("一").build, make("二").build
    (index / "builds" / first / "catalogue.json").write_text("{}")
    with pytest.raises(DamagedIndexError):
        rollback(index)
    assert current_id(index) == second


def test_a_damaged_build_of_the_same_articles_is_written_anew(make, index):
    id_ = make("一").build
    (index / "builds" / id_ / "catalogue.json").write_text("{}")
    assert make("一").build == id_
    with open_build(index, id_) as published:
        assert "m/a" in published.articles


@pytest.mark.parametrize("text", ["", "\x00\x00", "{", "[]", "{}", '{"ok": true}', "\udcff"])
def test_a_note_about_the_last_build_that_cannot_be_read_is_none(make, index, text):
    make("一")
    (index / "last.json").write_bytes(text.encode(errors="surrogateescape"))
    assert last_outcome(index) is None


def test_a_build_is_for_us_alone_and_every_file_is_in_its_manifest(make, index):
    id_ = make("一").build
    assert (index.stat().st_mode & 0o077) == 0
    folder = index / "builds" / id_
    manifest = json.loads((folder / "MANIFEST.json").read_text())
    assert set(manifest["files"]) == {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {"MANIFEST.json"}


def test_an_articles_change_of_anything_is_another_build(make, write, index, now):
    ids = {make("一").build}
    reply = "---\ntitle: 一\n---\n一"
    changes = ({"m/p.svg": "<svg/>"}, {"_words.txt": "报销单"}, {"_company.toml": 'a = "b"'}, {"_stopwords.txt": "的"}, {"_replies/a.md": reply})
    for files in (*changes, {"_replies/a.md": f"{reply}二"}):
        ids.add(build(write(files), index, now).build)
    assert len(ids) == 7


def test_company_values_are_indexed_as_readers_see_them(write, article, index, now):
    files = {"m/a.md": article("打 {{company.hotline}} 或 {{company.nobody}}。"), "_company.toml": 'hotline = "400-123"\nnobody = ""'}
    with open_build(index, build(write(files), index, now).build) as published:
        assert published.articles["m/a"].sections[0].text == "打 400-123 或 以贵司制度为准。"
        assert published.articles_for("400-123", 3) == ["m/a"]


def files_of(index, id_):
    """Return the files of a build but Whoosh's own, which have random names, and what Whoosh holds."""
    folder = index / "builds" / id_
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "MANIFEST.json"}
    return {name: data for name, data in named.items() if not name.startswith("whoosh/")}, list(whoosh_backend.postings(folder / "whoosh"))


def test_a_changed_article_alone_is_rendered_and_segmented_anew(write, article, index, now):
    texts = {f"m/{name}.md": article(f"{name}的正文。\n\n## 一\n\n第一节。\n\n## 二\n\n第二节。", title=f"题{name}") for name in "abcd"}
    said = []
    build(write(texts), index, now, progress=said.append)
    assert "segmented 12 sections, rendered 4 articles; the others were known from the last build" in said
    said.clear()
    build(write({"m/b.md": texts["m/b.md"].replace("第二节", "改过的第二节")}), index, now, progress=said.append)
    assert "segmented 1 sections, rendered 1 articles; the others were known from the last build" in said


def test_a_build_from_what_the_last_one_knew_is_the_build_from_nothing(write, article, index, tmp_path, now):
    texts = {f"m/{name}.md": article(f"{name}的正文：發票查驗。\n\n## 一\n\n第一节 K/3。", questions=[f"怎么办{name}"]) for name in "abcd"}
    build(write(texts), index, now)
    folder = write({"m/b.md": article("发票查验失败。"), "m/c.md": texts["m/c.md"].replace("第一节", "另一节")})
    again, fresh = build(folder, index, now), build(folder, tmp_path / "fresh", now)
    assert again == fresh
    assert files_of(index, again.build) == files_of(tmp_path / "fresh", fresh.build)


def test_other_words_of_the_editors_segment_every_section_anew(index):
    articles = [*one_article("m/a", "电子行程单"), *one_article("m/b", "别的")]
    assert write_build(index, "1", articles, vocabulary.Vocabulary()) == 2
    assert write_build(index, "2", articles, vocabulary.Vocabulary(words=("电子行程单",))) == 2
    assert write_build(index, "3", articles, vocabulary.Vocabulary(words=("电子行程单",))) == 0


def test_a_damaged_cache_costs_time_and_changes_nothing(index):
    write_build(index, "1", one_article(text="发票查验"), vocabulary.Vocabulary())
    (index / "cache" / "terms").write_bytes(b"damaged")
    assert write_build(index, "2", one_article(text="发票查验"), vocabulary.Vocabulary()) == 1
    assert files_of(index, "1") == files_of(index, "2")


def test_a_canned_reply_is_published_filled_in_and_found_by_nobody(write, article, index, now):
    files = {
        "m/a.md": article("发票要原件。"),
        "_replies/b.md": "---\ntitle:  请打热线\nmodules: [m]\n---\n\n打 {{company.hotline}}，\n说单号。 {{company.nobody}}\n\n",
        "_replies/a.md": "\ufeff---\r\ntitle: 请补充截图\r\n---\r\n请补充截图。\r\n",
        "_company.toml": 'hotline = "400-123"\nnobody = ""',
    }
    with open_build(index, build(write(files), index, now).build) as published:
        assert published.replies == (
            Reply("a", "请补充截图", (), "请补充截图。"),
            Reply("b", "请打热线", ("m",), "打 400-123，\n说单号。 以贵司制度为准"),
        )
        assert list(published.articles) == ["m/a"]
        assert [place.article.id for place in published.sections] == ["m/a"]
        assert published.articles_for("400-123", 3) == []
        assert published.suggest("请打热线") == []


def test_a_bad_canned_reply_stops_the_build_and_names_its_line(make, write, index, now):
    good = make("一").build
    with pytest.raises(ArticlesRejectedError) as raised:
        build(write({"_replies/a.md": "---\ntitle: 一\nmodules: [nowhere]\n---\n一"}), index, now)
    assert [(problem.path, problem.line, problem.rule) for problem in raised.value.problems] == [("_replies/a.md", 3, "modules")]
    assert current_id(index) == good


def test_a_folder_without_canned_replies_and_owners_publishes_none(make, index):
    with open_build(index, make("一").build) as published:
        assert published.replies == ()
        assert [(module.id, module.owners) for module in published.modules] == [("m", ())]


def test_the_owners_of_a_module_stand_in_the_published_build(write, article, index, now):
    files = {"m/a.md": article("一"), "_modules.toml": '[m]\nname = "模块"\nowners = ["王敏", "李雷"]'}
    with open_build(index, build(write(files), index, now).build) as published:
        assert published.modules[0].owners == ("王敏", "李雷")


def test_articles_that_say_the_same_have_the_same_digest_in_every_build(write, article, index, now):
    def digests(files):
        with open_build(index, build(write(files), index, now).build) as published:
            return {id_: one.digest for id_, one in published.articles.items()}

    before = digests({"m/a.md": article("一"), "m/b.md": article("打 {{company.hotline}}。"), "_company.toml": 'hotline = "400"'})
    assert len(set(before.values())) == 2
    assert digests({"m/a.md": article("一", owner="别人")}) == before
    after = digests({"_company.toml": 'hotline = "800"'})
    assert after["m/a"] == before["m/a"]
    assert after["m/b"] != before["m/b"]
