"""The whole surface: all operations, the same on both faces, and documented."""

from __future__ import annotations

import enum
import importlib
import inspect
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

import confidentai_admin
from confidentai_admin import (
    AsyncConfidentAI,
    AsyncKeyRotation,
    AsyncPageIterator,
    ConfidentAI,
    Happened,
    KeyRotation,
    PageIterator,
)
from confidentai_admin.emulator._contract.shapes import ListOf, Record, Shape
from confidentai_admin.emulator._contract.v1 import BY_NAME

from .cases import CASES
from .cases.case import NO_BODY, Case, made_call
from .tree import Tree, tree_of

pytestmark = pytest.mark.both_faces

#: The public methods that are not an operation of the contract.
NO_OPERATION = {"close", "request", "with_options", "organization", "project"}

#: The public methods that are another way to an operation, and the method that it belongs to.
ANOTHER_WAY = {
    "whoami": "organization.get",
    "projects.find": "projects.list",
    "organization.members.iter": "organization.members.list",
    "project.members.iter": "project.members.list",
    "organization.governance.policies.iter_projects": "organization.governance.policies.list_projects",
    **{
        f"{scope}.{noun}.find": f"{scope}.{noun}.list"
        for scope in ("organization", "project")
        for noun in ("members", "iam.roles", "iam.policies", "iam.permissions")
    },
}

#: The public methods of an operation that may look first: the option for that, if it is one, and the operation.
LOOKS_FIRST = {
    "project.delete": ("expect_name", "getProject"),
    "organization.api_keys.update": (None, "getOrganizationApiKey"),
    "organization.api_keys.delete": (None, "getOrganizationApiKey"),
}

_KEY_ROTATION = {"list{}ApiKeys", "get{}ApiKey", "create{}ApiKey", "update{}ApiKey", "delete{}ApiKey"}
_KEY_RETIREMENT = _KEY_ROTATION - {"create{}ApiKey"}

_ENSURE = {
    "listProjects",
    "createProject",
    "getProject",
    "updateProject",
    "listProjectApiKeys",
    "createProjectApiKey",
    "listMembers",
    "listProjectMembers",
    "listProjectRoles",
    "updateProjectMemberRole",
    "listGovernancePolicies",
    "assignProjectsToGovernancePolicy",
}

#: The public methods that are a job of several operations, and all the operations that they may call.
JOBS: dict[str, set[str]] = {
    "projects.ensure": _ENSURE | {f"{verb}ProjectApiKey" for verb in ("get", "update", "delete")},
    "projects.ensure_many": _ENSURE,
    "projects.rotate_keys": {name.format("Project") for name in _KEY_ROTATION},
    "organization.members.transfer_ownership": {"listRoles", "listMembers", "updateMemberRole"},
    "project.members.transfer_ownership": {"listProjectRoles", "listProjectMembers", "updateProjectMemberRole"},
    "offboard": {
        "listMembers",
        "listInvitations",
        "listProjects",
        "listProjectMembers",
        "listProjectInvitations",
        "listProjectRoles",
        "updateProjectMemberRole",
        "deleteInvitation",
        "deleteProjectInvitation",
        "removeMember",
        "removeProjectMember",
    },
    "organization.api_keys.rotate": {"getOrganization", *(name.format("Organization") for name in _KEY_ROTATION)},
    "organization.api_keys.retire": {name.format("Organization") for name in _KEY_RETIREMENT},
    "project.api_keys.rotate": {name.format("Project") for name in _KEY_ROTATION},
    "project.api_keys.retire": {name.format("Project") for name in _KEY_RETIREMENT},
    "organization.invitations.ensure": {
        "listMembers",
        "listInvitations",
        "listRoles",
        "createInvitations",
        "updateMemberRole",
        "resendInvitation",
        "deleteInvitation",
    },
    "project.invitations.ensure": {
        "listProjectMembers",
        "listProjectInvitations",
        "listProjectRoles",
        "createProjectInvitations",
        "updateProjectMemberRole",
        "resendProjectInvitation",
        "deleteProjectInvitation",
    },
}

FULL_CASES = [case for case in CASES if not case.variant]


