"""Every failure becomes one form: JSON for programs, a page with a remedy for people."""

from __future__ import annotations

import errno
import secrets
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from flask import Response, jsonify, redirect, render_template, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException

from indexer.errors import IndexerError
from kb.db import cannot_store
from kb.errors import InFlightError, InvalidRequestError
from kb.web.language import said

if TYPE_CHECKING:
    from flask import Flask
    from flask.typing import ResponseReturnValue

log = structlog.get_logger()

_MESSAGES = {
    400: ("bad_request", "这个请求不完整或格式不对。请返回上一页再试。"),
    404: ("not_found", "没有这一页。它可能改名或撤下了，搜一下你要找的内容。"),
    405: ("method_not_allowed", "这个地址不支持这样的操作。请从页面上的按钮进入。"),
    413: ("too_large", "内容太大了。请删减后再提交。"),
    414: ("too_long", "地址太长了。请把问题缩短到 400 字以内，或在搜索框里提交。"),
    415: ("not_json", "send JSON with Content-Type: application/json"),
    429: ("too_many_requests", "请求太频繁，请等一分钟再试。"),
}
_NO_STORING = "现在保存不了：服务器的磁盘满了，或者暂时不能写。这次提交没有保存，请复制你写的内容，一分钟后再提交一次；管理员请查看磁盘空间和 KB_DATA。"
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})


def install(app: Flask) -> None:
    """Handle our own errors, HTTP errors and everything else."""

    @app.errorhandler(InvalidRequestError)
    def _ours(error: InvalidRequestError) -> ResponseReturnValue:
        if error.code == "sign_in" and not _wants_json():
            target = request.full_path.rstrip("?") if request.method == "GET" else request.path.rpartition("/")[0]  # the page that the form stood on
            return redirect(f"/sign-in?next={quote(target)}", 303)
        answer = _answer(error.status, error.code, str(error))
        if isinstance(error, InFlightError):
            answer[0].headers["Retry-After"] = "1"
        return answer

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> ResponseReturnValue:
        status = error.code or 500
        code, message = _MESSAGES.get(status, ("error", "这个请求无法完成。请返回上一页再试。"))
        if type(error).__name__ == "CSRFError":
            code, message = "form_expired", "表单已失效。请返回上一页，刷新后再提交一次；提交前先复制你写的内容。"
        answer = _answer(status, code, message)
        answer[0].headers.update((name, value) for name, value in error.get_headers() if name != "Content-Type")  # Allow, Content-Range
        if status == 429:  # noqa: PLR2004 - the one status with a waiting time
            answer[0].headers["Retry-After"] = "60"
        return answer

    @app.errorhandler(IndexerError)
    def _index(error: IndexerError) -> ResponseReturnValue:
        log.error("index_unavailable", reason=str(error))
        return _answer(503, "index_unavailable", "知识库正在准备，还不能搜索。请一分钟后再试；管理员可运行 kb index status 查看原因。")

    @app.errorhandler(OperationalError)
    def _database(error: OperationalError) -> ResponseReturnValue:
        if not cannot_store(error):
            return _unexpected(error)
        log.error("cannot_store", route=str(request.url_rule), reason=getattr(error.orig, "sqlite_errorname", ""))
        return _unavailable()

    @app.errorhandler(OSError)
    def _disk(error: OSError) -> ResponseReturnValue:
        if error.errno not in _DISK:
            return _unexpected(error)
        log.error("cannot_store", route=str(request.url_rule), reason=errno.errorcode[error.errno])
        return _unavailable()

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> ResponseReturnValue:
        number = secrets.token_hex(4)
        log.error("request_failed", number=number, route=str(request.url_rule), kind=type(error).__name__, exc_info=error)
        return _answer(500, "internal", f"这一页出错了，我们已经记下（编号 {number}）。请稍后再试；急用请联系财务支持。")


def _unavailable() -> tuple[Response, int]:
    answer = _answer(503, "cannot_store", _NO_STORING)
    answer[0].headers["Retry-After"] = "60"
    return answer


def _wants_json() -> bool:
    return request.path.startswith("/api/")


def _answer(status: int, code: str, message: str) -> tuple[Response, int]:
    if _wants_json():
        return jsonify(error={"code": code, "message": said(message)}), status
    return Response(render_template("error.html", message=message), mimetype="text/html"), status
