"""Data becomes a model the quick way, and the thorough way, which explains, never thinks otherwise."""

from __future__ import annotations

import copy
import datetime
import enum
import pickle
import traceback
from collections.abc import Callable
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from confidentai_admin import models
from confidentai_admin._api import structuring
from confidentai_admin._api.names import camel_case
from confidentai_admin._api.quick_structuring import quick_model
from confidentai_admin._api.structuring import Misfit, read_time, structure
from confidentai_admin.models import (
    ApiKey,
    CreatedProject,
    DeletionResult,
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
    NamedRef,
    Organization,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    Permission,
    Policy,
    Project,
    ProjectInvitation,
    ProjectMember,
    ProjectRole,
    RemovalResult,
)
from confidentai_admin.models.number_id import NumberId

from ..any_text import any_text

KINDS: list[Any] = [
    NamedRef,
    ApiKey,
    CreatedProject,
    DeletionResult,
    GovernancePolicy,
    GovernancePolicyAssignmentResult,
    GovernancePolicyUnassignmentResult,
    Organization,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    Permission,
    Policy,
    Project,
    ProjectInvitation,
    ProjectMember,
    ProjectRole,
    RemovalResult,
]


def each_kind(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with each model, and a share of the usual number of examples for each."""
    parametrized: Callable[..., None] = pytest.mark.parametrize("kind", KINDS)(test)
    return settings(max_examples=settings().max_examples // 5)(parametrized)


_texts = any_text(max_size=5)
_times = st.datetimes().map(lambda time: f"{time.isoformat(timespec='milliseconds')}Z")
_wrong: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(0, 3) | st.floats(0, 1) | _texts | st.just([]) | st.just({})
)


def _data(kind: Any) -> st.SearchStrategy[Any]:
    """Data that is good for a type."""
    if kind in (str, int, bool):
        return {str: _texts, int: st.integers(0, 9), bool: st.booleans()}[kind]
    if kind == NumberId:
        return st.integers(0, 99) | st.integers(0, 99).map(str)
    if kind is datetime.datetime:
        return _times
    if kind is type(None):
        return st.none()
    if get_origin(kind) is list:
        return st.lists(_data(*get_args(kind)), max_size=2)
    if isinstance(kind, enum.EnumMeta):
        members: list[Any] = list(kind)
        return st.sampled_from([member.value for member in members])
    if attrs.has(kind):
        attrs.resolve_types(kind)
        required: dict[str, st.SearchStrategy[Any]] = {}
        optional: dict[str, st.SearchStrategy[Any]] = {}
        for field in attrs.fields(kind):
            group = required if field.default is attrs.NOTHING else optional
            group[camel_case(field.name)] = _data(field.type)
        return st.fixed_dictionaries(required, optional=optional)
    return st.one_of(*map(_data, get_args(kind)))


@st.composite
def _spoilt(draw: st.DrawFn, kind: Any) -> Any:
    """Data that is good for a type, in which at most one thing was taken out or replaced."""
    data = draw(_data(kind))
    place = data
    while draw(st.booleans()) and place and isinstance(place, (dict, list)):
        key = draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if isinstance(place[key], (dict, list)) and draw(st.booleans()):
            place = place[key]
        elif draw(st.booleans()):
            place[key] = draw(_wrong)
            break
        else:
            del place[key]
            break
    return data


@each_kind
@given(data=st.data())
def test_good_data_needs_no_second_look(kind: Any, data: st.DataObject) -> None:
    """What is good is structured the quick way, into what the thorough one makes of it."""
    good = data.draw(_data(list[kind]))
    assert structuring._quick.structure(good, list[kind]) == structuring._thorough.structure(good, list[kind])


@each_kind
@given(data=st.data())
def test_the_quick_way_takes_no_more_than_the_thorough_one(kind: Any, data: st.DataObject) -> None:
    """What one refuses, the other refuses too, and says where."""
    spoilt = data.draw(_spoilt(list[kind]))
    try:
        made = structuring._thorough.structure(spoilt, list[kind])
    except Exception:  # noqa: BLE001  (cattrs raises what it likes)
        with pytest.raises(Exception):  # noqa: B017, PT011  (and so does the quick way)
            structuring._quick.structure(spoilt, list[kind])
        misfit = structure(spoilt, list[kind])
        assert isinstance(misfit, Misfit)
        assert misfit.place.startswith("[")
    else:
        assert structuring._quick.structure(spoilt, list[kind]) == made == structure(spoilt, list[kind])


@each_kind
@given(data=st.data())
def test_what_is_read_is_a_model_like_any_other(kind: Any, data: st.DataObject) -> None:
    """What came of an answer equals what the class makes of the same values, and is as frozen, copied and pickled."""
    model: Any = structure(data.draw(_data(kind)), kind)
    fields = {field.alias: getattr(model, field.name) for field in attrs.fields(kind)}
    made = kind(**fields)
    assert model == made
    assert repr(model) == repr(made)
    assert copy.deepcopy(model) == pickle.loads(pickle.dumps(model)) == attrs.evolve(model) == made
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(model, attrs.fields(kind)[0].name, None)


@pytest.mark.parametrize("said", [4711, "4711", "04711"])
@pytest.mark.parametrize("kind", [ApiKey, OrganizationInvitation, ProjectInvitation])
def test_the_id_of_a_key_and_of_an_invitation_is_a_number_however_it_is_written(kind: Any, said: object) -> None:
    """A text of digits is read as the number."""
    data = {"id": said, "valid": True, "value": "v", "email": "e", "status": "s", "created_at": "2026-01-01T00:00:00Z"}
    made: Any = structure(data, kind)
    assert type(made.id) is int
    assert made.id == 4711


@pytest.mark.parametrize("said", ["", "x", "-1", "4.0", " 4", "4_0", "\u0664", "9" * 5000, 4.0, True, None])
def test_what_is_no_number_is_no_id_of_a_key(said: object) -> None:
    """It is an error that names the field and does not show the value."""
    data = {"id": said, "valid": True, "value": "v", "created_at": "2026-01-01T00:00:00Z"}
    misfit = structure(data, ApiKey)
    assert isinstance(misfit, Misfit)
    assert misfit.place == ".id"


def test_another_text_of_digits_stays_a_text() -> None:
    """The id of a project or a role may consist of digits, and a number that is no id is none as a text."""
    assert structure({"id": "4711", "name": "n"}, NamedRef) == NamedRef("4711", "n")
    assert structure({"id": "4711", "deleted": True}, DeletionResult) == DeletionResult("4711", deleted=True)
    counted = {"id": "g", "name": "n", "projectsCount": "4", "controls": []}
    assert isinstance(structure(counted, GovernancePolicy), Misfit)


def test_a_model_with_more_than_types_is_refused() -> None:
    """The quick way fills slots, so that it may not be taken for a class whose ``__init__`` does more."""

    @attrs.frozen
    class Converted:
        id: str = attrs.field(converter=str)

    @attrs.frozen
    class Validated:
        id: str = attrs.field(validator=attrs.validators.instance_of(str))

    @attrs.frozen
    class Defaulted:
        ids: list[str] = attrs.field(factory=list)

    @attrs.frozen
    class Completed:
        id: str

        def __attrs_post_init__(self) -> None: ...

    for kind in (Converted, Validated, Defaulted, Completed):
        with pytest.raises(TypeError, match=kind.__name__):
            quick_model(kind, structuring._quick)


def test_every_model_of_an_answer_is_looked_at_here() -> None:
    """No model is forgotten above but those that no answer has, and that are parts of others."""
    jobs = {"DesiredProject", "EnsuredProject", "Holding", "Onboarding", "Outcome", "Page", "Progress", "Report"}
    parts = {"GovernanceControl"}
    every = {
        name for name in models.__all__ if isinstance(getattr(models, name), type) and attrs.has(getattr(models, name))
    }
    assert {kind.__name__ for kind in KINDS} == every - jobs - parts - {"RotatedKey"}


@given(
    text=st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z\Z")
    | st.text(st.sampled_from("0123456789-:.,TZW+ \u0662"), min_size=24, max_size=24).map(
        lambda text: f"{text[:4]}-{text[5:7]}-{text[8:10]}T{text[11:19]}.{text[20:23]}Z"
    )
)
@example(text="2026-W01-1T00:00:00.000Z")
@example(text="2026-01-01T00-00-00.000Z")
@example(text="2026-01-01T00:00:00.0 0Z")
@example(text="2026-01-01T24:00:00.000Z")
def test_the_usual_form_of_a_time_is_read_as_any_other(text: str) -> None:
    """A time in the API's own form is the same as in another form of the same time, and refused if that is."""
    try:
        expected = read_time(f"{text[:23]}+00:00")
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  (Python's own says many things)
            read_time(text)
    else:
        assert read_time(text) == expected
        assert read_time(text).utcoffset() == datetime.timedelta(0)


def test_a_traceback_shows_the_line() -> None:
    """A function that was written for a model has lines, as one in a file has."""
    structuring.structure({}, Permission)
    with pytest.raises(KeyError) as caught:
        structuring._quick.get_structure_hook(Permission)({}, Permission)
    shown = "".join(traceback.format_exception(caught.value))
    assert "<structuring of Permission>" in shown
    assert "field = value['id']" in shown
