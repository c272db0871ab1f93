import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.text import normalise
from kb.analytics.export import safe_cell, to_csv


def rows_of(text):
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\u3000=1",
        "\u200b=1",
        "\ufeff=1",
        "\xa0@x",
        "＝1+1",
        "＋1",
        "－1",
        "＠SUM(1)",
        "|cmd",
        "%0A=1",
        "\x00=1",
        -5,
    ],
)
def test_no_cell_begins_a_formula(cell):
    assert safe_cell(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "发票", "1+1", "a=b", "T-1024", '"=1+1', "'=1+1", "a\n=1", "3 位同事", 5, 0.5])
def test_everything_else_stays_as_written(cell):
    assert safe_cell(cell) == str(cell)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12), min_size=1, max_size=4), max_size=4))
def test_any_cells_come_back_as_they_were_and_none_is_a_formula(rows):
    header, *found = rows_of(to_csv(["名"], rows))
    assert header == ["名"]
    assert found == [[safe_cell(cell) for cell in row] for row in rows]
    assert not [cell for row in found for cell in row if normalise(cell).text.lstrip().startswith(("=", "+", "-", "@"))]


def test_excel_reads_it_as_chinese():
    assert to_csv(["问题"], [["发票,查验"]]) == '\ufeff问题\r\n"发票,查验"\r\n'
