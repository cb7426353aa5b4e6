"""Whether a call is tried again, decided without a call: what was heard, and what follows."""

from __future__ import annotations

import pytest

from confidentai_admin._api.calls import Effect
from confidentai_admin._http.retry import Again, Delivery, Retry, RetryBudget


def retry(effect: Effect = Effect.REPEATABLE, *, most: int = 2, last_start: float = 60.0) -> Retry:
    """What decides about a call at second 0, whose pauses are half of what they may be."""
    return Retry(effect, most, last_start, RetryBudget(), lambda longest: longest / 2)


@pytest.mark.parametrize("effect", Effect)
@pytest.mark.parametrize("delivery", [delivery for delivery in Delivery if delivery is not Delivery.DONE])
def test_what_follows_each_delivery(delivery: Delivery, effect: Effect) -> None:
    """What the server certainly did not do is tried again; what it may have done, only if doing it twice is no harm."""
    certainly_not = delivery in (Delivery.TURNED_AWAY, Delivery.NOT_SENT)
    maybe = delivery in (Delivery.FAILED, Delivery.LOST)
    decides = retry(effect)
    again = decides.after(delivery, 0.0)
    assert again == (Again(0.25) if certainly_not or (maybe and effect is not Effect.ONCE) else None)
    assert decides.is_unknown == (effect is not Effect.READ and (maybe or delivery is Delivery.UNREADABLE))


def test_pauses_grow_and_end() -> None:
    """Each pause is twice as long, and after as many attempts as are allowed there is none."""
    decides = retry(most=3)
    heard = [decides.after(Delivery.FAILED, 0.0) for _ in range(5)]
    assert heard == [Again(0.25), Again(0.5), Again(1.0), None, None]


def test_what_was_unknown_stays_unknown() -> None:
    """A refusal after an attempt that may have been carried out does not tell that it was not."""
    decides = retry()
    decides.after(Delivery.LOST, 0.0)
    assert (decides.was_unknown, decides.is_unknown) == (False, True)
    assert decides.after(Delivery.REFUSED, 1.0) is None
    assert (decides.was_unknown, decides.is_unknown) == (True, True)


@pytest.mark.parametrize(("asked", "pause"), [(None, 0.25), (0.0, 0.25), (7.0, 7.0), (60.0, 60.0), (60.5, None)])
def test_what_the_server_asks_for(asked: float | None, pause: float | None) -> None:
    """It lengthens the pause, up to a minute; who asks for more is not waited for."""
    again = retry(last_start=1000.0).after(Delivery.TURNED_AWAY, 0.0, asked=asked)
    assert again == (None if pause is None else Again(pause))


def test_an_attempt_that_would_begin_too_late_is_none() -> None:
    """The last moment to begin is one at which there is still time for an answer."""
    assert retry(last_start=0.26).after(Delivery.FAILED, 0.0) == Again(0.25)
    assert retry(last_start=0.25).after(Delivery.FAILED, 0.0) is None


def test_a_429_costs_nothing_of_the_budget() -> None:
    """It is no outage: it counts against the repeats of its call alone."""
    decides = Retry(Effect.READ, 2, 60.0, RetryBudget(capacity=0.5), lambda longest: 0.0)
    heard = [decides.after(Delivery.TURNED_AWAY, 0.0, is_too_many=True) for _ in range(3)]
    assert heard == [Again(0.0), Again(0.0), None]


def test_an_empty_budget_is_the_end() -> None:
    """Each repeat costs one token, whichever call makes it."""
    budget = RetryBudget(capacity=1.0)
    shared = [Retry(Effect.READ, 2, 60.0, budget, lambda longest: 0.0) for _ in range(2)]
    assert [each.after(Delivery.FAILED, 0.0) for each in shared] == [Again(0.0), None]
