"""Files that people add to their tickets: told by what they are, not by what they are called, and on disk before anybody is told."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import secrets
import struct
import unicodedata
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from kb.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

MAX_FILE = 5 * 1024 * 1024
"""Bytes of one file."""
MAX_NAME = 120
"""Characters of a file's name, its extension included."""
ACCEPTED = "图片（PNG、JPEG、GIF、WebP、HEIC）、PDF、OFD、Excel、Word、CSV 和纯文本"
"""What is taken, as people read it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that is on disk: SHA-256 of its content in hexadecimal, bytes, the name to show, and the media type of its content."""

    digest: str
    size: int
    name: str
    media_type: str


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of file: what it is served as, the extensions that say so (the first is given where the name has another), and its proof."""

    media_type: str
    extensions: tuple[str, ...]
    proof: Callable[[bytes], bool]


class FileStore:
    """Contents below one folder (0700), each once, under its digest: `ab/abcdef…`. For any number of threads and processes."""

    def __init__(self, root: Path) -> None:
        """Make nothing yet: the first file does."""
        self._root = root

    def keep(self, stream: BinaryIO, name: str, most: int = MAX_FILE) -> Kept:
        """Store what a stream holds and return where; it is on disk then, and equal content is there once.

        At most `most` + 1 bytes are read, whatever length was declared. The kind is told by the content alone. Raises InvalidRequestError
        with a remedy: 400 for an empty file, 413 for a larger one, 415 for a kind that is not taken, 503 where there is no room on disk.
        """
        data = _read(stream, most + 1)
        shown = _cleaned(name)
        if len(data) > most:
            raise InvalidRequestError("file_too_large", f"“{shown}”太大：每个文件 {most / 2**20:.3g} MB 以内。截图可压缩或裁小，表格可只留相关的行。", 413)
        if not data:
            raise InvalidRequestError("file_empty", f"“{shown}”是空的。请打开看看内容还在不在，再添加一次。")
        kind = _kind(data)
        if kind is None:
            raise InvalidRequestError("file_type", f"“{shown}”不能添加，{_reason(data)}。只收{ACCEPTED}。可以换一种格式另存，或截图后再添加。", 415)
        digest = hashlib.sha256(data).hexdigest()
        try:
            self._write(digest, data)
        except OSError as error:
            raise InvalidRequestError("no_room", f"“{shown}”没有存下来：服务器存不了新文件。请过一会儿再添加，文字说明可以先提交。", 503) from error
        return Kept(digest, len(data), _named(shown, kind), kind.media_type)

    def open(self, digest: str) -> BinaryIO:
        """Open a content for reading. Raises NotFoundError for one that is not here, and for what is no digest."""
        try:
            return self._path(digest).open("rb")
        except FileNotFoundError as error:
            raise NotFoundError("这个文件已经清理，或者链接不对。需要的话请重新添加。") from error

    def holds(self, digest: str) -> bool:
        """Tell whether a content is here. Who refers to one asks inside the write transaction: `remove` may have been faster."""
        return self._path(digest).is_file()

    def remove(self, digest: str) -> None:
        """Remove a content at once; one that is not here changes nothing.

        Only for who knows that nothing refers to it, and inside the write transaction that took the last reference away: the next person who
        adds an equal file then either has referred to it already, or finds with `holds` that it is gone.
        """
        with self._locked(fcntl.LOCK_EX), suppress(FileNotFoundError):
            self._path(digest).unlink()

    def sweep(self, referred: set[str], older_than: datetime) -> int:
        """Remove contents that nothing refers to, and halves of killed writes, last kept before `older_than`; return how many.

        `older_than` leaves time to whoever has kept a file and not referred to it yet: an hour is plenty.
        """
        removed = 0
        for path in self._root.glob("??/*"):
            if path.name in referred:
                continue
            with self._locked(fcntl.LOCK_EX), suppress(FileNotFoundError):
                if path.stat().st_mtime < older_than.timestamp():
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, digest: str) -> Path:
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise NotFoundError("没有这个文件。请从提问页上打开。")
        return self._root / digest[:2] / digest

    def _write(self, digest: str, data: bytes) -> None:
        """Write aside, flush, rename; equal content is replaced by itself, so that a sweep sees it was kept just now."""
        target = self._path(digest)
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        aside = target.with_name(f".{secrets.token_hex(16)}")
        try:
            with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - the mode is given when it is made
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            with self._locked(fcntl.LOCK_SH):
                aside.replace(target)
        finally:
            with suppress(OSError):
                aside.unlink()
        for folder in (target.parent, self._root, self._root.parent):  # each names the next, and may be new
            _flush(folder)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        """Hold the folder's lock: between a sweep's look at a file and its removal nobody keeps that file anew."""
        try:
            handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # nothing was ever kept
            yield
            return
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read(stream: BinaryIO, most: int) -> bytes:
    """Return at most `most` bytes of a stream that may give fewer than it is asked for."""
    parts, missing = [], most
    while missing and (part := stream.read(min(missing, 2**20))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _cleaned(name: str) -> str:
    """Return a name without folders, control and format characters (they reverse what is read), or what file systems refuse; never ""."""
    base = re.split(r"[/\\]", name)[-1]
    kept = "".join(" " if unicodedata.category(sign) in {"Zs", "Zl", "Zp"} else sign for sign in base if not unicodedata.category(sign).startswith("C"))
    return re.sub(r'[<>:"|?*]', "", kept).strip(" .")[-MAX_NAME:] or "附件"


def _named(name: str, kind: _Kind) -> str:
    """Return a cleaned name with an extension that agrees with the content: another one gives way to it."""
    stem, dot, extension = name.rpartition(".")
    if stem and f".{extension.lower()}" in kind.extensions:
        return f"{stem[: MAX_NAME - len(dot + extension)]}{dot}{extension}"
    stem = stem.rstrip(" .") if stem and re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,6}", extension) else name
    return f"{stem[: MAX_NAME - len(kind.extensions[0])]}{kind.extensions[0]}"


def _kind(data: bytes) -> _Kind | None:
    """Return what a content is, None when that is not taken or when it is two things at once."""
    marks = _marks(data)
    for mark, kind in _KINDS:
        if mark in marks and kind.proof(data):
            return kind
    return _CSV_OR_TEXT if _is_text(data) else None


def _marks(data: bytes) -> list[str]:
    """Return the extensions of everything whose signature a content bears, the likeliest first. A signature is a few bytes: it proves nothing."""
    import puremagic  # noqa: PLC0415 - 1,300 signatures: 20 ms and 2.7 MB, which who adds no file does without

    if data[4:12] in {b"ftypmif1", b"ftypmsf1"}:  # HEIC under the name of its container, which puremagic does not know
        return [".heic"]
    try:
        return [match.extension for match in puremagic.magic_string(data)]
    except puremagic.PureError:  # it knows none
        return []


def _reason(data: bytes) -> str:
    """Return why a content is not taken."""
    if data.startswith(b"PK"):
        return "压缩包和带宏的文档这里不收（压缩包请解压后逐个添加）"
    if data.startswith(_OLE):
        return "它带宏、加了密，或者不是 Excel、Word 文件"
    looks = next((mark for mark in _marks(data) if mark), "")
    return (
        f"它的内容像是 {looks} 文件，可能已损坏或夹带了别的内容"
        if looks in dict(_KINDS)
        else f"它的内容{f'像是 {looks} 文件，' if looks else ''}不是这里收的格式"
    )


_SECOND_FACE = re.compile(rb"<(?:!doctype|html|head|body|script|svg|iframe|\?php)|%PDF-", re.IGNORECASE)
"""What makes a reader that searches the first bytes take a picture for a page or a PDF."""


def _one_thing(data: bytes) -> bool:
    """Tell whether a picture or PDF is nothing else besides: no page or PDF at its beginning, no archive at its end."""
    return not _SECOND_FACE.search(data, 4, 1024) and not zipfile.is_zipfile(io.BytesIO(data))


def _is_png(data: bytes) -> bool:
    return data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR" and b"IEND" in data and _one_thing(data)


def _is_jpeg(data: bytes) -> bool:
    return data[3:4] >= b"\xc0" and b"\xff\xd9" in data and _one_thing(data)


def _is_gif(data: bytes) -> bool:
    return b"\0\x3b" in data[-64:] and _one_thing(data)  # an empty block and the trailer, with some padding


def _is_webp(data: bytes) -> bool:
    return 0 <= len(data) - 8 - int.from_bytes(data[4:8], "little") <= 1 and _one_thing(data)


_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def _is_heic(data: bytes) -> bool:
    """Read the file type box: its size, `ftyp`, the brand, a version, and the brands that it is compatible with."""
    size = int.from_bytes(data[:4], "big")
    brands = {data[at : at + 4] for at in range(16, size, 4)} if size in range(16, 256, 4) else set()
    return (data[8:12] in _HEIC_BRANDS or (data[8:12] in {b"mif1", b"msf1"} and bool(brands & _HEIC_BRANDS))) and size in range(16, 256, 4) and _one_thing(data)


def _is_pdf(data: bytes) -> bool:
    return data.startswith(b"%PDF-") and _one_thing(data)


_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def _streams(data: bytes) -> set[str]:
    """Return the names in an OLE container's directory. Its entries have 128 bytes, begin at multiples of 128, and give the length of their name."""
    found = set()
    for at in range(512, len(data) - 127, 128):
        (length,) = struct.unpack_from("<H", data, at + 64)
        if length in range(4, 66, 2) and data[at + 66] in {1, 2, 5} and not any(data[at + length - 2 : at + 64]):
            found.add(data[at : at + length - 2].decode("utf-16-le", "replace"))
    return found


