"""One administrator's day, told on the emulator: no account, no network, nothing to clean up.

Run it with ``python -m confidentai_admin.demo``, and read it as an example. The morning is spent on the organization,
with ``ConfidentAI``, the blocking client; the afternoon on several projects at the same time, with
``AsyncConfidentAI``. Both go through the same chapters.

Whatever a step changes is read back from the server by another call. If it is not there, the program says so and ends
with the exit status 1.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TextIO, TypeVar

import anyio

from confidentai_admin import (
    ApiKey,
    AsyncConfidentAI,
    AsyncProjectClient,
    AuthenticationError,
    ConfidentAI,
    ConfidentAIError,
    ConflictError,
    GovernancePolicy,
    NamedRef,
    OrganizationClient,
    OrganizationInvitation,
    OrganizationMember,
    OrganizationRole,
    Policy,
    ProjectInvitation,
    ProjectMember,
    ProjectRole,
)
from confidentai_admin._command import FAILED, complain, output, run
from confidentai_admin.emulator import Emulator

PROGRAM = "python -m confidentai_admin.demo"
TENANTS = ("Globex", "Initech", "Umbrella")
UNKNOWN_PROJECT_ID = "cl00000000000000000000000"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Tell one administrator's day on an emulator that lives as long as this program: "
        "no account, no network, nothing to clean up. It has no options.",
    )
    parser.parse_args(arguments)
    return tell(output())


def tell(out: TextIO) -> int:
    """Tell the whole day, and return the exit status."""
    story = Story(out)
    began = time.monotonic()
    try:
        with Emulator() as emulator:
            story.say("One administrator's day, on an emulator that lives as long as this program.")
            story.say(f"It listens at {emulator.url}; the organization's key is {masked(emulator.api_key)}.")
            morning(emulator, story)
            anyio.run(afternoon, emulator, story)
    except (NotReadBackError, ConfidentAIError) as error:
        complain(f"The demo has failed. {type(error).__name__}: {error}")
        return FAILED
    story.sum_up(time.monotonic() - began)
    return 0


# The morning: the organization, with the blocking client --------------------------------------------------------------


def morning(emulator: Emulator, story: Story) -> None:
    """Administer the organization with ``ConfidentAI``, one step after the other."""
    vault: dict[str, str] = {}  # stands for the place where you keep secrets
    with ConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        organization = client.organization()
        story.part(f"Morning: {client.whoami().name}, with ConfidentAI (blocking)")
        project_ids = create_projects(client, vault, story.chapter("Projects"))
        role = define_a_role(organization, story.chapter("Policy and role"))
        newcomer = invite_people(organization, emulator, role, story.chapter("Invitations"))
        change_a_role(organization, newcomer, story.chapter("Change of role"))
        govern_projects(client, project_ids, story.chapter("Governance"))
        rotate_a_key(client, vault, story.chapter("Key rotation"))
        list_members(organization, emulator, story.chapter("Members"))
        meet_a_refusal(client, story.chapter("Refusal"))


def create_projects(client: ConfidentAI, vault: dict[str, str], chapter: Chapter) -> list[str]:
    """Create two projects and keep their first keys, which are shown in full only once."""
    project_ids = []
    for name in ("Checkout assistant", "Product search"):
        created = client.projects.create(name, description=f"Evaluations of the {name.lower()}")
        project_ids.append(created.project.id)
        chapter.made("projects", f"New project {name!r} ({created.project.id})")
        if created.api_key is None:
            raise NotReadBackError(f"the project {name!r} came without a first key")
        vault[name] = created.api_key.value
        chapter.made("API keys", f"Its first API key, {masked(vault[name])}, goes to the vault")
        stored = client.project(created.project.id).api_keys.get(created.api_key.id)
        is_masked = is_masked_form(stored.value, of=vault[name])
        chapter.check("the key is valid, and from now on shown masked", stored.valid and is_masked)
    listed = {project.id for project in client.projects.list()}
    chapter.check("both projects are listed", listed.issuperset(project_ids))
    return project_ids


def define_a_role(organization: OrganizationClient, chapter: Chapter) -> OrganizationRole:
    """Make a policy from permissions, which are looked up by name, and a role from the policy."""
    iam = organization.iam
    wanted = {"project:read", "user:read", "billing:read"}
    permission_ids = [permission.id for permission in iam.permissions.list() if permission.name in wanted]
    policy = iam.policies.create("Read the books", permission_ids=permission_ids)
    chapter.made("policies", f"New policy {policy.name!r} of {', '.join(sorted(wanted))}")
    role = iam.roles.create("Auditor", policy_ids=[policy.id], description="Looks, but does not touch")
    chapter.made("roles", f"New role {role.name!r} of this policy")

    held = {permission.name for permission in named(iam.policies.list(), policy.name).permissions or []}
    chapter.check("the policy holds these permissions, and no others", held == wanted)
    is_in_role = named(iam.roles.list(), role.name).policies == [NamedRef(policy.id, policy.name)]
    chapter.check("the role holds the policy", is_in_role)
    return role


def invite_people(
    organization: OrganizationClient, emulator: Emulator, role: OrganizationRole, chapter: Chapter
) -> OrganizationMember:
    """Invite three people, of whom one is a member already, and see one accept."""
    emails = ["nora@acme.example", "noel@acme.example", "mia@acme.example"]
    made = organization.invitations.create(emails, role_id=role.id)
    invited = [invitation.email for invitation in made]
    chapter.made("invitations", f"Invited as {role.name}: {' and '.join(invited)}", count=len(made))
    chapter.say(f"Skipped, a member already: {', '.join(set(emails) - set(invited))}")
    pending = {invitation.email for invitation in organization.invitations.list() if invitation.status == "PENDING"}
    chapter.check("both invitations are pending", pending == {"nora@acme.example", "noel@acme.example"})

    # The invitee accepts in the product, not through the API: the emulator plays that part.
    emulator.accept_invitation(with_email(made, "nora@acme.example").id, name="Nora New")
    chapter.say("nora@acme.example accepts in the product")
    left = [invitation.email for invitation in organization.invitations.list()]
    chapter.check("the other invitation is left", left == ["noel@acme.example"])
    newcomer = with_email(organization.members.iter(), "nora@acme.example")
    has_role = newcomer.organization_role == NamedRef(role.id, role.name)
    chapter.check(f"{newcomer.name} is a member, with the role {role.name}", has_role)
    return newcomer


def change_a_role(organization: OrganizationClient, member: OrganizationMember, chapter: Chapter) -> None:
    """Give a member another role."""
    admin = named(organization.iam.roles.list(), "Admin")
    organization.members.update_role(member.id, role_id=admin.id)
    chapter.say(f"{member.name} is made {admin.name}")
    now = with_email(organization.members.iter(), member.email)
    has_role = now.organization_role == NamedRef(admin.id, admin.name)
    chapter.check(f"{now.name} has the role {admin.name}", has_role)


def govern_projects(client: ConfidentAI, project_ids: Sequence[str], chapter: Chapter) -> None:
    """Put projects on a governance policy, together with an id that does not exist: a partial success."""
    policies = client.organization().governance.policies
    policy = named(policies.list(), "Baseline")
    result = policies.assign(policy.id, project_ids=[*project_ids, UNKNOWN_PROJECT_ID])
    chapter.say(f"{policy.name!r} is given {len(project_ids) + 1} ids, and takes {result.count}")
    chapter.say(f"No such project: {', '.join(result.not_found_project_ids)}")
    listed = {project.id for project in policies.iter_projects(policy.id)}
    chapter.check("the projects that exist are on the policy, and no others", listed == set(project_ids))
    for project_id in project_ids:
        project = client.project(project_id).get()
        is_governed = project.governance_policy == NamedRef(policy.id, policy.name)
        chapter.check(f"{project.name!r} is governed by {policy.name!r}", is_governed)


def rotate_a_key(client: ConfidentAI, vault: dict[str, str], chapter: Chapter) -> None:
    """Replace the key of another program, which at every moment has one that works."""
    api_keys = client.organization().api_keys
    old = api_keys.create("Nightly job")
    vault["nightly job"] = old.value
    chapter.made("API keys", f"A nightly job runs with the API key {masked(old.value)}")
    with ConfidentAI(vault["nightly job"], base_url=client.base_url) as job_before:
        job_before.whoami()

        new = api_keys.create("Nightly job (new)")
        vault["nightly job"] = new.value
        chapter.made("API keys", f"New API key {masked(new.value)}, which takes its place in the vault")
        with ConfidentAI(vault["nightly job"], base_url=client.base_url) as job_after:
            job_after.whoami()
        chapter.check("the new key is in use", api_keys.get(new.id).last_used is not None)

        api_keys.update(old.id, valid=False)
        chapter.say("The old key is deactivated, which could still be undone")
        chapter.check("the old key is not valid any more", not api_keys.get(old.id).valid)
        chapter.check("a program that still has the old key is refused", is_locked_out(job_before))

    api_keys.delete(old.id)
    chapter.say("The old key is deleted, which is for good")
    left = {api_key.id for api_key in api_keys.list()}
    chapter.check("the new key is listed, the old one is not", new.id in left and old.id not in left)


def is_locked_out(client: ConfidentAI) -> bool:
    """Whether the client's key is refused."""
    try:
        client.whoami()
    except AuthenticationError:
        return True
    return False


