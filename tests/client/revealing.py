"""Looks for a secret wherever an error could show it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it came from, suppressed ones included."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and all(current is not other for other in found):
            found.append(current)
            waiting += [current.__cause__, current.__context__]
            waiting += getattr(current, "exceptions", ())
    return iter(found)


def _repr(value: object) -> str:
    # As the reporters of errors do it: what cannot be shown keeps nothing else from being shown.
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001
        return f"<no repr: {error!r}>"


def shown_by(error: BaseException, *, but_for: str) -> str:
    """All that an error, its chain and its tracebacks with locals show, but for the frames of the file ``but_for``."""
    texts = []
    for one in chain(error):
        texts += [str(one), repr(one), f"{one}", f"{one!s:>5}", repr(one.args), repr(vars(one))]
        texts += [text for value in vars(one).values() for text in (repr(value), str(value), f"{value}")]
        texts += traceback.format_exception_only(type(one), one)
        for frame, _ in traceback.walk_tb(one.__traceback__):
            if frame.f_code.co_filename != but_for:
                texts += [f"{frame.f_code.co_name}: {name} = {_repr(value)}" for name, value in frame.f_locals.items()]
    return "\n".join(texts)


def files_in(error: BaseException) -> str:
    """The files through which the error and its chain came."""
    frames = (frame for one in chain(error) for frame, _ in traceback.walk_tb(one.__traceback__))
    return "\n".join(frame.f_code.co_filename for frame in frames)
