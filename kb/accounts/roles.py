"""What a role may do. One table; routes ask for a right, never for a role."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """Whom an account is for."""

    ASKER = "asker"
    AGENT = "agent"
    EDITOR = "editor"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


class Right(StrEnum):
    """Something that not everybody may do."""

    DESK = "desk"
    ANALYTICS = "analytics"
    READ_ALL = "read_all"
    SUPERVISE = "supervise"
    ADMIN = "admin"


_RIGHTS = {
    Role.ASKER: frozenset[Right](),
    Role.AGENT: frozenset({Right.DESK, Right.ANALYTICS, Right.READ_ALL}),
    Role.EDITOR: frozenset({Right.DESK, Right.ANALYTICS, Right.READ_ALL}),
    Role.OPERATOR: frozenset({Right.ANALYTICS, Right.READ_ALL, Right.SUPERVISE}),
    Role.ADMINISTRATOR: frozenset(Right),
}
NAMES = {Role.ASKER: "员工", Role.AGENT: "客服", Role.EDITOR: "编辑", Role.OPERATOR: "运营", Role.ADMINISTRATOR: "管理员"}


def may(role: str, right: Right) -> bool:
    """Tell whether a role has a right; an unknown role has none."""
    return role in set(Role) and right in _RIGHTS[Role(role)]


def is_staff(role: str) -> bool:
    """Tell whether searches by this role are work, not demand."""
    return role != Role.ASKER
