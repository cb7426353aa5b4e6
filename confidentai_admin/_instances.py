"""What classes know of their instances, and instances that are made without a constructor."""

from __future__ import annotations

from typing import Any, TypeVar, cast

T = TypeVar("T")


def child(kind: type[T]) -> T:
    """Stands on a class for an object of ``kind`` that each of its instances makes.

    So the class itself tells ``dir``, ``Mock(spec=...)`` and ``create_autospec`` what its instances have. This one is
    there to be looked at: it has no connection, and can do nothing.
    """
    return object.__new__(kind)


def twin(instance: T) -> T:
    """Another instance with the same attributes, those that a subclass added or has in slots among them."""
    other = object.__new__(type(instance))
    # Not `copy.copy`, which a class that forbids pickling forbids with it.
    state = cast(Any, object).__getstate__(instance)
    attributes, slots = state if isinstance(state, tuple) else (state, None)
    vars(other).update(attributes)
    for name, value in (slots or {}).items():
        object.__setattr__(other, name, value)
    return other
