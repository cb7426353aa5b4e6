"""The versions of the API that the emulator knows, and which operations each has."""

from collections.abc import Iterable, Mapping
from typing import Final

from ..refusal import Rule
from . import v1, v2
from .operation import Operation

#: By the name with which the paths of a version begin, the oldest first.
VERSIONS: Final[dict[str, tuple[Operation, ...]]] = {"v1": v1.OPERATIONS, "v2": v2.OPERATIONS}

_REFUSALS: Final[Mapping[str, Mapping[Rule, Rule]]] = {"v1": {}, "v2": v2.REFUSALS}

_BY_NAME: Final = {
    version: {operation.name: operation for operation in operations} for version, operations in VERSIONS.items()
}


def operations_of(versions: Iterable[str]) -> list[Operation]:
    """Give the operations of some versions, one version after the other."""
    return [operation for version in versions for operation in VERSIONS[version]]


def rule_in(version: str, rule: Rule) -> Rule:
    """Give the rule by which a version refuses what the rules of the world refuse by this one."""
    return _REFUSALS[version].get(rule, rule)


def named(name: str, versions: Iterable[str]) -> list[Operation]:
    """Give the operations of some versions that have this name: one of each that has it."""
    return [_BY_NAME[version][name] for version in versions if name in _BY_NAME[version]]


def names(versions: Iterable[str]) -> list[str]:
    """Give the names that the operations of some versions have, each once."""
    return list(dict.fromkeys(operation.name for operation in operations_of(versions)))
