"""What became of the items of a job over many."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Generic, TypeVar, overload

import attrs

from ..errors import PartialFailureError
from .api_key import ApiKey

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")


class Happened(enum.StrEnum):
    """What a job did about an item. Equal to its text: ``outcome.happened == "created"``."""

    NOTHING = "nothing"
    """It was as it should be."""
    CREATED = "created"
    RECOVERED = "recovered"
    """It was made by a request whose answer was lost, and found afterwards."""
    UPDATED = "updated"
    INVITED = "invited"
    REINVITED = "reinvited"
    RESENT = "resent"
    ROTATED = "rotated"
    TRANSFERRED = "transferred"
    REVOKED = "revoked"
    REMOVED = "removed"
    PLANNED = "planned"
    """It would be done, and this was a rehearsal."""
    LEFT_ALONE = "left_alone"
    """It is not as it should be, and the job was not told to change that."""
    DUPLICATE = "duplicate"
    """It stands in the list once more: see the outcome of its first place."""
    FAILED = "failed"
    NOT_TRIED = "not_tried"
    """The job stopped before it."""


@attrs.frozen
class Outcome(Generic[ItemT, ResultT]):
    """What became of one item.

    Attributes:
        item: The item, as it was given.
        happened: What was done about it.
        result: What came of it, or ``None``.
        error: Why it failed, or ``None``.
        reason: In a sentence, why it was not done or what else there is to know, or ``None``.
        new_keys: The API keys that were made for it, their values in full, also where it failed afterwards. They are
            shown nowhere else, so store them. The ``repr`` masks them.
    """

    item: ItemT
    happened: Happened
    result: ResultT | None = None
    error: Exception | None = None
    reason: str | None = None
    new_keys: list[ApiKey] = attrs.field(factory=list)

    @property
    def is_failure(self) -> bool:
        """Whether it failed, or was not tried because the job stopped."""
        return self.happened in (Happened.FAILED, Happened.NOT_TRIED)


@attrs.frozen
class Progress(Generic[ItemT, ResultT]):
    """How far a job over many has come, told each time that an item is over, and each time that the job has to wait.

    Attributes:
        done: How many items are over.
        total: How many items there are.
        outcome: What became of the latest one; ``None`` while the job waits.
        waiting: For how many seconds the job waits, since the server says that there are too many requests; ``None``
            when an item is over.
    """

    done: int
    total: int
    outcome: Outcome[ItemT, ResultT] | None
    waiting: float | None = None

    @property
    def item(self) -> ItemT | None:
        """The latest item; ``None`` while the job waits."""
        return None if self.outcome is None else self.outcome.item

    @property
    def happened(self) -> Happened | None:
        """What was done about the latest item; ``None`` while the job waits."""
        return None if self.outcome is None else self.outcome.happened


@attrs.frozen
class Report(Sequence[Outcome[ItemT, ResultT]]):
    """What became of all items of a job: a sequence of outcomes, one for each item, in the order of the items.

    Attributes:
        outcomes: The outcomes.
        stopped_by: The error that concerns everybody and stopped the job, or ``None``.
    """

    outcomes: list[Outcome[ItemT, ResultT]]
    stopped_by: Exception | None = attrs.field(default=None, kw_only=True)

    @property
    def counts(self) -> dict[Happened, int]:
        """How many items each thing was done about."""
        return dict(Counter(outcome.happened for outcome in self.outcomes))

    @property
    def failures(self) -> list[Outcome[ItemT, ResultT]]:
        """The outcomes of what failed and of what was not tried."""
        return [outcome for outcome in self.outcomes if outcome.is_failure]

    @property
    def left_alone(self) -> list[Outcome[ItemT, ResultT]]:
        """The outcomes of what is not as it should be, and was not to be changed: no failures, and not as asked for."""
        return [outcome for outcome in self.outcomes if outcome.happened is Happened.LEFT_ALONE]

    @property
    def new_keys(self) -> list[ApiKey]:
        """All API keys that the job made, their values in full."""
        return [key for outcome in self.outcomes for key in outcome.new_keys]

    def raise_for_failures(self, *, left_alone: bool = False) -> None:
        """Raise an error if an item failed or was not tried.

        Args:
            left_alone: Whether to raise it as well for what is not as asked for, and was left alone.

        Raises:
            PartialFailureError: The message names the first failures; ``partial`` is this report.
        """
        failures = [
            each for each in self.outcomes if each.is_failure or (left_alone and each.happened is Happened.LEFT_ALONE)
        ]
        if not failures:
            return
        named = "; ".join(f"{outcome.item}: {outcome.reason or outcome.happened}" for outcome in failures[:3])
        more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
        error = PartialFailureError(
            f"{len(failures)} of {len(self)} were not done ({named}{more})",
            outcome_unknown=any(getattr(outcome.error, "outcome_unknown", False) for outcome in failures),
        )
        error.partial = self
        raise error from next((outcome.error for outcome in failures if outcome.error is not None), None)

    @overload
    def __getitem__(self, index: int) -> Outcome[ItemT, ResultT]: ...
    @overload
    def __getitem__(self, index: slice) -> list[Outcome[ItemT, ResultT]]: ...
    def __getitem__(self, index: int | slice) -> Outcome[ItemT, ResultT] | list[Outcome[ItemT, ResultT]]:
        return self.outcomes[index]

    def __len__(self) -> int:
        return len(self.outcomes)
