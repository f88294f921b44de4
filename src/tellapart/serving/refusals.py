"""What the server refuses, and how each protocol says so. In: a reason. Out: a status and a sentence. Next: waiting.py.

Refusal                400  INVALID_ARGUMENT      the request is wrong
├── Unauthorized       401  UNAUTHENTICATED       no key, or not a known one
├── Forbidden          403  PERMISSION_DENIED     for a host that is not this one, or from a page of another site
├── Unknown            404  NOT_FOUND             no such model, version or path
├── Slow               408  DEADLINE_EXCEEDED     the body did not arrive in time
├── NotAllowed         409  FAILED_PRECONDITION   the server was not started for this
├── TooLarge           413  INVALID_ARGUMENT      more bytes, pictures or pixels than allowed
├── Overloaded         429  RESOURCE_EXHAUSTED    the queue is full; Retry-After says when to come again
├── Stopping           503  UNAVAILABLE           the server shuts down, or is not ready yet
├── Late               504  DEADLINE_EXCEEDED     the deadline passed before the answer was there
└── Full               507  RESOURCE_EXHAUSTED    what should be kept has no place on the disk
"""

from __future__ import annotations

from tellapart.errors import TellapartError


class Refusal(TellapartError):
    """The request is wrong: value, rule, remedy in `str(refusal)`."""

    status = 400  # HTTP, RFC 9110
    code = "INVALID_ARGUMENT"  # gRPC's name of its status
    retry_after: int | None = None  # seconds


class Unauthorized(Refusal):
    """No API key came with the request, or one that the server does not know."""

    status, code = 401, "UNAUTHENTICATED"


class Forbidden(Refusal):
    """The request names another host than this, or a page of another site sent it."""

    status, code = 403, "PERMISSION_DENIED"


class Unknown(Refusal):
    """There is no such model, version, label or path."""

    status, code = 404, "NOT_FOUND"


class Slow(Refusal):
    """The body did not arrive in time."""

    status, code = 408, "DEADLINE_EXCEEDED"


class NotAllowed(Refusal):
    """The server was started without what the request asks for."""

    status, code = 409, "FAILED_PRECONDITION"


class TooLarge(Refusal):
    """More bytes, pictures or pixels than the server takes in one request."""

    status = 413


class Overloaded(Refusal):
    """The queue is full. Nothing of the request was begun, so it may be sent again after `retry_after` seconds."""

    status, code = 429, "RESOURCE_EXHAUSTED"

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Stopping(Refusal):
    """The server is shutting down, or not ready yet; another replica may take the request."""

    status, code, retry_after = 503, "UNAVAILABLE", 1


class Late(Refusal):
    """The request's deadline passed before its answer was there."""

    status, code = 504, "DEADLINE_EXCEEDED"


class Full(Refusal):
    """What the request asks to keep has no place: the folder's limit, or the disk, is reached."""

    status, code = 507, "RESOURCE_EXHAUSTED"
