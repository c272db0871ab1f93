"""What people add to tickets: told by content, kept once and whole, and refused with a remedy."""

from __future__ import annotations

import hashlib
import io
import os
import random
import resource
import struct
import subprocess
import sys
import unicodedata
import zipfile
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context

import pytest

from kb.errors import InvalidRequestError, NotFoundError
from kb.files import MAX_FILE, MAX_NAME, FileStore


def archive(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name in names:
            file.writestr(name, "x")
    return buffer.getvalue()


def container(*names):
    """An OLE container with these names in its directory, as Excel 97 and Word 97 write it."""
    entries = b""
    for name in ("Root Entry", *names):
        encoded = name.encode("utf-16-le") + b"\0\0"
        entries += encoded.ljust(64, b"\0") + struct.pack("<HB", len(encoded), 5 if name == "Root Entry" else 2) + bytes(61)
    return bytes.fromhex("d0cf11e0a1b11ae1").ljust(512, b"\0") + entries


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0....\0\0\0\0IEND\xaeB`\x82"
JPEG = b"\xff\xd8\xff\xe1\0\x10Exif\0\0" + bytes(40) + b"\xff\xd9"
GIF = b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2D\1\0\x3b"
WEBP = b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8 " + bytes(22)
HEIC = struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic" + bytes(40)
PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n%%EOF\n"
OFD = archive("OFD.xml", "Doc_0/Document.xml")
XLSX = archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")
DOCX = archive("[Content_Types].xml", "_rels/.rels", "word/document2.xml")
XLS = container("Workbook")
DOC = container("1Table", "WordDocument")
ACCEPTED = {
    "png": (PNG, "image/png"),
    "jpg": (JPEG, "image/jpeg"),
    "gif": (GIF, "image/gif"),
    "webp": (WEBP, "image/webp"),
    "heic": (HEIC, "image/heic"),
    "pdf": (PDF, "application/pdf"),
    "ofd": (OFD, "application/ofd"),
    "xlsx": (XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    "docx": (DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "xls": (XLS, "application/vnd.ms-excel"),
    "doc": (DOC, "application/msword"),
    "txt": ("发票查验失败\r\n\t<第二行>\n".encode(), "text/plain"),
}
REFUSED = {
    "an archive": archive("a.png"),
    "a program in an archive": archive("META-INF/MANIFEST.MF", "A.class"),
    "a presentation": archive("[Content_Types].xml", "ppt/presentation.xml"),
    "a workbook with macros": archive("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin"),
    "a binary workbook": archive("[Content_Types].xml", "xl/workbook.bin"),
    "a workbook that is a document too": archive("[Content_Types].xml", "xl/workbook.xml", "word/document.xml"),
    "an archive cut short": XLSX[:60],
    "an archive of more parts than a document has": XLSX + b"PK\1\2" * 5001,
    "a program before a workbook": b"MZ\x90\0" + bytes(60) + XLSX,
    "an old workbook with macros": container("Workbook", "_VBA_PROJECT"),
    "an installer": container("Property"),
    "an encrypted workbook": container("EncryptionInfo", "EncryptedPackage"),
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a drawing after a declaration": b'\xef\xbb\xbf <?xml version="1.0"?><svg/>',
    "a page": b"\n<!DOCTYPE html><script>alert(1)</script>",
    "a page in GB18030": "<html>发票</html>".encode("gb18030"),
    "a shell script": b"#!/bin/sh\nrm -rf /\n",
    "a batch file": b"@ECHO OFF\r\ndel *\r\n",
    "a registry file": b"Windows Registry Editor Version 5.00\r\n",
    "a rich text": b"{\\rtf1 hello}",
    "a program": b"MZ\x90\0" + bytes(200),
    "a program of Linux": b"\x7fELF\2\1\1" + bytes(200),
    "a program that says it is a photo": b"MZ\0\0ftypheic" + bytes(200),
    "a film": b"\0\0\0\x18ftypisom\0\0\0\0isommp42" + bytes(40),
    "an AVIF picture": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + bytes(40),
    "text with NUL": b"a,b\0c\n",
    "text in UTF-16": "发票".encode("utf-16"),
    "text that moves the cursor": b"ok\x1b[2Jgone",
    "bytes without sense": random.Random(7).randbytes(4096),  # noqa: S311 - the same bytes at each run
    "a picture that is an archive": PNG + archive("A.class"),
    "a photo that is an archive": JPEG + archive("A.class"),
    "a PDF that is an archive": PDF + archive("A.class"),
    "a picture that is a page": GIF[:13] + b"<script>alert(1)</script>" + GIF[13:],
    "a picture that is a PDF": JPEG[:20] + b"%PDF-1.4" + JPEG[20:],
    "a PDF that is a page": b"%PDF-1.4\n<html><script>alert(1)</script>",
    "a picture that ends in its head": PNG[:20],
}


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "data" / "files")


@pytest.fixture
def stored(tmp_path):
    """Every file in the store, by its path."""
    root = tmp_path / "data" / "files"
    return lambda: {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def refusal(store, data, name="附件", **more):
    with pytest.raises(InvalidRequestError) as refused:
        store.keep(io.BytesIO(data), name, **more)
    return refused.value


@pytest.mark.parametrize("extension", ACCEPTED)
def test_what_is_taken_is_known_by_its_content_and_comes_back_byte_for_byte(store, extension):
    data, media_type = ACCEPTED[extension]
    kept = store.keep(io.BytesIO(data), "截图.exe")
    assert (kept.size, kept.name, kept.media_type, kept.digest) == (len(data), f"截图.{extension}", media_type, hashlib.sha256(data).hexdigest())
    with store.open(kept.digest) as file:
        assert file.read() == data


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_taken_is_refused_whatever_it_is_called_and_leaves_nothing(store, stored, what):
    for name in ("发票.png", "发票.pdf", "发票.txt", "发票.xlsx"):
        error = refusal(store, REFUSED[what], name)
        assert (error.status, error.code) == (415, "file_type")
        assert name in str(error)
        assert "PDF、OFD" in str(error), "what is taken"
    assert stored() == {}


@pytest.mark.parametrize(
    ("data", "said"),
    [(REFUSED["an archive"], "解压"), (REFUSED["an old workbook with macros"], "宏"), (b"Rar!\x1a\7\1\0\0\0", ".rar"), (PNG[:20], "已损坏"), (b"\0\1", "另存")],
)
def test_a_refusal_says_what_the_file_is_and_what_to_do(store, data, said):
    assert said in str(refusal(store, data))


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("IMG_0001.PNG", "IMG_0001.PNG"),
        ("发票.pdf", "发票.png"),
        ("发票.pdf.exe", "发票.pdf.png"),
        ("发票.png.exe", "发票.png.png"),
        ("发票2026.11.03", "发票2026.11.03.png"),
        ("../../etc/passwd", "passwd.png"),
        ("C:\\Users\\小林\\截图.png", "截图.png"),
        ("..\\..\\x.png/", "附件.png"),
        ("发票\0.png", "发票.png"),
        ("发票\u202egnp.exe", "发票gnp.png"),
        ("发\u200b票\u2066\ufeff.png", "发票.png"),
        ("一\r\nSet-Cookie: a=b\u2028.png", "一Set-Cookie a=b .png"),
        ('a"b<c>|?*.png', "abc.png"),
        (".png", "png.png"),
        (" . .", "附件.png"),
        ("", "附件.png"),
        ("\ud800.png", "png.png"),
        ("x" * 500 + ".png", "x" * 116 + ".png"),
        ("票" * 500, "票" * 116 + ".png"),
    ],
)
def test_a_name_is_cleaned_and_agrees_with_the_content(store, sent, shown):
    name = store.keep(io.BytesIO(PNG), sent).name
    assert name == shown
    assert 0 < len(name) <= MAX_NAME
    assert not [sign for sign in name if unicodedata.category(sign).startswith("C")]


@pytest.mark.parametrize(("sent", "shown"), [("明细.csv", "明细.csv"), ("明细.CSV", "明细.CSV"), ("明细.bat", "明细.txt"), ("明细.csv.js", "明细.csv.txt")])
def test_text_is_a_table_only_where_it_is_called_one(store, sent, shown):
    kept = store.keep(io.BytesIO("日期,金额\n2026-11-03,300".encode("gb18030")), sent)
    assert (kept.name, kept.media_type) == (shown, "text/plain")


def test_a_photo_in_the_container_of_its_format_is_one(store):
    data = struct.pack(">I", 24) + b"ftypmif1\0\0\0\0mif1heic" + bytes(40)
    assert store.keep(io.BytesIO(data), "IMG_1.HEIC").media_type == "image/heic"


def test_five_mebibytes_are_taken_and_one_byte_more_is_not(store, stored):
    whole = PNG.ljust(MAX_FILE, b"\0")
    assert store.keep(io.BytesIO(whole), "a.png").size == 5 * 1024 * 1024
    error = refusal(store, whole + b"\0", "大图.png")
    assert (error.status, error.code) == (413, "file_too_large")
    assert "“大图.png”太大：每个文件 5 MB 以内" in str(error)
    assert len(stored()) == 1


def test_an_empty_file_is_refused(store, stored):
    error = refusal(store, b"", "空.txt")
    assert (error.status, error.code) == (400, "file_empty")
    assert stored() == {}


class Endless(io.RawIOBase):
    """A body whose sender declared an hour of it, and gives it in pieces."""

    given = 0

    def read(self, size=-1):
        part = b"a" * min(size, 70_000)
        self.given += len(part)
        return part


def test_no_more_is_read_than_may_be_kept_whatever_is_declared(store):
    body = Endless()
    with pytest.raises(InvalidRequestError, match="太大"):
        store.keep(body, "a.txt", most=200_000)
    assert body.given == 200_001


def test_equal_content_is_kept_once_under_every_name(store, stored):
    kept = [store.keep(io.BytesIO(PNG), name) for name in ("甲.png", "乙.png")]
    digest = kept[0].digest
    assert [one.name for one in kept] == ["甲.png", "乙.png"]
    assert stored() == {f"{digest[:2]}/{digest}": PNG}


def test_only_this_account_may_read_the_files(store, tmp_path):
    store.keep(io.BytesIO(PNG), "a.png")
    modes = {path.stat().st_mode & 0o777 for path in [tmp_path / "data/files", *(tmp_path / "data/files").rglob("*")]}
    assert modes == {0o700, 0o600}


@contextmanager
def no_room(most):
    """Let no file of this process grow beyond `most` bytes: the system refuses the write as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_leaves_no_half(store, stored):
    with no_room(4096):
        error = refusal(store, PNG.ljust(9000, b"\0"), "截图.png")
    assert (error.status, error.code) == (503, "no_room")
    assert "“截图.png”没有存下来" in str(error)
    assert stored() == {}
    assert store.keep(io.BytesIO(PNG), "截图.png").size == len(PNG)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "files").write_text("")
    assert refusal(FileStore(tmp_path / "files"), PNG).code == "no_room"


@pytest.mark.parametrize("digest", ["", "a" * 63, "A" * 64, "../" * 21 + "a", "a" * 64 + "\n", "a" * 64])
def test_what_is_no_digest_or_not_here_is_not_found(store, digest):
    with pytest.raises(NotFoundError):
        store.open(digest)


def test_what_was_removed_is_gone_and_may_be_removed_again(store, stored):
    digest = store.keep(io.BytesIO(PNG), "a.png").digest
    assert store.holds(digest)
    for _ in range(2):
        store.remove(digest)
    assert not store.holds(digest)
    assert stored() == {}


def test_a_sweep_takes_what_nothing_refers_to_once_it_is_old(store, tmp_path):
    kept = {name: store.keep(io.BytesIO(data), name).digest for name, data in (("referred", PNG), ("orphan", GIF), ("again", PDF))}
    half = tmp_path / "data/files" / kept["orphan"][:2] / ".half"
    half.write_bytes(b"x")
    for path in [half, *(tmp_path / "data/files" / digest[:2] / digest for digest in kept.values())]:
        os.utime(path, (0, 0))
    store.keep(io.BytesIO(PDF), "again")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert store.sweep({kept["referred"]}, hour_ago) == 2
    assert {name: store.holds(digest) for name, digest in kept.items()} == {"referred": True, "orphan": False, "again": True}
    assert not half.exists()
    assert store.sweep(set(), hour_ago) == 1


def test_nothing_was_kept_so_nothing_is_swept_or_removed(store, tmp_path):
    assert store.sweep(set(), datetime.now(UTC)) == 0
    store.remove("a" * 64)
    assert not (tmp_path / "data").exists()


def _keep_often(store):
    for _ in range(15):
        if store.keep(io.BytesIO(XLSX), "a.xlsx").digest != hashlib.sha256(XLSX).hexdigest():
            os._exit(1)


def test_processes_that_keep_the_same_content_while_orphans_are_swept_leave_it_whole(store, stored):
    children = [get_context("fork").Process(target=_keep_often, args=(store,)) for _ in range(3)]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        store.sweep(set(), datetime.now(UTC) - timedelta(minutes=1))
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    assert list(stored().values()) == [XLSX]


def test_no_bytes_make_it_fail_otherwise_than_by_a_refusal(store):
    chance = random.Random(1)  # noqa: S311 - the same bytes at each run
    for data, _ in ACCEPTED.values():
        for _ in range(12):
            broken = bytearray(data[: chance.randint(1, len(data))])
            for _ in range(chance.randint(0, 4)):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            try:
                store.keep(io.BytesIO(bytes(broken)), "a")
            except InvalidRequestError as error:
                assert error.status == 415  # noqa: PT017 - some of them are still whole


def test_the_table_of_signatures_is_loaded_with_the_first_file():
    program = "import sys, kb.files; sys.exit('puremagic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
