"""Files that a person adds to their share in a ticket: rows here, contents in kb.files. Only that person and the agents can open them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kb.errors import ConflictError, InvalidRequestError, NotFoundError
from kb.files import Kept
from kb.tickets import history, shares
from kb.tickets.models import Attachment
from kb.tickets.retention import drop_files
from kb.tickets.standing import ASKER, Kind

if TYPE_CHECKING:
    from datetime import datetime
    from typing import IO

    from kb.files import FileStore
    from kb.tickets.models import Follower

MAX_FILES = 5
"""Files of one share."""


def require_room(follower: Follower, name: str) -> None:
    """Refuse a file before its content is kept. Raises ConflictError without a share, after the ticket has ended, or when there are five already."""
    shares.require_share(follower)
    if not follower.ticket.open:
        raise ConflictError("这个提问已经结束，不能再添加文件。如果还没解决，先点“仍未解决”，再添加。")
    if len(follower.files) >= MAX_FILES:
        raise ConflictError(f"“{name}”没有添加：最多 {MAX_FILES} 个文件。先移除一个用不上的，再添加它。")


def known(follower: Follower, content: IO[bytes]) -> Kept | None:
    """Return what is kept of a content that this share has already, None for another one: who sends a file again gets the same answer, also as the sixth."""
    digest = hashlib.sha256()
    while part := content.read(2**20):
        digest.update(part)
    content.seek(0)
    return next((Kept(one.digest, one.size, one.name, one.media_type) for one in follower.files if one.digest == digest.hexdigest()), None)


def add(follower: Follower, kept: Kept, files: FileStore, now: datetime) -> tuple[Attachment, bool]:
    """Refer to a content that is on disk already; return the attachment and whether it is new: an equal file of this share is the same one.

    The agents see it in the history, and a ticket that waits for its asker waits no longer. Raises as `require_room`, and InvalidRequestError
    503 when the content was cleared away in this very moment.
    """
    same = next((one for one in follower.files if one.digest == kept.digest), None)
    if same is not None:
        shares.require_share(follower)
        return same, False
    require_room(follower, kept.name)
    if not files.holds(kept.digest):
        raise InvalidRequestError("no_room", f"“{kept.name}”没有存下来。请再添加一次，文字说明可以先提交。", 503)
    added = Attachment(name=kept.name, media_type=kept.media_type, size=kept.size, digest=kept.digest, at=now)
    follower.files.append(added)
    history.session_of(follower.ticket).flush()
    history.record(follower.ticket, Kind.ADDED, now, ASKER, follower=follower, data={"files": [added.id]})
    return added, True


def find(follower: Follower, id_: int) -> Attachment:
    """Return a file of this share. Raises NotFoundError, for other people's too."""
    found = next((one for one in follower.files if one.id == id_), None)
    if found is None:
        raise NotFoundError("没有这个文件，或者已经移除、按期清除。请在提问页上查看现有的文件。")
    return found


def remove(follower: Follower, id_: int) -> set[str]:
    """Remove a file; return the digest of its content, for `retention.remove_contents` after the commit.

    Raises NotFoundError, ConflictError once the ticket has ended.
    """
    found = find(follower, id_)
    if not follower.ticket.open:
        raise ConflictError("这个提问已经结束，文件会在 90 天后自动清除。想现在就删，请联系客服。")
    session = history.session_of(follower.ticket)
    digests = drop_files(session, [found])
    session.flush()
    session.expire(follower, ["files"])
    return digests
