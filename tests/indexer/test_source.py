import os

import pytest

from indexer.errors import IndexerError
from indexer.source import MAX_ARTICLE, fingerprint, read_folder

GOOD = "---\ntitle: x\n---\n正文"


def refused(folder):
    return {flaw.path: (flaw.rule, flaw.line) for flaw in read_folder(folder).unreadable}


def test_a_folder_is_read_whole_and_hidden_files_are_not(write):
    folder = read_folder(write({"m/a.md": GOOD, "m/p.svg": "<svg/>", "m/.hidden.md": GOOD, ".git/x.md": GOOD, "README.md": "x", "m/notes.txt": "x"}))
    assert folder.articles == {"m/a.md": GOOD}
    assert folder.media == {"m/p.svg": b"<svg/>"}
    assert [(module.id, module.name) for module in folder.modules] == [("m", "m")]
    assert folder.unreadable == ()


def test_a_missing_folder_names_the_setting(tmp_path):
    with pytest.raises(IndexerError, match="KB_ARTICLES"):
        read_folder(tmp_path / "nowhere")


def test_a_link_out_of_the_tree_is_refused_unread(write, tmp_path):
    (tmp_path / "secret").write_text(GOOD)
    folder = write({"m/a.md": GOOD})
    (folder / "m/b.md").symlink_to(tmp_path / "secret")
    (folder / "m/c.md").symlink_to("../../secret")
    (folder / "m/p.svg").symlink_to("/etc/passwd")
    (folder / "_company.toml").symlink_to("/etc/passwd")
    (folder / "n").symlink_to(tmp_path)
    assert refused(folder) == dict.fromkeys(("m/b.md", "m/c.md", "m/p.svg", "_company.toml", "n"), ("symlink", 1))
    assert list(read_folder(folder).articles) == ["m/a.md"]
    assert read_folder(folder).media == {}


def test_a_link_to_a_hidden_file_of_the_tree_is_refused_too(write):
    folder = write({"m/a.md": GOOD, ".git/config": "[remote] url = https://user:password@example.com"})
    (folder / "m/b.md").symlink_to("../.git/config")
    assert refused(folder) == {"m/b.md": ("symlink", 1)}


def test_a_link_inside_the_tree_is_an_article(write):
    folder = write({"m/a.md": GOOD})
    (folder / "m/b.md").symlink_to("a.md")
    assert refused(folder) == {}
    assert set(read_folder(folder).articles) == {"m/a.md", "m/b.md"}


def test_links_in_a_circle_dangling_links_and_pipes_are_refused_and_not_waited_for(write):
    folder = write({"m/a.md": GOOD})
    (folder / "m/b.md").symlink_to("c.md")
    (folder / "m/c.md").symlink_to("b.md")
    (folder / "m/d.md").symlink_to("gone.md")
    (folder / "m/loop").symlink_to(".")
    os.mkfifo(folder / "m/pipe.md")
    assert set(refused(folder)) == {"m/b.md", "m/c.md", "m/d.md", "m/loop", "m/pipe.md"}


def test_a_file_that_is_too_large_is_refused_by_its_size(write):
    folder = write({"m/a.md": "x" * (MAX_ARTICLE + 1), "m/b.md": "x" * 5_000_000, "m/p.png": b"x" * 2_000_001, "m/c.md": "x" * MAX_ARTICLE})
    assert refused(folder) == dict.fromkeys(("m/a.md", "m/b.md", "m/p.png"), ("size", 1))


def test_a_file_in_another_encoding_names_its_line(write):
    folder = write({"m/a.md": "---\ntitle: x\n---\n发票".encode("gb18030"), "m/b.md": GOOD.encode("utf-16")})
    assert refused(folder) == {"m/a.md": ("encoding", 4), "m/b.md": ("encoding", 1)}


def test_a_file_name_in_another_encoding_is_refused(write):
    folder = write({"m/a.md": GOOD})
    (folder / os.fsdecode(b"m/\xb7\xa2.md")).write_text(GOOD)
    assert [flaw.rule for flaw in read_folder(folder).unreadable] == ["path"]