def methods_without_a_case(tree: Tree) -> set[str]:
    known = NO_OPERATION | ANOTHER_WAY.keys() | JOBS.keys()
    return tree.methods.keys() - known - {made_call(case).name for case in CASES}


# All operations -------------------------------------------------------------------------------------------------------


def test_every_operation_of_the_contract_has_a_case() -> None:
    """Each of the 53 operations has one case with all arguments, and no case is of any other operation."""
    assert len(BY_NAME) == 53
    assert Counter(case.operation for case in FULL_CASES) == dict.fromkeys(BY_NAME, 1)
    assert {case.operation for case in CASES} == BY_NAME.keys()


def test_every_operation_is_one_method() -> None:
    """All cases of an operation call the same method, and no two operations have the same one."""
    methods = defaultdict(set)
    for case in CASES:
        methods[case.operation].add(made_call(case).name)
    assert all(len(names) == 1 for names in methods.values()), methods
    assert len(set.union(*methods.values())) == len(BY_NAME)


def test_every_public_method_has_a_case(face: type[ConfidentAI]) -> None:
    """A face has exactly the methods that the cases call, and the few that are no operation of their own."""
    tree = tree_of(face)
    assert methods_without_a_case(tree) == set()
    known = NO_OPERATION | ANOTHER_WAY.keys() | JOBS.keys()
    assert {made_call(case).name for case in CASES} | known == tree.methods.keys()


