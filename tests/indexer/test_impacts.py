"""The compiled scorer is a faster evaluation of the same ranking, whichever kernel adds up, and no damaged file leads it astray."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import evaluate, impacts, kernel, ranking, whoosh_backend
from indexer.backend import MAX_LIMIT, MAX_TERMS, Query, Sought, WeightedTerm
from indexer.errors import DamagedIndexError
from indexer.impacts import ImpactsBackend
from indexer.whoosh_backend import WhooshBackend

RELATIVE = 1e-5
ALPHABET = ["发", "票", "发票", "报销", "ofd", "k/3", "的", "怎么"]


def compiled(folder):
    """Open with every kernel there is here."""
    opened = [ImpactsBackend(folder, compiled=False)]
    if not isinstance(kernel.library(), str):
        opened.append(ImpactsBackend(folder))
    return opened


@pytest.fixture(params=[True, False], ids=["C", "numpy"])
def wants_compiled(request):
    if request.param and isinstance(kernel.library(), str):
        pytest.skip(kernel.library())
    return request.param


def same_ranking(found, expected):
    """Assert the same scores in the same order; sections whose scores lie within the tolerance may have changed places."""
    assert [hit.score for hit in found] == pytest.approx([hit.score for hit in expected], rel=RELATIVE)
    true = {hit.position: hit.score for hit in expected}
    for hit, other in zip(found, expected, strict=True):
        assert hit.position == other.position or true.get(hit.position, expected[-1].score) == pytest.approx(other.score, rel=RELATIVE)


def compare(whoosh, backends, query):
    everything = whoosh.search(query._replace(limit=MAX_LIMIT))
    for backend in backends:
        found = backend.search(query._replace(limit=MAX_LIMIT))
        same_ranking(found, everything)
        assert backend.search(query) == found[: max(0, query.limit)]
    assert len({tuple(backend.search(query)) for backend in backends}) == 1, "both kernels give the same scores bit for bit"


documents = st.lists(
    st.fixed_dictionaries({}, optional={field.name: st.lists(st.sampled_from(ALPHABET), max_size=12) for field in ranking.FIELDS}), max_size=25
)
weighted = st.builds(WeightedTerm, st.sampled_from(impacts.STREAMS), st.sampled_from([*ALPHABET, "没有"]), st.sampled_from([1.0, 0.3, 0.6, 2.0, 0.0]))
sought = st.builds(Sought, st.lists(weighted, max_size=8).map(tuple), st.lists(weighted, max_size=5).map(tuple), st.integers(0, 12))
queries = st.builds(Query, sought, st.integers(0, 12), st.none() | st.frozensets(st.integers(0, 30), max_size=10))


@settings(max_examples=60, deadline=None)
@given(corpus=documents, asked=st.lists(queries, min_size=1, max_size=6))
def test_top_ten_and_scores_are_those_of_whooshs_own_searcher(tmp_path_factory, corpus, asked):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "whoosh").mkdir()
    whoosh_backend.write(folder / "whoosh", corpus)
    impacts.write(folder / "impacts", whoosh_backend.postings(folder / "whoosh"))
    whoosh, backends = WhooshBackend(folder / "whoosh"), compiled(folder / "impacts")
    for query in asked:
        compare(whoosh, backends, query)
        assert all(backend.document_frequencies(query.sought) == whoosh.document_frequencies(query.sought) for backend in backends)
    for prefix in ("", "发", "k"):
        assert all(backend.completions(prefix, 3) == whoosh.completions(prefix, 3) for backend in backends)
    for backend in (whoosh, *backends):
        backend.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize(("name", "asked"), [("lecoqa", 40), ("d365_faq", 15)])
def test_on_real_questions_top_ten_and_scores_are_those_of_whooshs_own_searcher(public_set, name, asked):
    folder, published = public_set(name)
    whoosh, backends = WhooshBackend(published.folder / "whoosh"), compiled(published.folder / "impacts")
    texts = [text for text, _ in evaluate.judged(folder)]
    for text in texts[:: len(texts) // asked][:asked]:
        compare(whoosh, backends, Query(Sought(published.read(text).terms)))
    for backend in (whoosh, *backends):
        backend.close()


@settings(max_examples=200, deadline=None)
@given(data=st.data(), sections=st.sampled_from([1, 7, 8, 63, 400, 2049, 5000]))
def test_the_best_are_the_best_of_all_sections_however_many_and_however_equal(tmp_path_factory, data, sections):
    levels = data.draw(st.integers(1, 60))
    seed = data.draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    size = int(random.integers(1, sections + 1))
    positions = np.sort(random.choice(sections, size, replace=False)).astype(np.uint32)
    scores = random.integers(1, levels + 1, size).astype(np.float32)
    folder = tmp_path_factory.mktemp("level")
    by_hand(folder, sections, ["发"], [0, size], positions, scores)
    limit = data.draw(st.integers(1, MAX_LIMIT))
    among = data.draw(st.none() | st.frozensets(st.integers(0, sections - 1), min_size=1, max_size=80))
    expected = sorted(
        ((-float(score), int(position)) for score, position in zip(scores, positions, strict=True) if among is None or position in among),
    )[:limit]
    for backend in compiled(folder):
        found = backend.search(Query(Sought((WeightedTerm("words", "发"),)), limit, among))
        assert [(-hit.score, hit.position) for hit in found] == expected
    shutil.rmtree(folder)


def by_hand(folder, sections, terms, begins, positions, scores, **changed):
    """Write the files of one stream's impacts without the code that usually does."""
    folder.mkdir(exist_ok=True)
    slots, seed = impacts.slots_of([f"w{term}".encode() for term in terms], np.diff(np.array(begins)))
    about = {"format": impacts.FORMAT, "sections": sections, "terms": dict.fromkeys(impacts.STREAMS, 0) | {"words": len(terms)}, "seed": seed}
    (folder / "about.json").write_text(json.dumps(about))
    (folder / "terms.txt").write_text("\n".join(terms), encoding="utf-8")
    arrays = {
        "starts": np.array(begins, np.int64),
        "documents": np.array(positions, np.uint32),
        "impacts": np.array(scores, np.float32),
        "slots": slots,
    }
    for name, array in (arrays | changed).items():
        np.save(folder / f"{name}.npy", array)


