"""Our inverter writes what Whoosh's own writer would."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from whoosh import index
from whoosh.analysis import SpaceSeparatedTokenizer
from whoosh.fields import TEXT, Schema

from indexer import ranking, whoosh_backend

NAMES = [field.name for field in ranking.FIELDS]
TERMS = st.lists(st.sampled_from(["发票", "票", "𠮷", "k/3", "k", "é", "z" * 64]) | st.text("abc甲乙", min_size=1, max_size=2), max_size=12)
DOCUMENTS = st.lists(st.dictionaries(st.sampled_from(NAMES), TERMS), max_size=6)


def write_by_whoosh(folder, documents):
    schema = Schema(**{name: TEXT(analyzer=SpaceSeparatedTokenizer(), phrase=False) for name in NAMES})
    writer = index.create_in(str(folder), schema).writer()
    for document in documents:
        writer.add_document(**{name: " ".join(terms) for name, terms in document.items()})
    writer.commit(optimize=True)


def held(folder):
    """Return every posting with its weight, value and length, what is known of every term, and the fields' lengths."""
    found = []
    with index.open_dir(str(folder), readonly=True).reader() as reader:
        for name, term in reader.all_terms():
            info = reader.term_info(name, term)
            matcher = reader.postings(name, term)
            while matcher.is_active():
                found.append((name, term, matcher.id(), matcher.weight(), matcher.value(), reader.doc_field_length(matcher.id(), name)))
                matcher.next()
            found.append((info.weight(), info.doc_frequency(), info.min_length(), info.max_length(), info.max_weight(), info.min_id(), info.max_id()))
        return found, [reader.field_length(name) for name in NAMES], reader.doc_count_all()


def same_as_whoosh(documents):
    with TemporaryDirectory() as ours, TemporaryDirectory() as theirs:
        postings = whoosh_backend.write_postings(Path(ours), documents)
        write_by_whoosh(theirs, documents)
        assert held(ours) == held(theirs)
        assert postings == list(whoosh_backend.postings(Path(ours)))
        return postings


@given(DOCUMENTS)
def test_an_index_holds_the_postings_and_lengths_that_whoosh_itself_would_write(documents):
    same_as_whoosh(documents)


def test_long_lists_and_long_documents_are_as_whoosh_writes_them():
    long = [{NAMES[0]: ["发票"] * (number % 5 + 1) + ["词"] * number, NAMES[-1]: [f"t{number}"]} for number in range(400)]
    assert max(same_as_whoosh(long)[0].lengths) > 255  # more than a byte holds, which Whoosh rounds


@given(DOCUMENTS)
def test_counted_terms_are_written_as_the_terms_themselves(documents):
    with TemporaryDirectory() as listed, TemporaryDirectory() as counted:
        whoosh_backend.write(Path(listed), documents)
        whoosh_backend.write(Path(counted), [{name: Counter(terms) for name, terms in document.items()} for document in documents])
        assert held(listed) == held(counted)
