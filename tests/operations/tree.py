"""The public surface of a client, as it really is: walked, not listed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import attrs

from confidentai_admin import AsyncConfidentAI, ConfidentAI


@attrs.frozen
class Tree:
    """What a face has, each thing by its place, such as `project.api_keys.create`.

    Attributes:
        methods: The public methods, bound.
        properties: The public properties.
        objects: The objects that hold them; the client itself is at the empty place.
    """

    methods: dict[str, Callable[..., Any]] = attrs.field(factory=dict)
    properties: set[str] = attrs.field(factory=set)
    objects: dict[str, object] = attrs.field(factory=dict)


def tree_of(face: type[ConfidentAI | AsyncConfidentAI]) -> Tree:
    """All that is public on a face, from the client downwards."""
    client = face("k" * 20)
    tree = Tree()
    _walk(tree, "", client)
    _walk(tree, "organization", client.organization())
    _walk(tree, "project", client.project("prj-1"))
    return tree


def _walk(tree: Tree, place: str, thing: object) -> None:
    tree.objects[place] = thing
    for name in dir(thing):
        if name.startswith("_"):
            continue
        inner = f"{place}.{name}" if place else name
        if isinstance(inspect.getattr_static(thing, name), property):
            tree.properties.add(inner)
        elif inspect.ismethod(value := getattr(thing, name)):
            tree.methods[inner] = value
        else:
            assert type(value).__module__.startswith("confidentai_admin."), f"{inner} is no object of the SDK"
            _walk(tree, inner, value)