def list_members(organization: OrganizationClient, emulator: Emulator, chapter: Chapter) -> None:
    """List members page by page, then all in one loop."""
    joined = {f"engineer{number:02}@acme.example" for number in range(1, 61)}
    for email in sorted(joined):
        emulator.add_member(email)
    chapter.say(f"{len(joined)} engineers join the organization in the product")

    page = organization.members.list(page=1, page_size=25)
    seen = [member.id for member in page]
    chapter.say(f"Page {page.page}: {len(page)} of {page.total}")
    while page.has_next:
        page = organization.members.list(page=page.page + 1, page_size=page.page_size)
        seen += [member.id for member in page]
        chapter.say(f"Page {page.page}: {len(page)} of {page.total}")

    everybody = list(organization.members.iter())
    chapter.say(f"members.iter() walks all {len(everybody)} in one loop")
    ids = [member.id for member in everybody]
    chapter.check("both ways give the same members, each once", ids == seen and len(set(ids)) == page.total)
    chapter.check("the engineers are among them", joined.issubset(member.email for member in everybody))


def meet_a_refusal(client: ConfidentAI, chapter: Chapter) -> None:
    """Run into an error, and see what it tells."""
    before = client.projects.list()
    try:
        client.projects.create("Product search")
    except ConflictError as error:
        chapter.say("A second project 'Product search' is refused:")
        chapter.say(f"  {type(error).__name__}, with status = {error.status}")
        chapter.say(f"  message = {error.message}")
        chapter.say(f"  operation = {error.operation}")
        chapter.say(f"  outcome_unknown = {error.outcome_unknown}, so nothing was changed")
    else:
        raise NotReadBackError("a second project of the same name was not refused")
    chapter.check("the projects are what they were", client.projects.list() == before)


