"""API keys, the same at both scopes."""

from __future__ import annotations

from collections.abc import Callable

from confidentai_admin import ConfidentAI, DeletionResult, OrganizationClient, ProjectClient

from .case import Case
from .samples import (
    API_KEY_ID,
    BARE_KEY,
    BARE_KEY_JSON,
    NEW_KEY,
    NEW_KEY_JSON,
    PROJECT_ID,
    PROJECT_SEGMENT,
    USED_KEY,
    USED_KEY_JSON,
)


def _cases(scope: str, root: str, of: Callable[[ConfidentAI], OrganizationClient | ProjectClient]) -> list[Case]:
    return [
        Case(
            operation=f"list{scope}ApiKeys",
            call=lambda client: of(client).api_keys.list(),
            method="GET",
            target=f"{root}/api-keys",
            data={"apiKeys": [USED_KEY_JSON, BARE_KEY_JSON]},
            result=[USED_KEY, BARE_KEY],
        ),
        Case(
            operation=f"get{scope}ApiKey",
            call=lambda client: of(client).api_keys.get(API_KEY_ID),
            method="GET",
            target=f"{root}/api-keys/4711",
            data={"apiKey": USED_KEY_JSON},
            result=USED_KEY,
        ),
        Case(
            operation=f"create{scope}ApiKey",
            call=lambda client: of(client).api_keys.create("CI"),
            method="POST",
            target=f"{root}/api-keys",
            body={"name": "CI"},
            data={"apiKey": NEW_KEY_JSON},
            result=NEW_KEY,
        ),
        Case(
            operation=f"update{scope}ApiKey",
            call=lambda client: of(client).api_keys.update(API_KEY_ID, valid=False, allow_self=True),
            method="PUT",
            target=f"{root}/api-keys/4711",
            body={"valid": False},
            data={"apiKey": USED_KEY_JSON},
            result=USED_KEY,
        ),
        Case(
            operation=f"update{scope}ApiKey",
            call=lambda client: of(client).api_keys.update(API_KEY_ID, valid=True),
            method="PUT",
            target=f"{root}/api-keys/4711",
            body={"valid": True},
            data={"apiKey": BARE_KEY_JSON},
            result=BARE_KEY,
            variant="activates",
        ),
        Case(
            operation=f"delete{scope}ApiKey",
            call=lambda client: of(client).api_keys.delete(API_KEY_ID, allow_self=True),
            method="DELETE",
            target=f"{root}/api-keys/4711",
            data={"id": API_KEY_ID, "deleted": True},
            result=DeletionResult(API_KEY_ID, deleted=True),
        ),
    ]


CASES = [
    *_cases("Organization", "/v1/organization", lambda client: client.organization()),
    *_cases("Project", f"/v1/projects/{PROJECT_SEGMENT}", lambda client: client.project(PROJECT_ID)),
    Case(
        operation="updateProjectApiKey",
        call=lambda client: client.project(PROJECT_ID).api_keys.update(API_KEY_ID, valid=False),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}/api-keys/4711",
        body={"valid": False},
        data={"apiKey": USED_KEY_JSON},
        result=USED_KEY,
        variant="without options",
    ),
    Case(
        operation="deleteProjectApiKey",
        call=lambda client: client.project(PROJECT_ID).api_keys.delete(API_KEY_ID),
        method="DELETE",
        target=f"/v1/projects/{PROJECT_SEGMENT}/api-keys/4711",
        data={"id": API_KEY_ID, "deleted": True},
        result=DeletionResult(API_KEY_ID, deleted=True),
        variant="without options",
    ),
]
