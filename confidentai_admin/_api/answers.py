"""Answers: the envelope, and what it means, a model or an error. No I/O.

Reading an answer never raises: the caller gets the value or the error to raise, so that no frame of a traceback holds
the answer, in which there may be a key.
"""

from __future__ import annotations

import datetime
import email.utils
import json
from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

from .._secrets import Received
from .._server_words import in_one_line, plain_words, shown, words_in
from ..errors import (
    APIResponseValidationError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseBody,
    UnprocessableEntityError,
)
from .calls import Effect, Request
from .structuring import Misfit, is_not, structure

T = TypeVar("T")


@attrs.define(eq=False)  # frozen, it would take three times as long to make
class Answer:
    """An HTTP response, read to its end.

    Attributes:
        status: The HTTP status.
        headers: The headers, looked up without regard to case.
        body: The body.
        envelope: The body as JSON if it is an object, else ``None``. It may hold a secret.
    """

    status: int
    headers: Mapping[str, str]
    body: Received
    envelope: Mapping[str, Any] | None = attrs.field(repr=False)

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str], body: Received) -> Answer:
        """Read a response, whatever is in it."""
        return cls(status, headers, body, _json_object(body))

    @property
    def is_success(self) -> bool:
        """Whether the status is of the 2xx."""
        return 200 <= self.status < 300

    @property
    def is_enveloped(self) -> bool:
        """Whether the API itself wrote it, and not a gateway in front."""
        return self.envelope is not None and type(self.envelope.get("success")) is bool

    @property
    def is_gone(self) -> bool:
        """Whether the API itself, and not a gateway, says that there is nothing (any more)."""
        return self.status == 404 and self.is_enveloped

    @property
    def request_id(self) -> str | None:
        """The server's id of the request."""
        return self.headers.get("X-Request-Id")

    @property
    def deprecation(self) -> str | None:
        """What to tell the caller if the operation will go away, else ``None``."""
        if self.envelope is None or self.envelope.get("deprecated") is not True:
            return None
        link = _link(self.envelope)
        return "the API says that this operation is deprecated" + (f": see {link}" if link else "")

    @property
    def is_success_without_data(self) -> bool:
        """Whether it says that the call succeeded, and nothing more."""
        if self.status == 204:
            return True
        envelope = self.envelope or {}
        return self.is_success and envelope.get("success") is True and envelope.get("data") is None

    @property
    def date(self) -> datetime.datetime | None:
        """When it was made, by the server's clock, or ``None`` if it does not say."""
        return read_date(self.headers.get("Date", ""))


_NO_JSON = object()


def _json(body: Received) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


def _json_object(body: Received) -> dict[str, Any] | None:
    value = _json(body)
    return value if isinstance(value, dict) else None


def _link(envelope: Mapping[str, Any]) -> str | None:
    link = envelope.get("link")
    return shown(link) if isinstance(link, str) and link else None


def read_date(text: str) -> datetime.datetime | None:
    """An HTTP date as an aware time, or ``None`` if it is none."""
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=datetime.UTC)


@attrs.frozen
class Unreadable:
    """Why a successful answer cannot be read.

    Attributes:
        field: The field of the data that is to blame, if it is one.
        message: What is wrong, in words that hold no value of the data.
    """

    field: str | None
    message: str

    def error(self, answer: Answer, request: Request) -> APIResponseValidationError:
        """The error to raise."""
        return APIResponseValidationError(
            self.message,
            status=answer.status,
            field=self.field,
            body=ResponseBody(answer.body),
            request_id=answer.request_id,
            **request.place,
            outcome_unknown=request.effect is not Effect.READ,
        )


def read_data(
    answer: Answer, returns: type[T], key: str | None = None, implied: Mapping[str, Any] | None = None
) -> T | Unreadable:
    """The data of a successful answer as ``returns``.

    ``key`` names the field of the data to read; without it, all of the data is read. ``implied`` has the fields that
    are true if the data does not say otherwise. ``object`` as the type leaves the data as it is.
    """
    envelope = answer.envelope
    if envelope is None or envelope.get("success") is not True:
        return Unreadable(None, "the answer is not the API's envelope")
    if "data" not in envelope:
        return Unreadable("data", "data is missing in the answer")
    data = envelope["data"]
    if returns is object:
        return data  # type: ignore[no-any-return]
    place = "data"
    if key is not None:
        if type(data) is not dict:
            return Unreadable("data", f"in the answer, data {is_not('an object', data)}")
        if key not in data:
            return Unreadable(key, f"in the answer, {key} is missing")
        data, place = data[key], key
    if implied and type(data) is dict:
        data = {**implied, **data}
    result = structure(data, returns)
    if isinstance(result, Misfit):
        field = (place + result.place).removeprefix("data.")
        return Unreadable(field, f"in the answer, {field} {result.what}")
    return result


def read_count(answer: Answer, key: str) -> int | Unreadable:
    """The number in a field of data whose other fields were read."""
    data = (answer.envelope or {})["data"]
    if key not in data:
        return Unreadable(key, f"in the answer, {key} is missing")
    count = data[key]
    return count if type(count) is int else Unreadable(key, f"in the answer, {key} {is_not('an integer', count)}")


_STATUS_ERRORS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableEntityError,
    429: RateLimitError,
}


_WANTED_KEY = (
    "an organization API key is wanted, which the product shows under the organization's settings; the key of a project"
    " is refused"
)


def read_refusal(
    answer: Answer, request: Request, *, retry_after: float | None, by_project_key: bool, outcome_unknown: bool
) -> APIStatusError:
    """The error that an answer without success means."""
    kind = _STATUS_ERRORS.get(answer.status, InternalServerError if answer.status >= 500 else APIStatusError)
    envelope = answer.envelope or {}
    return kind(
        _refusal_message(answer),
        status=answer.status,
        link=_link(envelope),
        request_id=answer.request_id,
        retry_after=retry_after,
        hint=_WANTED_KEY if answer.status == 401 or (answer.status == 403 and by_project_key) else None,
        body=ResponseBody(answer.body),
        **request.place,
        outcome_unknown=outcome_unknown,
    )


def is_gone(error: NotFoundError) -> bool:
    """Whether the API itself says that there is nothing (any more). A gateway's 404 tells nothing of that."""
    return error.body is not None and Answer.of(error.status, {}, Received(error.body)).is_gone


def _refusal_message(answer: Answer) -> str:
    is_redirect = 300 <= answer.status < 400
    # A gateway that redirects says that it has moved, which is no help.
    if (answer.is_enveloped or not is_redirect) and (words := _words(answer)):
        return words
    if is_redirect:
        return (
            "the server redirects to another address, which is not followed, so that the API key stays with the server"
            " it was given for: check the base URL"
        )
    who = "the server" if answer.is_enveloped else "the server, or a gateway in front of it,"
    return f"{who} answered with status {answer.status} and without a message"


def _words(answer: Answer) -> str | None:
    """What the server says, or a gateway that may speak no JSON."""
    if answer.envelope is not None:
        return words_in(answer.envelope)
    value = _json(answer.body)
    if words := words_in(value):
        return words
    kind = answer.headers.get("Content-Type", "").lower()
    if kind.startswith("text/plain"):
        return in_one_line(answer.body.decode(errors="replace"))
    if kind or value is not _NO_JSON:
        return None
    text = answer.body.decode(errors="replace")
    return plain_words(text) if "\ufffd" not in text and "".join(text.split()).isprintable() else None