# The afternoon: several projects at the same time, with the async client ----------------------------------------------


async def afternoon(emulator: Emulator, story: Story) -> None:
    """Set up a project for each tenant with ``AsyncConfidentAI``, all tenants at the same time."""
    vault: dict[str, str] = {}
    async with AsyncConfidentAI(emulator.api_key, base_url=emulator.url) as client:
        story.part(f"Afternoon: {len(TENANTS)} tenants at the same time, with AsyncConfidentAI")
        story.say("Each line says whose it is. What is read back is counted, not told.\n")

        async def set_up(tenant: str) -> None:
            project = await create_tenant(client, tenant, vault, story.chapter("Projects", tenant))
            role = await define_tenant_role(project, story.chapter("Policy and role", tenant))
            newcomer = await invite_to_tenant(project, emulator, role, story.chapter("Invitations", tenant))
            await change_tenant_role(project, newcomer, story.chapter("Change of role", tenant))
            await govern_tenant(client, project, story.chapter("Governance", tenant))
            await rotate_tenant_key(project, tenant, vault, story.chapter("Key rotation", tenant))
            await list_tenant_members(project, emulator, story.chapter("Members", tenant))
            await meet_tenant_refusal(project, role, story.chapter("Refusal", tenant))

        await at_the_same_time(set_up, TENANTS)


