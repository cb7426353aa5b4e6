"""The cases as the API's second version has them: the same calls and results, said and answered in its own way."""

from __future__ import annotations

from typing import Any

import attrs

from confidentai_admin import ApiKey, CreatedProject, GovernancePolicy, OrganizationInvitation, ProjectInvitation

from .case import Case
from .samples import CREATED, CREATED_AT, MASKED_KEY, USED, USED_AT

#: What the first version puts around a single object, and the second does not.
WRAPPERS = {"organization", "project", "apiKey", "member", "invitation", "role", "policy"}

#: What counts a list of which the answer is a page.
TOTALS = {
    "listMembers": "totalOrganizationMembers",
    "listProjectMembers": "totalProjectMembers",
    "listGovernancePolicyProjects": "totalGovernancePolicyProjects",
}

#: What a full answer has more, by a field that only such a one has.
MORE: dict[str, dict[str, Any]] = {
    "lastUsed": {"expiresAt": USED, "shadowValue": MASKED_KEY, "rotatesAt": CREATED},
    "organizationRoleId": {"token": "a-token"},
    "projectRoleId": {"token": "a-token"},
    "projectsCount": {"isBasePolicy": True},
}


def in_v2(case: Case) -> Case:
    """A case, which is of the first version, as one of the second."""
    assert case.target.startswith("/v1/")
    return attrs.evolve(
        case, target=f"/v2/{case.target.removeprefix('/v1/')}", data=_data_in_v2(case), result=_with_more(case.result)
    )


def _data_in_v2(case: Case) -> Any:
    data: Any = _with_more_fields(case.data)
    if len(data) == 1 and (name := next(iter(data))) in WRAPPERS and case.operation != "createProject":
        return data[name]
    if case.operation in TOTALS:
        items = {name: value for name, value in data.items() if name != "total"}
        return {**items, TOTALS[case.operation]: data["total"], "page": 1, "pageSize": 25}
    return {name: value for name, value in data.items() if name not in ("deleted", "removed")}


def _with_more_fields(data: Any) -> Any:
    if isinstance(data, list):
        return [_with_more_fields(each) for each in data]
    if not isinstance(data, dict):
        return data
    more = [fields for name, fields in MORE.items() if name in data]
    return {name: _with_more_fields(value) for name, value in data.items()} | (more[0] if more else {})


def _with_more(result: Any) -> Any:
    if isinstance(result, list):
        return [_with_more(each) for each in result]
    if isinstance(result, CreatedProject):
        return attrs.evolve(result, api_key=_with_more(result.api_key))
    if isinstance(result, ApiKey) and result.name is not None:
        return attrs.evolve(result, expires_at=USED_AT, shadow_value=MASKED_KEY, rotates_at=CREATED_AT)
    if isinstance(result, OrganizationInvitation) and result.organization_role_id is not None:
        return attrs.evolve(result, token="a-token")
    if isinstance(result, ProjectInvitation) and result.project_role_id is not None:
        return attrs.evolve(result, token="a-token")
    return attrs.evolve(result, is_base_policy=True) if isinstance(result, GovernancePolicy) else result
