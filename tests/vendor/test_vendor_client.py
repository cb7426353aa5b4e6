"""The vendor's own client, version 0.2.0, pointed at the emulator: every one of its methods, on both of its faces.

The emulator runs in a process of its own, by the interpreter in `EMULATOR_PYTHON` (this one if not set), so that the
vendor's client and its dependencies need not share an environment with this project.
"""

import asyncio
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

vendor: Any = importlib.import_module("confidentai")  # only this file's own environment has it

# It opens a session for each blocking call and closes none.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def test_this_is_the_client_of_this_contract() -> None:
    """Later versions of the vendor's client speak another contract."""
    assert vendor.__version__ == "0.2.0"


class Face:
    """Calls the vendor's methods by their plain names, on the blocking or on the asynchronous face."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.called: set[tuple[str, str]] = set()

    def __call__(self, resource: Any, name: str, /, *args: object, **options: object) -> Any:
        """Call a method, and note that it was called."""
        self.called.add((type(resource).__name__, self.prefix + name))
        result = getattr(resource, self.prefix + name)(*args, **options)

        async def wait() -> Any:
            return await result

        return asyncio.run(wait()) if inspect.isawaitable(result) else result


@pytest.fixture(params=["", "a_"], ids=["blocking", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    """Each of the two faces in turn."""
    return Face(request.param)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run an emulator, put its URL and key where the vendor's client looks for them, and give the URL."""
    process = subprocess.Popen(
        [os.environ.get("EMULATOR_PYTHON", sys.executable), "-m", "confidentai_admin.emulator"],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        monkeypatch.setenv("CONFIDENT_BASE_URL", ready["url"])
        monkeypatch.setenv("CONFIDENT_ORG_API_KEY", ready["api_key"])
        yield ready["url"]
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.communicate()


def in_the_product(url: str, verb: str, **body: object) -> Any:
    """Do something that the API cannot."""
    headers = {"Content-Type": "application/json"}
    request = Request(f"{url}/_emulator/{verb}", data=json.dumps(body).encode(), headers=headers)
    with urlopen(request, timeout=30) as response:
        return json.loads(response.read())["data"]


def named(items: Any, name: str) -> Any:
    """Find an item of a listing by its name."""
    return next(item for item in items if item.name == name)


def use_keys(face: Face, keys: Any) -> None:
    """Make, look at, switch off and on, and revoke a key."""
    made = face(keys, "create", "CI")
    assert made.value.startswith("confident_us_")
    assert made.last_used is None
    found = face(keys, "get", made.id)
    assert found.value == "*" * 15 + made.value[-6:]
    assert face(keys, "update", made.id, valid=False).valid is False
    assert face(keys, "update", made.id, valid=True).valid is True
    assert found.id in [key.id for key in face(keys, "list")]
    assert face(keys, "delete", made.id).deleted is True
    with pytest.raises(vendor.ConfidentApiError, match="no API key"):
        face(keys, "get", made.id)


def use_access(face: Face, scope: Any, user_id: str, role_field: str) -> None:
    """Make a policy and a role, give the role to a member, and take everything back."""
    permissions = face(scope.iam.permissions, "list")
    read, manage = named(permissions, "iam:read"), named(permissions, "iam:manage")
    policy = face(scope.iam.policies, "create", "IAM", permission_ids=[read.id], description="D")
    assert [(each.id, each.name) for each in policy.permissions] == [(read.id, "iam:read")]
    policy = face(scope.iam.policies, "update", policy.id, name="IAM 2", permission_ids=[read.id, manage.id])
    assert (policy.description, len(policy.permissions)) == ("D", 2)
    assert [each.id for each in face(scope.iam.policies, "list")] == [policy.id]
    role = face(scope.iam.roles, "create", "Keeper", policy_ids=[policy.id])
    role = face(scope.iam.roles, "update", role.id, name="Key keeper", policy_ids=[policy.id], description="R")
    assert (role.name, role.description, role.policies[0].name) == ("Key keeper", "R", "IAM 2")
    roles = face(scope.iam.roles, "list")
    assert named(roles, "Owner").organization_id is None
    member = face(scope.members, "update_role", user_id, role_id=role.id)
    assert getattr(member, role_field).name == "Key keeper"
    with pytest.raises(vendor.ConfidentApiError, match="still assigned"):
        face(scope.iam.roles, "delete", role.id)
    face(scope.members, "update_role", user_id, role_id=named(roles, "Member").id)
    assert face(scope.iam.roles, "delete", role.id).deleted is True
    assert face(scope.iam.policies, "delete", policy.id).deleted is True


def use_invitations(face: Face, url: str, scope: Any, role_field: str) -> str:
    """Invite three people: one accepts, one declines, one is revoked. Give the user id of the first."""
    role = named(face(scope.iam.roles, "list"), "Member")
    emails = [f"{who}@{role_field.replace('_', '-')}.example" for who in ("yes", "no", "never")]
    made = face(scope.invitations, "create", emails, role_id=role.id)
    assert [(each.email, each.status) for each in made] == [(email, "PENDING") for email in emails]
    assert getattr(made[0], f"{role_field}_id") == role.id
    assert face(scope.invitations, "create", emails[:1]) == []
    assert face(scope.invitations, "resend", made[0].id).id == made[0].id
    assert face(scope.invitations, "revoke", made[2].id).deleted is True
    in_the_product(url, "decline-invitation", invitationId=made[1].id)
    member = in_the_product(url, "accept-invitation", invitationId=made[0].id)["member"]
    assert [each.status for each in face(scope.invitations, "list")] == ["DECLINED"]
    assert member["id"] in [each.id for each in face(scope.members, "list", page=1, page_size=100)]
    user_id: str = member["id"]
    return user_id


def methods_of(resource: Any, prefix: str) -> set[tuple[str, str]]:
    """Find all methods of one face on a resource and on all that hang on it."""
    found: set[tuple[str, str]] = set()
    for name, value in inspect.getmembers(resource):
        if name.startswith("_"):
            continue
        if inspect.ismethod(value):
            if name.startswith("a_") is (prefix == "a_"):
                found.add((type(resource).__name__, name))
        elif type(value).__module__.startswith("confidentai") and type(value).__name__ != "Api":
            found |= methods_of(value, prefix)
    return found


def test_every_method_works_unchanged(emulator: str, face: Face) -> None:
    """All methods of the vendor's client do what they promise, with nothing but the URL and the key set for them."""
    client = vendor.ConfidentAI()
    organization = client.organization()
    assert face(client, "whoami").name == "Acme Inc."
    assert face(organization, "update", name="Acme Ltd").name == "Acme Ltd"
    assert face(organization, "get").plan == "TEAM"

    created = face(client.projects, "create", "Chatbot", description="D", email="mia@acme.example")
    assert created.api_key.value.startswith("confident_us_proj_")
    assert [each.id for each in face(client.projects, "list")] == [created.project.id]
    project = client.project(created.project.id)
    assert face(project, "update", name="Chatbot 2").description == "D"
    assert face(project, "get").governance_policy is None

    use_keys(face, organization.api_keys)
    use_keys(face, project.api_keys)
    organization_user = use_invitations(face, emulator, organization, "organization_role")
    project_user = use_invitations(face, emulator, project, "project_role")
    use_access(face, organization, organization_user, "organization_role")
    use_access(face, project, project_user, "project_role")
    assert face(project.members, "remove", project_user).removed is True
    assert face(organization.members, "remove", organization_user).removed is True

    governance = organization.governance.policies
    policy = named(face(governance, "list"), "Baseline")
    assigned = face(governance, "assign", policy.id, project_ids=[created.project.id, "none"])
    assert assigned.assigned_project_ids == [created.project.id]
    assert (assigned.not_found_project_ids, assigned.count) == (["none"], 1)
    assert [each.name for each in face(governance, "list_projects", policy.id, page=1, page_size=5)] == ["Chatbot 2"]
    assert face(project, "get").governance_policy.name == "Baseline"
    unassigned = face(governance, "unassign", policy.id, project_ids=[created.project.id, "none"])
    assert (unassigned.unassigned_project_ids, unassigned.count) == ([created.project.id], 1)
    assert unassigned.skipped_project_ids == ["none"]
    assert face(project, "delete").deleted is True

    every = {("ConfidentAI", f"{face.prefix}whoami")}
    for resource in (client.projects, organization, project):
        every |= methods_of(resource, face.prefix)
    assert face.called == every
    assert len(every) == 54  # the contract's 53 operations, one of them under two names


def test_refusals_come_as_the_vendors_error_with_the_message(emulator: str, face: Face) -> None:
    """What the emulator refuses is a `ConfidentApiError` with a message for people."""
    client = vendor.ConfidentAI()
    face(client.projects, "create", "Chatbot")
    with pytest.raises(vendor.ConfidentApiError, match="already has a project named 'Chatbot'"):
        face(client.projects, "create", "Chatbot")
    with pytest.raises(vendor.ConfidentApiError, match="There is no project"):
        face(client.project("none"), "get")
    with pytest.raises(vendor.ConfidentApiError, match="pageSize must be 100 or less"):
        face(client.organization().members, "list", page_size=101)
    with pytest.raises(vendor.ConfidentApiError, match="not known"):
        face(vendor.ConfidentAI(api_key="unknown"), "whoami")