async def at_the_same_time(work: Callable[[str], Awaitable[None]], names: Iterable[str]) -> None:
    """Do the work for all names concurrently. The first that fails ends the others, and its error is raised."""
    failures: list[NotReadBackError | ConfidentAIError | OSError] = []

    async def attempt(name: str) -> None:
        try:
            await work(name)
        except (NotReadBackError, ConfidentAIError, OSError) as error:  # the last: what is told cannot be written
            failures.append(error)
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(attempt, name)
    if failures:
        raise failures[0]


async def create_tenant(
    client: AsyncConfidentAI, tenant: str, vault: dict[str, str], chapter: Chapter
) -> AsyncProjectClient:
    """Create the tenant's project, with an Owner, and keep its first key."""
    created = await client.projects.create(tenant, email="adam@acme.example")
    chapter.made("projects", f"New project {tenant!r} ({created.project.id})")
    if created.api_key is None:
        raise NotReadBackError(f"the project {tenant!r} came without a first key")
    vault[tenant] = created.api_key.value
    chapter.made("API keys", f"Its first API key, {masked(vault[tenant])}, goes to the vault")

    project = client.project(created.project.id)
    chapter.check("the project is there", (await project.get()).name == tenant)
    stored = await project.api_keys.get(created.api_key.id)
    chapter.check("the key is valid, and masked", stored.valid and is_masked_form(stored.value, of=vault[tenant]))
    owner = with_email(await project.members.list(), "adam@acme.example")
    is_owner = owner.project_role is not None and owner.project_role.name == "Owner"
    chapter.check(f"{owner.name} is its Owner", is_owner)
    return project


async def define_tenant_role(project: AsyncProjectClient, chapter: Chapter) -> ProjectRole:
    """Make a policy and a role in the project. Permissions' ids may differ from project to project, names do not."""
    iam = project.iam
    wanted = {"prompt:read", "prompt:update", "dataset:read"}
    permission_ids = [permission.id for permission in await iam.permissions.list() if permission.name in wanted]
    policy = await iam.policies.create("Work on prompts", permission_ids=permission_ids)
    chapter.made("policies", f"New policy {policy.name!r} of {', '.join(sorted(wanted))}")
    role = await iam.roles.create("Prompt engineer", policy_ids=[policy.id])
    chapter.made("roles", f"New role {role.name!r} of this policy")

    held = {permission.name for permission in named(await iam.policies.list(), policy.name).permissions or []}
    chapter.check("the policy holds these permissions, and no others", held == wanted)
    is_in_role = named(await iam.roles.list(), role.name).policies == [NamedRef(policy.id, policy.name)]
    chapter.check("the role holds the policy", is_in_role)
    return role


