"""The table of the contract."""

import re
from collections import Counter
from pathlib import Path

from confidentai_admin.emulator._contract.arguments import arguments
from confidentai_admin.emulator._contract.v1 import BY_NAME, OPERATIONS
from confidentai_admin.emulator._contract.versions import VERSIONS, operations_of
from confidentai_admin.emulator._rules.work import WORK
from confidentai_admin.emulator._shown import v1, v2


def test_there_are_53_operations_each_named_once() -> None:
    """The table has all 53 operations, and no name and no pair of method and path twice."""
    assert len(OPERATIONS) == 53
    assert len(BY_NAME) == 53
    assert len({(operation.method, operation.path) for operation in OPERATIONS}) == 53


def test_the_second_version_has_all_that_the_first_has() -> None:
    """Every operation is in both under the same path and method, and no pair of these is in a version twice."""
    first, second = VERSIONS.values()
    assert {(each.name, each.method, each.bare_path) for each in first} <= {
        (each.name, each.method, each.bare_path) for each in second
    }
    for version, operations in VERSIONS.items():
        assert {each.version for each in operations} == {version}
        assert len({each.name for each in operations}) == len(operations)
        assert len({(each.method, each.path) for each in operations}) == len(operations)


def test_each_operation_is_carried_out_by_something() -> None:
    """What the emulator can do and what the table lists are the same operations."""
    assert set(WORK) == {operation.name for operation in operations_of(VERSIONS)}


def test_what_is_shown_is_said_for_each_operation() -> None:
    """What the emulator can show and what the table lists are the same operations."""
    assert set(v1.OPERATIONS) == set(BY_NAME)
    assert set(v2.OPERATIONS) == {operation.name for operation in VERSIONS["v2"]}


def test_the_rules_have_a_name_of_their_own_for_all_that_is_sent() -> None:
    """No name of JSON reaches the rules, and no two things that an operation takes become one."""
    for operation in operations_of(VERSIONS):
        ids = dict.fromkeys(operation.path_parameters, "1")
        query = {field.name: 1 for field in operation.query}
        body = {} if operation.body is None else {field.name: None for field in operation.body.fields}
        named = arguments(ids, query, body)
        assert all(re.fullmatch("[a-z]+(_[a-z]+)*", name) for name in named), operation.name
        assert len(named) == len({*ids, *query, *body} - {"projectId"}), operation.name


def test_the_methods_are_spread_as_in_the_published_reference() -> None:
    """The reference has 19 reads, 11 POSTs, 12 PUTs and 11 DELETEs."""
    assert Counter(operation.method for operation in OPERATIONS) == {"GET": 19, "POST": 11, "PUT": 12, "DELETE": 11}


def test_bodies_belong_to_posts_and_puts_except_a_resend() -> None:
    """No GET or DELETE reads a body, and of the rest only sending an invitation again does not."""
    without = {operation.name for operation in OPERATIONS if operation.changes_state and operation.body is None}
    assert without == {operation.name for operation in OPERATIONS if operation.method == "DELETE"} | {
        "resendInvitation",
        "resendProjectInvitation",
    }
    assert all(operation.body is None for operation in OPERATIONS if operation.method == "GET")


def test_path_parameters_come_in_order() -> None:
    """A path's parameters are read from its template."""
    assert BY_NAME["updateProjectApiKey"].path_parameters == ("projectId", "apiKeyId")
    assert BY_NAME["listProjects"].path_parameters == ()


def test_exactly_the_three_paged_listings_take_a_query() -> None:
    """Paging exists for members of both scopes and for a governance policy's projects."""
    paged = {operation.name for operation in OPERATIONS if operation.query}
    assert paged == {"listMembers", "listProjectMembers", "listGovernancePolicyProjects"}


def test_the_guide_lists_every_operation_by_name() -> None:
    """docs/testing.md has each operation once, beside its method and path without a version, and no others."""
    text = (Path(__file__).parents[2] / "docs" / "testing.md").read_text(encoding="utf-8")
    table = text.partition("<!-- operations -->\n")[2].partition("\n\n")[0]
    listed: list[tuple[str, str, str]] = []
    for method, path, names in re.findall(r"^\| `([A-Z]+) (\S+)` \| (.*) \|$", table, re.MULTILINE):
        for name, root in zip(names.split("|"), ("/organization", "/projects/{projectId}"), strict=True):
            if name.strip():
                listed.append((name.strip(" `"), method, path.replace("…", root)))
    assert sorted(listed) == sorted({(each.name, each.method, each.bare_path) for each in operations_of(VERSIONS)})
