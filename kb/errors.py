"""Errors a person can act on: the message says what is wrong and what to do."""

from __future__ import annotations


class KbError(Exception):
    """One line for a person, with a remedy. The command line prints it and exits with 1."""


class ConfigError(KbError):
    """A setting is unknown or cannot be used."""


class InvalidRequestError(KbError):
    """A request cannot be served as sent. `status` and `code` go into the answer."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        """Keep the code for programs and the message for people."""
        super().__init__(message)
        self.code, self.status = code, status


class NotFoundError(InvalidRequestError):
    """What was asked for does not exist, or not for this person: the two look the same from outside."""

    def __init__(self, message: str) -> None:
        """Answer 404."""
        super().__init__("not_found", message, 404)


class ConflictError(InvalidRequestError):
    """Somebody else was faster, or the thing is not in a state that allows this."""

    def __init__(self, message: str) -> None:
        """Answer 409."""
        super().__init__("conflict", message, 409)


class InFlightError(InvalidRequestError):
    """The same request is being answered at this moment; a second later it may be sent again."""

    def __init__(self, message: str) -> None:
        """Answer 409, with the second to wait."""
        super().__init__("in_flight", message, 409)