async def invite_to_tenant(
    project: AsyncProjectClient, emulator: Emulator, role: ProjectRole, chapter: Chapter
) -> ProjectMember:
    """Invite two people to the project, and see one accept."""
    emails = [f"ida@{project.id}.example", f"ivan@{project.id}.example"]
    made = await project.invitations.create(emails, role_id=role.id)
    chapter.made("invitations", f"Invited as {role.name}: Ida and Ivan", count=len(made))
    pending = [each.email for each in await project.invitations.list() if each.status == "PENDING"]
    chapter.check("both invitations are pending", pending == emails)

    emulator.accept_invitation(with_email(made, emails[0]).id, name="Ida Invited")
    chapter.say("Ida accepts in the product")
    left = [each.email for each in await project.invitations.list()]
    chapter.check("the other invitation is left", left == emails[1:])
    newcomer = with_email(await project.members.list(), emails[0])
    has_role = newcomer.project_role == NamedRef(role.id, role.name)
    chapter.check(f"{newcomer.name} is a member, with the role {role.name}", has_role)
    return newcomer


async def change_tenant_role(project: AsyncProjectClient, member: ProjectMember, chapter: Chapter) -> None:
    """Give a member of the project another role."""
    manager = named(await project.iam.roles.list(), "Manager")
    await project.members.update_role(member.id, role_id=manager.id)
    chapter.say(f"{member.name} is made {manager.name}")
    now = with_email(await project.members.list(), member.email)
    has_role = now.project_role == NamedRef(manager.id, manager.name)
    chapter.check(f"{now.name} has the role {manager.name}", has_role)


async def govern_tenant(client: AsyncConfidentAI, project: AsyncProjectClient, chapter: Chapter) -> None:
    """Put the project on a governance policy that all tenants share."""
    policies = client.organization().governance.policies
    policy = named(await policies.list(), "High risk")
    result = await policies.assign(policy.id, project_ids=[project.id, UNKNOWN_PROJECT_ID])
    not_found = ", ".join(result.not_found_project_ids)
    chapter.say(f"{policy.name!r} takes {result.count} project; no such project: {not_found}")
    listed = [each.id async for each in policies.iter_projects(policy.id)]
    chapter.check("the project is on the policy", project.id in listed)
    governed_by = (await project.get()).governance_policy
    chapter.check("the project is governed by the policy", governed_by == NamedRef(policy.id, policy.name))


async def rotate_tenant_key(project: AsyncProjectClient, tenant: str, vault: dict[str, str], chapter: Chapter) -> None:
    """Replace the project's first key: make the new one, hand it over, and only then retire the old one."""
    old = named(await project.api_keys.list(), "Default Key")
    new = await project.api_keys.create("Rotated key")
    vault[tenant] = new.value
    chapter.made("API keys", f"New API key {masked(new.value)}, in the vault in place of {masked(old.value)}")
    valid = {each.id for each in await project.api_keys.list() if each.valid}
    chapter.check("for now both keys are valid", valid == {old.id, new.id})

    await project.api_keys.update(old.id, valid=False)
    chapter.check("the old key is not valid any more", not (await project.api_keys.get(old.id)).valid)
    await project.api_keys.delete(old.id)
    chapter.say("The old key is deactivated, then deleted")
    chapter.check("only the new one is left", [each.id for each in await project.api_keys.list()] == [new.id])


async def list_tenant_members(project: AsyncProjectClient, emulator: Emulator, chapter: Chapter) -> None:
    """List the project's members page by page, then all in one loop."""
    for number in range(1, 11):
        emulator.add_member(f"guest{number:02}@{project.id}.example", project_id=project.id)

    page = await project.members.list(page_size=5)
    seen = [member.id for member in page]
    while page.has_next:
        page = await project.members.list(page=page.page + 1, page_size=page.page_size)
        seen += [member.id for member in page]
    chapter.say(f"{page.total} members come on {page.page} pages of {page.page_size}")

    walked = [member.id async for member in project.members.iter(page_size=5)]
    chapter.say(f"members.iter() walks all {len(walked)} in one loop")
    chapter.check("both ways give the same members, each once", walked == seen and len(set(seen)) == page.total)


