"""What can go wrong between a folder of articles and a published index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something about a file, with its line, the rule's name and the remedy. Errors stop a build, warnings do not."""

    path: str
    line: int
    rule: str
    message: str
    error: bool = True

    def __str__(self) -> str:
        """Return `path:line: error|warning rule: message`, which editors turn into a link."""
        return f"{self.path}:{self.line}: {'error' if self.error else 'warning'} {self.rule}: {self.message}"


class IndexerError(Exception):
    """One line for a person: what is wrong, and what to do about it."""


class ArticlesRejectedError(IndexerError):
    """The articles hold errors; nothing was published. `problems` names file, line, rule and remedy of each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Keep the errors and say how many there are."""
        self.problems = tuple(problems)
        first = self.problems[0]
        more = f" (and {len(self.problems) - 1} more; `kb lint` lists them)" if len(self.problems) > 1 else ""
        super().__init__(f"{first}{more}")


class NoIndexError(IndexerError):
    """No build has been published in this data folder."""


class DamagedIndexError(IndexerError):
    """A published build does not match its manifest and is refused before a byte of it is interpreted."""


class BuildRunningError(IndexerError):
    """Another process is building; there is one builder at a time."""
