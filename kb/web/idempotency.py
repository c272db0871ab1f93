"""`Idempotency-Key`: a client that does not know whether its POST arrived sends it again and gets the same answer, for one write."""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
import re
import struct
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from flask import Response, jsonify, request

from kb.errors import InFlightError, InvalidRequestError
from kb.web import language
from kb.web.models import StoredAnswer
from kb.web.origins import SITE_IN_QUERY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from sqlalchemy.orm import Session

    from kb.services import Services

HEADER = "Idempotency-Key"
LOCKS = "idempotency.lock"
"""File in KB_DATA that is never written: a request in flight holds a lock on one byte of it."""
_KEY = re.compile(r"[!-~]{16,128}")


@dataclass(frozen=True)
class Once:
    """One request's turn. `stored` is the answer it was given before: return it, and write nothing."""

    stored: Response | None = None
    digest: str = ""
    body_digest: str = ""
    at: datetime | None = None

    @property
    def keyed(self) -> bool:
        """Whether the request came with a key."""
        return bool(self.digest)

    def keep(self, session: Session, body: Any, status: int) -> None:
        """Store the JSON and the status of this answer for whoever sends the key again; without a key do nothing.

        To be called inside the transaction that writes what the answer tells: the two are on disk together, or neither is.
        """
        if self.keyed:
            text = jsonify(body).get_data(as_text=True)
            session.add(StoredAnswer(digest=self.digest, body_digest=self.body_digest, status=status, body=text, at=self.at))


@contextmanager
def once(services: Services, subject: str) -> Iterator[Once]:
    """Take this request's turn under its key; without one nothing is looked up and nothing stored. `subject` is who sends it: keys are theirs alone.

    Refusals are never stored: the same request may succeed later. Raises InvalidRequestError 400 for what is no key and 422 for a key that
    another request of theirs came with, InFlightError (409) while the same is being answered, in whatever process.
    """
    key = request.headers.get(HEADER)
    if key is None:
        yield Once()
        return
    if not _KEY.fullmatch(key):
        raise InvalidRequestError("bad_key", f"{HEADER} must be 16 to 128 visible ASCII characters; send a new random one with each new request")
    digest = _digest(services, subject.encode(), key.encode())
    body_digest = _digest(services, request.method.encode(), _address().encode(), *_sent())
    with _alone(services.config.data / LOCKS, digest):
        with services.db.read() as session:
            found = session.get(StoredAnswer, digest)
        if found is not None and found.body_digest != body_digest:
            raise InvalidRequestError("key_reused", f"this {HEADER} came with another request before; send a new random one with each new request", 422)
        stored = Response(found.body, found.status, mimetype="application/json") if found is not None else None
        yield Once(stored, digest, body_digest, services.now())


def _address() -> str:
    """Return what is asked for: without the language of the answer and the site, which is named here or in a header and stands for itself in who asks."""
    return f"{request.path}?{urlencode([pair for pair in request.args.items(multi=True) if pair[0] not in {language.NAME, SITE_IN_QUERY}])}"


def _sent() -> Iterator[bytes]:
    """Yield what the body says. A form with files is read: its raw bytes hold a boundary that every client draws anew when it sends it again."""
    if request.mimetype != "multipart/form-data":
        yield from ((request.content_type or "").encode(), request.get_data())
        return
    for name, value in request.form.items(multi=True):
        yield from ((name or "").encode(), value.encode())  # a part may have no name
    for name, file in request.files.items(multi=True):
        yield from ((name or "").encode(), (file.filename or "").encode(), file.stream.read())
        file.stream.seek(0)


def _digest(services: Services, *parts: bytes) -> str:
    """Return a keyed hash: without the secret nobody finds out by trying which question or telephone number was sent."""
    hashed = hmac.new(services.config.secret_key.encode(), digestmod=hashlib.sha256)
    for part in parts:
        hashed.update(b"%d:%b" % (len(part), part))
    return hashed.hexdigest()


@contextmanager
def _alone(path: Path, digest: str) -> Iterator[None]:
    """Hold the byte that stands for a digest in the file of locks. Raises InFlightError at once while another request holds it.

    The lock belongs to this open file, so that threads exclude each other like processes; and the kernel ends it with a killed process,
    so that nobody ever waits for a request that no longer runs.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, int(digest[:15], 16), 1, 0)  # struct flock: type, whence, start, length, pid
        try:
            fcntl.fcntl(handle, fcntl.F_OFD_SETLK, lock)
        except BlockingIOError as error:
            raise InFlightError("the same request is being answered at this moment; send it again in a second") from error
        yield
    finally:
        os.close(handle)