@pytest.mark.parametrize("place", ["", "projects", "organization", "project.members", "organization.governance"])
def test_a_new_method_without_a_case_is_noticed(
    face: type[ConfidentAI], place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that somebody adds anywhere in the tree is found missing in the cases."""

    async def archive(self: object) -> None:
        """Do what no case knows."""

    monkeypatch.setattr(type(tree_of(face).objects[place]), "archive", archive, raising=False)
    assert methods_without_a_case(tree_of(face)) >= {f"{place}.archive".lstrip(".")}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_is_as_the_contract_has_it(case: Case) -> None:
    """A case sends the contract's method, path, query and body, and one with all arguments has all fields."""
    operation = BY_NAME[case.operation]
    pattern = re.sub(r"{\w+}", "[^/]+", operation.path)
    assert case.method == operation.method
    assert re.fullmatch(pattern, case.path)
    query = {name for name, _ in parse_qsl(urlsplit(case.target).query)}
    assert query <= {field.name for field in operation.query}
    if case.variant:
        return
    assert query == {field.name for field in operation.query}
    if operation.body is None:
        assert case.body is NO_BODY
    else:
        assert_complete(case.body, operation.body, "body")
    assert_complete(case.data, operation.data, "data")


def assert_complete(value: object, shape: Shape, place: str) -> None:
    """Check that a value has every field of a shape; of a list, that the first item has."""
    if isinstance(shape, Record):
        assert isinstance(value, dict), place
        assert value.keys() == {field.name for field in shape.fields}, place
        for field in shape.fields:
            assert_complete(value[field.name], field.shape, f"{place}.{field.name}")
    elif isinstance(shape, ListOf):
        assert isinstance(value, list), place
        assert value, f"{place} is empty"
        assert_complete(value[0], shape.item, f"{place}[0]")


@pytest.mark.parametrize("case", FULL_CASES, ids=str)
def test_a_full_case_gives_every_argument(case: Case) -> None:
    """A case without a variant passes all parameters that need no other call; of the optional, a case has none."""
    call = made_call(case)
    signature = inspect.signature(tree_of(AsyncConfidentAI).methods[call.name])
    given_first = {option for place, (option, _) in LOOKS_FIRST.items() if place == call.name}
    wanted = signature.parameters.keys() - given_first
    assert signature.bind(*call.arguments, **call.keywords).arguments.keys() == wanted
    optional = {name for name, each in signature.parameters.items() if each.default is not each.empty}
    if case.operation == "deleteOrganizationApiKey":
        return  # without its option, it is not one request: see test_api_keys.py
    given = [made_call(each) for each in CASES if each.operation == case.operation]
    least = [signature.bind(*each.arguments, **each.keywords).arguments.keys() & optional for each in given]
    assert set() in least, f"no case of {case.operation} leaves out {optional}"


def test_every_operation_is_read_back_on_the_emulator() -> None:
    """Each operation's effect is shown by a test on the emulator, which runs on both faces."""
    shown = set()
    for path in Path(__file__).parent.glob("test_*.py"):
        module = importlib.import_module(f"{__package__}.{path.stem}")
        for _, test in inspect.getmembers(module, inspect.isfunction):
            for mark in getattr(test, "pytestmark", ()):
                if mark.name == "shows":
                    assert "client" in inspect.signature(test).parameters, test.__name__
                    shown.update(mark.args)
    assert shown == BY_NAME.keys()


# The same on both faces -----------------------------------------------------------------------------------------------

#: What the faces say in different words.
WORDS = {
    "await ": "",
    "async with": "with",
    "from asynchronous code": "from blocking code",
    "a program's tasks": "a program's threads",
    "It belongs to one event loop at a time.": "Its event loop runs in a thread of its own.",
    "Awaitable[int | None] | ": "",
}


def blocking(text: object) -> str:
    """A text of the asynchronous face as the blocking one has it."""
    words = str(text)
    for asynchronous, other in WORDS.items():
        words = words.replace(asynchronous, other)
    return re.sub(r"\bAsync(?=[A-Z])", "", words)


def test_the_faces_have_the_same_tree() -> None:
    """Both faces have the same objects, methods and properties at the same places, of classes of the same names."""
    core, facade = tree_of(AsyncConfidentAI), tree_of(ConfidentAI)
    assert core.methods.keys() == facade.methods.keys()
    assert core.properties == facade.properties
    assert core.objects.keys() == facade.objects.keys()
    for place, thing in core.objects.items():
        twin = type(facade.objects[place])
        assert type(thing).__name__.startswith("Async")
        assert blocking(type(thing).__name__) == twin.__name__
        assert thing.__doc__
        assert blocking(thing.__doc__) == twin.__doc__


def test_the_package_has_both_faces_of_every_class() -> None:
    """What is exported of one face is exported of the other."""
    exported = set(confidentai_admin.__all__)
    asynchronous = {name for name in exported if name.startswith("Async")}
    assert "AsyncConfidentAI" in asynchronous
    assert {blocking(name) for name in asynchronous} <= exported


PLACES = sorted(tree_of(AsyncConfidentAI).methods)


@pytest.mark.parametrize("place", PLACES)
def test_a_method_is_the_same_on_both_faces(place: str) -> None:
    """A method has the same parameters, annotations, defaults and text on both faces, and only one is awaited."""
    core = tree_of(AsyncConfidentAI).methods[place]
    facade = tree_of(ConfidentAI).methods[place]
    ours, theirs = inspect.signature(core), inspect.signature(facade)
    assert [(each.name, each.kind, each.default, blocking(each.annotation)) for each in ours.parameters.values()] == [
        (each.name, each.kind, each.default, each.annotation) for each in theirs.parameters.values()
    ]
    assert blocking(ours.return_annotation) == theirs.return_annotation
    assert blocking(core.__doc__) == facade.__doc__
    gives_an_object = "Async" in ours.return_annotation or ours.return_annotation == "Self"
    assert inspect.iscoroutinefunction(core) is not gives_an_object
    assert not inspect.iscoroutinefunction(facade)


def test_the_clients_are_made_alike() -> None:
    """Both clients take the same arguments, with the same defaults, and are context managers of their kind."""
    ours, theirs = inspect.signature(AsyncConfidentAI), inspect.signature(ConfidentAI)
    assert ours.parameters == theirs.parameters
    assert inspect.iscoroutinefunction(AsyncConfidentAI.__aenter__)
    assert inspect.iscoroutinefunction(AsyncConfidentAI.__aexit__)
    assert not hasattr(AsyncConfidentAI, "__enter__")
    assert not hasattr(ConfidentAI, "__aenter__")


def test_texts_of_enumerations_are_identifiers() -> None:
    """What an enumeration is equal to is its name, in its case or in small letters, so that it can be guessed."""
    exported = [vars(confidentai_admin)[name] for name in confidentai_admin.__all__]
    texts = [each for each in exported if isinstance(each, type) and issubclass(each, enum.Enum)]
    assert {each.__name__ for each in texts} >= {"Happened", "HoldingKind", "InvitationStatus", "Plan"}
    for member in [member for each in texts for member in each]:
        assert member.value in (member.name, member.name.lower()), member
    assert Happened("left_alone") == "left_alone"
    assert Happened("not_tried") == "not_tried"


def test_the_iterators_are_alike() -> None:
    """The iterators of both faces are described alike; one is for `async for`, the other for `for`."""
    assert AsyncPageIterator.__doc__
    assert blocking(AsyncPageIterator.__doc__) == PageIterator.__doc__
    assert {"__aiter__", "__anext__"} <= vars(AsyncPageIterator).keys()
    assert {"__iter__", "__next__"} <= vars(PageIterator).keys()


def test_the_rotations_are_alike() -> None:
    """A rotation has the same methods and properties on both faces, with the same texts, and blocks of their kind."""
    ours, theirs = vars(AsyncKeyRotation), vars(KeyRotation)
    public = {name for name in ours if not name.startswith("_")}
    assert public == {name for name in theirs if not name.startswith("_")}
    ids = {"unfinished", "duplicate_key_ids", "orphaned_key_ids", "may_have_orphaned_key"}
    assert public == {"new_key", "old_key", *ids, "retire", "discard"}
    assert blocking(AsyncKeyRotation.__doc__) == KeyRotation.__doc__
    for name in public:
        assert ours[name].__doc__
        assert blocking(ours[name].__doc__) == theirs[name].__doc__
        if not isinstance(ours[name], property):
            assert inspect.signature(ours[name]) == inspect.signature(theirs[name])
            assert inspect.iscoroutinefunction(ours[name])
            assert not inspect.iscoroutinefunction(theirs[name])
    assert {"__aenter__", "__aexit__"} <= ours.keys()
    assert {"__enter__", "__exit__"} <= theirs.keys()
    assert not {"__enter__", "__exit__"} & ours.keys()
    assert not {"__aenter__", "__aexit__"} & theirs.keys()


# Documented -----------------------------------------------------------------------------------------------------------


def documented_parameters(docstring: str) -> list[str]:
    """The names in the section `Args`."""
    lines = iter(docstring.splitlines())
    return list(_names_in_section(lines)) if "Args:" in lines else []


def _names_in_section(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line and not line.startswith(" "):
            return
        if match := re.match(r"    (\w+): \S", line):
            yield match[1]


def test_every_method_names_its_endpoints(face: type[ConfidentAI]) -> None:
    """A method's text names the endpoints of the operations that it is for, all of them and no others."""
    methods = tree_of(face).methods
    operations = {made_call(case).name: BY_NAME[case.operation] for case in CASES}
    wanted: defaultdict[object, set[tuple[str, str]]] = defaultdict(set)
    found = {}
    for place, method in methods.items():
        if place in NO_OPERATION:
            continue
        made = [operations[ANOTHER_WAY.get(place, place)]] if place not in JOBS else [BY_NAME[n] for n in JOBS[place]]
        if place in LOOKS_FIRST:
            made.append(BY_NAME[LOOKS_FIRST[place][1]])
        # One function serves both scopes where they have everything alike.
        function = getattr(method, "__func__", method)
        wanted[function].update((operation.method, operation.path) for operation in made)
        found[function] = set(re.findall(r"``([A-Z]+) (/\S*)``", method.__doc__ or ""))
    assert found == wanted


@pytest.mark.parametrize("place", PLACES)
def test_every_parameter_is_documented(face: type[ConfidentAI], place: str) -> None:
    """A method's text has a first sentence, and describes every parameter, in the order of the signature."""
    method = tree_of(face).methods[place]
    text = inspect.getdoc(method)
    assert text
    assert text.splitlines()[0].endswith(".")
    assert documented_parameters(text) == list(inspect.signature(method).parameters)


def test_every_argument_of_the_client_is_documented(face: type[ConfidentAI]) -> None:
    """The client's text describes every argument of its constructor, in order."""
    assert documented_parameters(inspect.getdoc(face) or "") == list(inspect.signature(face).parameters)