def _is_ole(stream: str) -> Callable[[bytes], bool]:
    """Return the proof of a container that holds this stream and no macros."""

    def proof(data: bytes) -> bool:
        streams = _streams(data) if data.startswith(_OLE) else set()
        return "Root Entry" in streams and stream in streams and not streams & {"_VBA_PROJECT", "EncryptedPackage"}

    return proof


_MAX_MEMBERS = 5_000
"""Entries of an archive's directory: a document has some dozens, and 45,000 take seconds to read."""


def _members(data: bytes) -> set[str]:
    """Return the names in an archive by its directory alone; nothing is unpacked. Empty for what is no sound archive."""
    if not data.startswith(b"PK\x03\x04") or data.count(b"PK\x01\x02") > _MAX_MEMBERS:
        return set()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return set(archive.namelist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error):
        return set()


def _is_office(folder: str) -> Callable[[bytes], bool]:
    """Return the proof of an Office document whose parts stand in this folder, without macros, which a binary workbook may hold unseen."""

    def proof(data: bytes) -> bool:
        members = _members(data)
        tops = {member.partition("/")[0] for member in members}
        hidden = any(member.lower().endswith(("vbaproject.bin", "workbook.bin")) for member in members)
        return "[Content_Types].xml" in members and tops & {"xl", "word", "ppt"} == {folder} and not hidden

    return proof


