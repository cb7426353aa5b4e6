"""Permissions, the same at both scopes."""

from __future__ import annotations

from .case import Case
from .samples import PERMISSIONS, PERMISSIONS_JSON, PROJECT_ID, PROJECT_SEGMENT

CASES = [
    Case(
        operation="listPermissions",
        call=lambda client: client.organization().iam.permissions.list(),
        method="GET",
        target="/v1/organization/permissions",
        data={"permissions": PERMISSIONS_JSON},
        result=PERMISSIONS,
    ),
    Case(
        operation="listProjectPermissions",
        call=lambda client: client.project(PROJECT_ID).iam.permissions.list(),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}/permissions",
        data={"permissions": PERMISSIONS_JSON},
        result=PERMISSIONS,
    ),
]
