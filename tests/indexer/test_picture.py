import pytest

from indexer.picture import size, with_sizes

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 240"><rect/></svg>'
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (600).to_bytes(4) + (80).to_bytes(4)


@pytest.mark.parametrize(("data", "expected"), [(SVG, (760, 240)), (PNG, (600, 80)), (PNG[:20], None), (b"", None), (b"GIF89a", None), (b"<svg>", None)])
def test_a_picture_tells_its_size_or_nothing(data, expected):
    assert size(data) == expected


def test_pages_keep_the_place_of_their_pictures():
    html = '<p><img src="/media/m/a.svg" alt="流程"><img alt="照片" src="/media/m/b.jpg"></p>'
    assert with_sizes(html, {"m/a.svg": SVG, "m/b.jpg": b"\xff\xd8"}) == (
        '<p><img width="760" height="240" src="/media/m/a.svg" alt="流程"><img alt="照片" src="/media/m/b.jpg"></p>'
    )