def _is_ofd(data: bytes) -> bool:
    members = _members(data)
    return "OFD.xml" in members and "[Content_Types].xml" not in members


_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_PROGRAM = re.compile(r"\s*+(?:<[!?a-z%]|#!|@echo\b|%!|%PDF|\{\\rtf|windows registry|regedit4)", re.IGNORECASE)
"""How text begins that a browser, a shell, a printer or Windows would act on."""


def _is_text(data: bytes) -> bool:
    """Tell whether a content is UTF-8 or GB18030 text without control characters, and no page or script by its first words."""
    for encoding in ("utf-8-sig", "gb18030"):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            return not _CONTROL.search(text) and not _PROGRAM.match(text)
    return False


_CSV_OR_TEXT = _Kind("text/plain", (".txt", ".csv"), _is_text)
_HEIC = _Kind("image/heic", (".heic", ".heif"), _is_heic)
_OPEN_OFFICE = "application/vnd.openxmlformats-officedocument"
_KINDS: tuple[tuple[str, _Kind], ...] = (
    (".png", _Kind("image/png", (".png",), _is_png)),
    (".jpg", _Kind("image/jpeg", (".jpg", ".jpeg"), _is_jpeg)),
    (".gif", _Kind("image/gif", (".gif",), _is_gif)),
    (".webp", _Kind("image/webp", (".webp",), _is_webp)),
    (".heic", _HEIC),
    (".heif", _HEIC),
    (".pdf", _Kind("application/pdf", (".pdf",), _is_pdf)),
    (".zip", _Kind("application/ofd", (".ofd",), _is_ofd)),
    (".xlsx", _Kind(f"{_OPEN_OFFICE}.spreadsheetml.sheet", (".xlsx",), _is_office("xl"))),
    (".docx", _Kind(f"{_OPEN_OFFICE}.wordprocessingml.document", (".docx",), _is_office("word"))),
    (".xls", _Kind("application/vnd.ms-excel", (".xls",), _is_ole("Workbook"))),
    (".doc", _Kind("application/msword", (".doc",), _is_ole("WordDocument"))),
)
"""What is taken: the mark that makes it worth a proof, and the kind."""