async def meet_tenant_refusal(project: AsyncProjectClient, role: ProjectRole, chapter: Chapter) -> None:
    """Run into an error, and see what it tells."""
    before = await project.iam.roles.list()
    try:
        await project.iam.roles.create(role.name, policy_ids=[policy.id for policy in role.policies or ()])
    except ConflictError as error:
        chapter.say(f"{type(error).__name__} {error.status} from {error.operation}:")
        chapter.say(f"  {error.message}")
        chapter.say(f"  outcome_unknown = {error.outcome_unknown}, so nothing was changed")
    else:
        raise NotReadBackError(f"a second role {role.name!r} was not refused")
    chapter.check("the roles are what they were", await project.iam.roles.list() == before)


# Telling it, and checking it ------------------------------------------------------------------------------------------


class NotReadBackError(Exception):
    """A step's effect is not what the server says afterwards."""


class Story:
    """What the demo says, what it made, and how much of it was read back."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.made: Counter[str] = Counter()
        self.checks = 0

    def say(self, text: str) -> None:
        """Write one line."""
        self._out.write(f"{text}\n")

    def part(self, title: str) -> None:
        """Begin a part of the day."""
        self.say(f"\n{title}\n{'=' * len(title)}")

    def chapter(self, title: str, tenant: str | None = None) -> Chapter:
        """Begin a chapter, of the organization's day or of a tenant's."""
        if tenant is None:
            self.say(f"\n{title}")
        return Chapter(self, title, tenant)

    def sum_up(self, seconds: float) -> None:
        """Write the summary."""
        self.part("Summary")
        for kind, count in self.made.items():
            self.say(f"{count:>4} {kind} created")
        self.say(f"{self.checks:>4} checks of what the server said afterwards: every effect was read back")
        self.say(f"The whole day took {seconds:.1f} seconds.")


class Chapter:
    """One step of the day. Those of several tenants are told at the same time, so that each line says whose it is."""

    def __init__(self, story: Story, title: str, tenant: str | None) -> None:
        self._story = story
        self._title = title
        self._tenant = tenant

    def say(self, text: str) -> None:
        """Tell what happens."""
        self._story.say(f"  {text}" if self._tenant is None else f"{self._tenant:<9} {self._title:<15} | {text}")

    def made(self, kind: str, text: str, *, count: int = 1) -> None:
        """Tell what was made, and count it."""
        self._story.made[kind] += count
        self.say(text)

    def check(self, effect: str, is_so: bool) -> None:
        """Count an effect that was read back; end the story if it was not."""
        if not is_so:
            place = self._title if self._tenant is None else f"{self._tenant}, {self._title}"
            raise NotReadBackError(f"({place}) the server does not say that {effect}")
        self._story.checks += 1
        if self._tenant is None:
            self.say(f"[ok] {effect}")


def masked(key: str) -> str:
    """Show the last 6 characters of a key, as the API itself does. No key is written in any other way."""
    return f"***{key[-6:]}"


def is_masked_form(shown: str, *, of: str) -> bool:
    """Whether ``shown`` is what the API shows of a key after its creation."""
    return shown != of and shown.strip("*") == of[-6:]


NamedT = TypeVar("NamedT", ApiKey, GovernancePolicy, OrganizationRole, Policy, ProjectRole)
WithEmailT = TypeVar("WithEmailT", OrganizationInvitation, OrganizationMember, ProjectInvitation, ProjectMember)


def named(items: Iterable[NamedT], name: str) -> NamedT:
    """Find the one with this name: the API's listings have no filter."""
    for item in items:
        if item.name == name:
            return item
    raise NotReadBackError(f"nothing is listed under the name {name!r}")


def with_email(people: Iterable[WithEmailT], email: str) -> WithEmailT:
    """Find the member, or the invitation, with this address."""
    for person in people:
        if person.email == email:
            return person
    raise NotReadBackError(f"nobody is listed under the address {email}")


if __name__ == "__main__":
    run(PROGRAM, main)
