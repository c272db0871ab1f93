import resource

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.cache import Cache

JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / "terms"


def kept(path, *sources, made_with="1"):
    """Ask for every source, keep, and return how many had to be made."""
    cache = Cache(path, made_with)
    for source in sources:
        assert cache.get(source, lambda source=source: [source, "made"]) == [source, "made"]
    cache.save()
    return cache.made


def test_what_one_build_made_the_next_does_not_make_again(path):
    assert kept(path, "一", "二") == 2
    assert kept(path, "一", "二", "三") == 1
    assert kept(path, "一", "二", "三", "一") == 0


def test_what_a_build_did_not_ask_for_is_forgotten(path):
    kept(path, "一", "二")
    size = path.stat().st_size
    assert kept(path, "一") == 0
    assert path.stat().st_size < size
    assert kept(path, "二") == 1


def test_what_another_version_made_is_made_anew(path):
    kept(path, "一", made_with="1")
    assert kept(path, "一", made_with="2") == 1


@pytest.mark.parametrize("damage", [lambda data: data[:0], lambda data: data[:-1], lambda data: data[1:], lambda data: data.replace(b"made", b"mode")])
def test_a_damaged_file_is_an_empty_one_and_is_written_anew(path, damage):
    kept(path, "一", "二")
    path.write_bytes(damage(path.read_bytes()))
    assert kept(path, "一", "二") == 2
    assert kept(path, "一", "二") == 0


def test_a_folder_in_place_of_the_file_is_an_empty_cache_that_stays_empty(path):
    path.mkdir(parents=True)
    assert kept(path, "一", "二") == 2
    assert kept(path, "一") == 1
    assert list(path.parent.iterdir()) == [path]


def test_a_cache_that_cannot_be_written_costs_the_next_build_time_and_this_one_nothing(path):
    path.parent.write_text("a file where the folder should be")
    assert kept(path, "一") == 1
    assert kept(path, "一") == 1


def test_a_full_disk_leaves_the_file_as_it_was_and_nothing_beside_it(path):
    kept(path, "一", "二")
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), limits[1]))  # Python ignores the signal, so that writing more fails as on a full disk
    try:
        assert kept(path, "一", "二", "三") == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_value_is_the_same_when_it_is_made_and_when_it_is_kept(path):
    for _ in range(2):
        cache = Cache(path, "1")
        value = cache.get("一", lambda: {1: ("甲", None)})
        assert value == {"1": ["甲", None]}
        value["1"].append("changed by who asked")
        assert cache.get("一", lambda: None) == {"1": ["甲", None]}
        cache.save()


def test_what_cannot_be_made_is_not_kept(path):
    def fail():
        raise ValueError("no")

    cache = Cache(path, "1")
    with pytest.raises(ValueError, match="no"):
        cache.get("一", fail)
    cache.save()
    assert cache.made == 0
    assert kept(path, "一") == 1


def test_the_file_is_for_us_alone_and_nothing_else_is_left_beside_it(path):
    kept(path, "一")
    assert path.parent.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


@given(source=JSON, value=JSON)
def test_any_json_value_comes_back_as_it_was(tmp_path_factory, source, value):
    path = tmp_path_factory.mktemp("cache") / "any"
    for _ in range(2):
        cache = Cache(path, "1")
        assert cache.get(source, lambda: value) == value
        cache.save()
    assert cache.made == 0
