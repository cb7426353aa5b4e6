"""What people look for on a model, and find at the client."""

from __future__ import annotations


class Elsewhere:
    """A name that a model has not: to ask for it is an ``AttributeError`` that tells the way.

    So ``hasattr`` is false; and a type checker takes it for ``None``, on which there is nothing to call.
    """

    def __init__(self, view: str) -> None:
        self._view = view

    def __set_name__(self, model: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, model: type) -> None:
        raise AttributeError(
            f"a {model.__name__} is what the API said of it, and makes no calls: use {self._view}.{self._name}"
        )
