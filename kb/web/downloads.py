"""Files that people added to a ticket, handed out so that no browser ever shows them as a page of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Response, send_file

if TYPE_CHECKING:
    from kb.files import FileStore
    from kb.tickets.models import Attachment


def download(files: FileStore, stored: Attachment) -> Response:
    """Return an attachment to be saved, never shown: whatever it holds, it cannot act in our name. Raises NotFoundError when its content is gone."""
    response = send_file(files.open(stored.digest), stored.media_type, as_attachment=True, download_name=stored.name)
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response