@pytest.mark.parametrize(
    ("files", "path", "line"),
    [
        ({"_modules.toml": "[m\n"}, "_modules.toml", 1),
        ({"_modules.toml": '[m]\nabout = "x"'}, "_modules.toml", 1),
        ({"_modules.toml": "m = 1"}, "_modules.toml", 1),
        ({"_modules.toml": '[n]\nname = "x"\nowners = ["王敏"]\n\n[m]\nname = "x"\nowners = "王敏"'}, "_modules.toml", 7),
        ({"_modules.toml": '[m]\nname = "x"\nowners = []'}, "_modules.toml", 3),
        ({"_modules.toml": '[m]\nname = "x"\nowners = [" "]'}, "_modules.toml", 3),
        ({"_modules.toml": '["m"]\nname = "x"\nowners = ["王敏", 1]'}, "_modules.toml", 3),
        ({"_modules.toml": 'm = { name = "x", owners = true }'}, "_modules.toml", 1),
        ({"_modules.toml": '[m]\nname = "x"\nowner = ["王敏"]'}, "_modules.toml", 3),
        ({"_company.toml": 'a = "x"\nb = ?'}, "_company.toml", 2),
        ({"_company.toml": "hotline = 400"}, "_company.toml", 1),
        ({"_company.toml": 'a = "热线"'.encode("gb18030")}, "_company.toml", 1),
    ],
)
def test_an_editors_file_that_cannot_be_used_names_its_line(write, files, path, line):
    assert refused(write({"m/a.md": GOOD, **files})) == {path: ("editors-file", line)}


def test_the_editors_files_may_begin_with_a_byte_order_mark(write):
    folder = read_folder(write({"m/a.md": GOOD, "_modules.toml": '\ufeff[m]\r\nname = "模块"\r\n', "_company.toml": '\ufeffhotline = "400"'}))
    assert folder.unreadable == ()
    assert folder.modules[0].name == "模块"
    assert folder.company == {"hotline": "400"}


def test_a_modules_owners_are_names_in_their_order(write):
    entries = '[m]\nname = "模块"\nowners = ["王敏", " 李雷 "]\n[n]\nname = "另一个"\n'
    folder = read_folder(write({"m/a.md": GOOD, "_modules.toml": entries}))
    assert folder.unreadable == ()
    assert [module.owners for module in folder.modules] == [("王敏", "李雷"), ()]


def test_a_module_whose_owners_are_wrong_is_a_module_all_the_same(write):
    folder = read_folder(write({"m/a.md": GOOD, "_modules.toml": '[m]\nname = "模块"\nowners = "王敏"'}))
    assert [(module.id, module.owners) for module in folder.modules] == [("m", ())]


def test_canned_replies_are_read_beside_the_articles_and_as_safely(write, tmp_path):
    (tmp_path / "secret").write_text(GOOD)
    folder = write({"m/a.md": GOOD, "_replies/a.md": GOOD, "_replies/README.md": "x", "_replies/b.md": "发票".encode("gb18030")})
    (folder / "_replies/c.md").symlink_to(tmp_path / "secret")
    assert read_folder(folder).replies == {"_replies/a.md": GOOD}
    assert list(read_folder(folder).articles) == ["m/a.md"]
    assert refused(folder) == {"_replies/b.md": ("encoding", 1), "_replies/c.md": ("symlink", 1)}


def test_a_folder_without_module_names_is_told_so(tmp_path):
    assert refused(tmp_path) == {"_modules.toml": ("editors-file", 1)}


@pytest.mark.parametrize(
    "change",
    [
        {"m/a.md": f"{GOOD}!"},
        {"m/b.md": GOOD},
        {"m/p.svg": "<svg></svg>"},
        {"_words.txt": "报销"},
        {"_company.toml": 'a = "b"'},
        {"_replies/a.md": f"{GOOD}!"},
        {"_replies/b.md": GOOD},
    ],
    ids=["article", "new article", "picture", "words", "company", "reply", "new reply"],
)
def test_whatever_a_build_depends_on_changes_its_digest_and_the_cheap_fingerprint(write, change):
    folder = write({"m/a.md": GOOD, "m/p.svg": "<svg/>", "_replies/a.md": GOOD})
    before = (read_folder(folder).digest(), fingerprint(folder))
    assert (read_folder(folder).digest(), fingerprint(folder)) == before
    write({"m/p.svg": "<svg/>", **change})
    assert read_folder(folder).digest() != before[0]
    assert fingerprint(folder) != before[1]


def test_an_article_outside_git_has_the_date_of_its_file(write):
    folder = write({"m/a.md": GOOD})
    os.utime(folder / "m/a.md", (1_700_000_000, 1_700_000_000))
    assert read_folder(folder).changed == {"m/a.md": "2023-11-14"}