def test_equal_postings_give_equal_bytes(tmp_path):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        whoosh_backend.write(tmp_path / name, [{"body_words": ["发票", "报销"]}, {"body_words": ["报销"]}])
        impacts.write(tmp_path / f"{name} impacts", whoosh_backend.postings(tmp_path / name))
    files = sorted(path.name for path in (tmp_path / "one impacts").iterdir())
    assert files == ["about.json", "documents.npy", "impacts.npy", "slots.npy", "starts.npy", "terms.txt"]
    assert all((tmp_path / "one impacts" / name).read_bytes() == (tmp_path / "other impacts" / name).read_bytes() for name in files)


@pytest.fixture
def whole(tmp_path):
    """Write impacts of two terms over three sections."""
    folder = tmp_path / "impacts"
    by_hand(folder, 3, ["发", "票"], [0, 2, 3], [0, 2, 1], [1.0, 2.0, 3.0])
    return folder


BAD_ARRAYS = {
    "a section too many": {"documents": np.array([0, 3, 1], np.uint32)},
    "sections out of order": {"documents": np.array([2, 0, 1], np.uint32)},
    "a section twice": {"documents": np.array([2, 2, 1], np.uint32)},
    "a start beyond the end": {"starts": np.array([0, 4, 3], np.int64)},
    "a start below zero": {"starts": np.array([0, -1, 3], np.int64)},
    "a first start that is none": {"starts": np.array([1, 2, 3], np.int64)},
    "a last start that is short": {"starts": np.array([0, 1, 2], np.int64)},
    "starts of other terms": {"starts": np.array([0, 3], np.int64)},
    "no starts": {"starts": np.array([], np.int64)},
    "too few impacts": {"impacts": np.array([1.0], np.float32)},
    "an impact that is no number": {"impacts": np.array([1.0, np.nan, 1.0], np.float32)},
    "an impact without end": {"impacts": np.array([1.0, np.inf, 1.0], np.float32)},
    "an impact below zero": {"impacts": np.array([1.0, -1.0, 1.0], np.float32)},
    "wide impacts": {"impacts": np.array([1.0, 2.0, 3.0], np.float64)},
    "signed sections": {"documents": np.array([0, 2, 1], np.int32)},
    "a table": {"documents": np.array([[0, 2, 1]], np.uint32)},
    "too few places": {"slots": np.array([(1, 0, 2), (2, 1, 1)], impacts.SLOT)},
    "no empty place": {"slots": np.array([(1, 0, 2), (2, 1, 1), (3, 1, 1), (4, 1, 1)], impacts.SLOT)},
    "places that are no power of two": {"slots": np.array([(1, 0, 2), (2, 1, 1), (0, 0, 0)], impacts.SLOT)},
    "a place of a term that is none": {"slots": np.array([(1, 0, 2), (2, 2, 1), (0, 0, 0), (0, 0, 0)], impacts.SLOT)},
    "places of another kind": {"slots": np.zeros(8, np.uint32)},
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_arrays_that_do_not_fit_together_are_refused_before_they_are_used(tmp_path, case, wants_compiled):
    by_hand(tmp_path, 3, ["发", "票"], [0, 2, 3], [0, 2, 1], [1.0, 2.0, 3.0], **BAD_ARRAYS[case])
    with pytest.raises(DamagedIndexError):
        ImpactsBackend(tmp_path, compiled=wants_compiled)


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "emptied": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "zeroed": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "of other bytes": lambda path: path.write_bytes(b"PK\x03\x04\xff" + path.read_bytes()),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused(whole, damage, wants_compiled):
    ImpactsBackend(whole, compiled=wants_compiled).close()
    for name in ("about.json", "documents.npy", "impacts.npy", "slots.npy", "starts.npy", "terms.txt"):
        copy = whole.with_name("copy")
        shutil.copytree(whole, copy)
        DAMAGES[damage](copy / name)
        with pytest.raises(DamagedIndexError):
            ImpactsBackend(copy, compiled=wants_compiled)
        shutil.rmtree(copy)


@pytest.mark.parametrize("about", ["{}", "[]", "null", '{"format": 3, "sections": 3, "terms": {}}', '{"format": 2, "sections": 3, "terms": ["words"]}'])
def test_impacts_of_another_format_are_refused(whole, about):
    (whole / "about.json").write_text(about)
    with pytest.raises(DamagedIndexError):
        ImpactsBackend(whole)


@pytest.mark.parametrize("sections", [-1, 2, 2**31 + 1, 2**32 - 1, 2**32 + 1, 2**64 + 3])
def test_a_number_of_sections_that_cannot_be_is_refused(whole, sections, wants_compiled):
    about = json.loads((whole / "about.json").read_text())
    (whole / "about.json").write_text(json.dumps(about | {"sections": sections}))
    with pytest.raises(DamagedIndexError):
        ImpactsBackend(whole, compiled=wants_compiled)


def test_one_bit_anywhere_is_refused_or_leaves_a_search_that_ends(whole, wants_compiled):
    for path in whole.glob("*.npy"):
        original = path.read_bytes()
        for at in range(len(original)):
            path.write_bytes(original[:at] + bytes([original[at] ^ 0x40]) + original[at + 1 :])
            try:
                backend = ImpactsBackend(whole, compiled=wants_compiled)
            except DamagedIndexError:
                continue
            hits = backend.search(Query(Sought((WeightedTerm("words", "发"), WeightedTerm("words", "票")))))
            assert {hit.position for hit in hits} <= {0, 1, 2}
            backend.close()
        path.write_bytes(original)


def test_a_closed_index_is_not_searched(whole, wants_compiled):
    backend = ImpactsBackend(whole, compiled=wants_compiled)
    backend.close()
    backend.close()
    with pytest.raises(ValueError, match="closed"):
        backend.search(Query(Sought((WeightedTerm("words", "发"),))))


@pytest.mark.parametrize(("mask", "limit"), [(b"\1", 1), (None, 0), (None, MAX_LIMIT + 1)])
def test_the_compiled_kernel_refuses_what_would_lead_it_outside_of_its_arrays(whole, mask, limit):
    library = kernel.library()
    if isinstance(library, str):
        pytest.skip(library)
    inside = kernel.CompiledKernel(library, impacts.MappedArrays(whole))
    with pytest.raises(ValueError, match=r"out of range|another index"):
        inside.best(Sought((WeightedTerm("words", "发"),)), mask, limit)


def test_a_term_with_a_line_break_is_unknown_and_takes_nothing_from_the_others(whole, wants_compiled):
    backend = ImpactsBackend(whole, compiled=wants_compiled)
    broken, sound = WeightedTerm("words", "发\n票"), WeightedTerm("words", "票")
    assert [hit.position for hit in backend.search(Query(Sought((broken, sound))))] == [1]
    assert [hit.position for hit in backend.search(Query(Sought((sound,), (broken,), 9)))] == [1]
    assert backend.document_frequencies(Sought((broken,), (sound,))) == [0, 1]


def test_terms_are_told_apart_by_their_stream_and_by_every_letter(whole, wants_compiled):
    backend = ImpactsBackend(whole, compiled=wants_compiled)
    terms = [WeightedTerm("words", "发"), WeightedTerm("pairs", "发"), *(WeightedTerm("words", text) for text in ("发票", "", "\ud800"))]
    assert backend.document_frequencies(Sought(tuple(terms))) == [2, 0, 0, 0, 0]


def test_optional_terms_are_passed_over_where_too_many_sections_hold_them_or_the_query_is_full(whole, wants_compiled):
    backend = ImpactsBackend(whole, compiled=wants_compiled)
    often, seldom = WeightedTerm("words", "发"), WeightedTerm("words", "票")
    assert {hit.position for hit in backend.search(Query(Sought((), (often, seldom), 1)))} == {1}
    assert {hit.position for hit in backend.search(Query(Sought((), (often, seldom), 2)))} == {0, 1, 2}
    assert backend.search(Query(Sought((WeightedTerm("words", "没有"),) * MAX_TERMS, (often, seldom), 2))) == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\n"), min_size=1, max_size=6), unique=True, max_size=60))
def test_every_term_is_found_in_the_hash_table_by_both_kernels(tmp_path_factory, terms):
    folder = tmp_path_factory.mktemp("terms")
    by_hand(folder, 1, sorted(terms), list(range(len(terms) + 1)), [0] * len(terms), [1.0] * len(terms))
    for backend in compiled(folder):
        assert backend.document_frequencies(Sought(tuple(WeightedTerm("words", term) for term in terms))) == [1] * len(terms)
        assert not any(backend.document_frequencies(Sought((), tuple(WeightedTerm("pairs", term) for term in terms))))


def test_a_kernel_that_is_missing_foreign_or_of_another_source_is_not_used_and_says_so(tmp_path):
    source = Path(kernel.__file__).with_name("_kernel.c")
    shutil.copy(source, tmp_path)
    assert "make setup" in kernel.library(tmp_path)
    for content in (b"", b"\x7fELF nonsense"):
        kernel.library.cache_clear()
        (tmp_path / "_kernel.so").write_bytes(content)
        assert "cannot be loaded" in kernel.library(tmp_path)
    if isinstance(kernel.library(), str):
        pytest.skip(kernel.library())
    kernel.library.cache_clear()
    shutil.copy(source.with_name("_kernel.so"), tmp_path)
    assert not isinstance(kernel.library(tmp_path), str)
    kernel.library.cache_clear()
    (tmp_path / "_kernel.c").write_text("/* a later version */")
    assert "another version" in kernel.library(tmp_path)


@pytest.mark.parametrize("limit", ["MOST 50", "MOST_TERMS 128", "WINDOW 32768", "MOST_LINES 1024"])
def test_a_kernel_with_other_limits_than_its_caller_is_not_used_and_says_so(tmp_path, monkeypatch, limit):
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(root)
    import hatch_build  # noqa: PLC0415 - not a module of the package

    name, number = limit.split()
    source = (root / hatch_build.SOURCE).read_text()
    (tmp_path / "indexer").mkdir()
    (tmp_path / hatch_build.SOURCE).write_text(source.replace(f"#define {limit} ", f"#define {name} {int(number) * 2} "))
    if "no C compiler" in hatch_build.compile_kernel(tmp_path):
        pytest.skip("there is no C compiler")
    assert "other limits" in kernel.library(tmp_path / "indexer")


def test_the_build_compiles_the_kernel_or_says_why_not_and_leaves_no_old_one(tmp_path, monkeypatch):
    root = Path(__file__).parents[2]
    monkeypatch.syspath_prepend(root)
    import hatch_build  # noqa: PLC0415 - not a module of the package

    (tmp_path / "indexer").mkdir()
    shutil.copy(root / hatch_build.SOURCE, tmp_path / "indexer")
    library = tmp_path / hatch_build.LIBRARY
    for compiler, reason in (("/no/such/compiler", "failed"), ("false", "failed")):
        library.write_bytes(b"old")
        monkeypatch.setenv("CC", compiler)
        assert reason in hatch_build.compile_kernel(tmp_path)
        assert [path.name for path in (tmp_path / "indexer").iterdir()] == ["_kernel.c"]
    monkeypatch.delenv("CC")
    monkeypatch.setattr(hatch_build, "COMPILERS", ())
    assert hatch_build.compile_kernel(tmp_path) == "there is no C compiler"
    monkeypatch.setattr(hatch_build, "COMPILERS", ("cc", "gcc", "clang"))
    if not any(map(shutil.which, hatch_build.COMPILERS)):
        pytest.skip("there is no C compiler")
    assert hatch_build.compile_kernel(tmp_path) == ""
    kernel.library.cache_clear()
    assert not isinstance(kernel.library(tmp_path / "indexer"), str)


def test_numpy_starts_no_thread_that_a_fork_would_lose():
    count = "import indexer.impacts, os; print(len(os.listdir('/proc/self/task')))"
    if not Path("/proc/self/task").is_dir():
        pytest.skip("no /proc to count threads in")
    assert subprocess.run([sys.executable, "-c", count], check=True, capture_output=True, text=True).stdout.strip() == "1"
