"""Where a world's records are kept: nothing is found by a search, so that a world may be large."""

from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping
from typing import Self, TypeVar

IdT = TypeVar("IdT", str, int)
RecordT = TypeVar("RecordT")


class Table(MutableMapping[IdT, RecordT]):
    """Records by their ids, in the order in which they came, each also found by a name that no other has.

    Who changes a record's name puts the record in again.

    Args:
        name_of: Gives the name of a record.
    """

    def __init__(self, name_of: Callable[[RecordT], str]) -> None:
        self._name_of = name_of
        self._records: dict[IdT, RecordT] = {}
        self._names: dict[IdT, str] = {}
        self._by_name: dict[str, RecordT] = {}

    def of(self, records: Iterable[tuple[IdT, RecordT]]) -> Self:
        """Make another table like this one, of other records."""
        made = type(self)(self._name_of)
        made.update(records)
        return made

    def named(self, name: str) -> RecordT | None:
        """Find the record with this name."""
        return self._by_name.get(name)

    def __getitem__(self, record_id: IdT) -> RecordT:
        return self._records[record_id]

    def __setitem__(self, record_id: IdT, record: RecordT) -> None:
        self._forget_name(record_id)
        self._records[record_id] = record
        self._names[record_id] = self._name_of(record)
        self._by_name[self._names[record_id]] = record

    def __delitem__(self, record_id: IdT) -> None:
        del self._records[record_id]
        self._forget_name(record_id)

    def __iter__(self) -> Iterator[IdT]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return repr(self._records)

    def _forget_name(self, record_id: IdT) -> None:
        name = self._names.pop(record_id, None)
        if name is not None:
            del self._by_name[name]


class Members(MutableMapping[str, str | None]):
    """The role id, or None for no role, of each member by user id, in the order in which they joined."""

    def __init__(self) -> None:
        self._roles: dict[str, str | None] = {}
        self._holders: dict[str | None, set[str]] = {}

    def with_role(self, role_id: str) -> Collection[str]:
        """Give the user ids of those who have this role."""
        return self._holders.get(role_id, ())

    def __getitem__(self, user_id: str) -> str | None:
        return self._roles[user_id]

    def __setitem__(self, user_id: str, role_id: str | None) -> None:
        if user_id in self._roles:
            self._holders[self._roles[user_id]].remove(user_id)
        self._roles[user_id] = role_id
        self._holders.setdefault(role_id, set()).add(user_id)

    def __delitem__(self, user_id: str) -> None:
        self._holders[self._roles.pop(user_id)].remove(user_id)

    def __iter__(self) -> Iterator[str]:
        return iter(self._roles)

    def __len__(self) -> int:
        return len(self._roles)

    def __repr__(self) -> str:
        return repr(self._roles)
