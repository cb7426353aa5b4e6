"""Everything that a call of this SDK can raise on purpose.

``ConfidentAIError`` is above all of them. Plain misuse of a method (an empty id, a list where a string belongs) is a
``ValueError`` or a ``TypeError``, raised before any request.

No error carries a secret: the text of an unreadable answer is kept on ``body`` (it may hold an id or a key that is
shown only once), and its ``repr`` shows no more than its size.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "APIConnectionError",
    "APIDeprecationWarning",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AmbiguousMatchError",
    "AuthenticationError",
    "BadRequestError",
    "ConfidentAIError",
    "ConfidentApiError",
    "ConfigurationError",
    "ConflictError",
    "InternalServerError",
    "NotFoundError",
    "PartialFailureError",
    "PermissionDeniedError",
    "RateLimitError",
    "ResponseBody",
    "UnexpectedStateError",
    "UnprocessableEntityError",
]


class ResponseBody(bytes):
    """The raw bytes of an answer. They may hold a secret, so the ``repr`` (and ``str``) only tells their number."""

    def __repr__(self) -> str:
        return f"<response body of {len(self)} bytes>"

    __str__ = __repr__


class ConfidentAIError(Exception):
    """Anything that goes wrong in this SDK.

    Attributes:
        message: What happened, in a sentence.
        operation: The API's name of the operation, such as ``createProject``, or ``None`` outside of a call.
        method: The HTTP method, or ``None`` outside of a call.
        path: The path of the request, without the base URL, or ``None`` outside of a call.
        outcome_unknown: ``True`` if the call may have changed something and nothing tells whether it did. Look before
            you repeat it. ``False`` means that this call changed nothing; in a job of several calls, that the last one
            changed nothing.
        partial: What a job of several calls had done before it failed, in the form of its result, with all secrets that
            exist by now; ``None`` if nothing was done. Its ``repr`` shows no secret.
    """

    # Here and below: for mocks, which are made from the class.
    message: str = ""
    operation: str | None = None
    method: str | None = None
    path: str | None = None
    outcome_unknown: bool = False
    partial: Any = None

    def __init__(
        self,
        message: str,
        *,
        operation: str | None = None,
        method: str | None = None,
        path: str | None = None,
        outcome_unknown: bool = False,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.operation = operation
        self.method = method
        self.path = path
        self.outcome_unknown = outcome_unknown
        self.partial = None

    def __str__(self) -> str:
        text = self.message
        if self.operation is not None:
            text = f"{self.operation}: {text}"
        if self.outcome_unknown:
            text = f"{text} (the outcome is unknown: the server may have done it; check before you repeat it)"
        return text

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments are lost by the default, and with them the error on its way out of a worker process.
        return _restore, (type(self), self.args, self.__dict__.copy())


def _restore(kind: type[ConfidentAIError], args: tuple[Any, ...], state: dict[str, Any]) -> ConfidentAIError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def attach_partial(error: BaseException, partial: object) -> None:
    """Have an error, or a cancellation, carry what a job had done before it."""
    error.__dict__["partial"] = partial


class ConfigurationError(ConfidentAIError):
    """The client cannot work as it is set up or used; nothing was changed. The message says what to change."""


def client_is_closed() -> ConfigurationError:
    """The error of a call that is made after ``close()``."""
    return ConfigurationError("This client is closed: make a new one.")


class UnexpectedStateError(ConfidentAIError):
    """The organization is not as a job needs it to be. The message says what was found, and what to do about it.

    Where a job checks before it writes, nothing was written.
    """


class AmbiguousMatchError(UnexpectedStateError):
    """Several things match where one is meant."""


class PartialFailureError(ConfidentAIError):
    """Some items of a job over many were not done. ``partial`` is the job's report, with the others."""


class APIConnectionError(ConfidentAIError):
    """There is no answer: the connection could not be made, or was lost before the answer was complete.

    Attributes:
        body: The raw bytes that came of the answer to a write, or ``None``. They may hold a secret.
    """

    body: ResponseBody | None = None

    def __init__(self, message: str, *, body: ResponseBody | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.body = body


class APITimeoutError(APIConnectionError):
    """The time that the caller allowed was over before the answer was complete."""


class APIResponseValidationError(ConfidentAIError):
    """The answer is not what the API promises: not JSON, not the envelope, or a field is missing or of another type.

    Attributes:
        status: The HTTP status of the answer, or ``None`` where no single answer is at fault.
        field: The path of the field that is wrong, such as ``apiKey.id``, or ``None`` if the answer is no envelope.
        body: The raw bytes of the answer, so that nothing in it is lost. They may hold a secret.
        request_id: The server's id of the request, or ``None``.
    """

    status: int | None = None
    field: str | None = None
    body: ResponseBody | None = None
    request_id: str | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        field: str | None = None,
        body: ResponseBody | None = None,
        request_id: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.status = status
        self.field = field
        self.body = body
        self.request_id = request_id


class APIStatusError(ConfidentAIError):
    """The server answered, and refused or failed.

    Attributes:
        status: The HTTP status.
        link: A page of the documentation that the server named, or ``None``.
        request_id: The server's id of the request, or ``None``.
        retry_after: The seconds that the server asks to wait, or ``None``.
        hint: What to do about it, where this SDK can tell, or ``None``.
        body: The raw bytes of the answer. They may hold a secret.
    """

    status: int = 0
    link: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    hint: str | None = None
    body: ResponseBody | None = None

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        link: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        hint: str | None = None,
        body: ResponseBody | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.status = status
        self.link = link
        self.request_id = request_id
        self.retry_after = retry_after
        self.hint = hint
        self.body = body

    def __str__(self) -> str:
        text = super().__str__()
        text = f"{text} [{self.status}]" if self.link is None else f"{text} [{self.status}; see {self.link}]"
        return text if self.hint is None else f"{text}: {self.hint}"


class BadRequestError(APIStatusError):
    """400: the request is malformed."""


class AuthenticationError(APIStatusError):
    """401: the API key is missing, unknown, deactivated, deleted or of the wrong kind; ``hint`` says what is wanted."""


class PermissionDeniedError(APIStatusError):
    """403: the key, the plan or a rule does not allow it."""


class NotFoundError(APIStatusError):
    """404: there is nothing under this id."""


class ConflictError(APIStatusError):
    """409: it conflicts with what exists."""


class UnprocessableEntityError(APIStatusError):
    """422: well-formed, but it makes no sense to the server."""


class RateLimitError(APIStatusError):
    """429: too many requests."""


class InternalServerError(APIStatusError):
    """5xx: the server, or a gateway in front of it, failed."""


class APIDeprecationWarning(DeprecationWarning):
    """The API says that an operation will go away. Warned once per operation and client, with the link it gives."""


#: The name that the vendor's own client gives to an error of the API.
ConfidentApiError = APIStatusError
