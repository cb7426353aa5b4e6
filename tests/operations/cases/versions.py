"""The cases as the API's second version has them: the same calls and results, said and answered in its own way."""

from __future__ import annotations

from typing import Any

import attrs

from .case import Case

#: What the first version puts around a single object, and the second does not.
WRAPPERS = {"organization", "project", "apiKey", "member", "invitation", "role", "policy"}

#: What counts a list of which the answer is a page.
TOTALS = {
    "listMembers": "totalOrganizationMembers",
    "listProjectMembers": "totalProjectMembers",
    "listGovernancePolicyProjects": "totalGovernancePolicyProjects",
}


def in_v2(case: Case) -> Case:
    """A case, which is of the first version, as one of the second."""
    assert case.target.startswith("/v1/")
    return attrs.evolve(case, target=f"/v2/{case.target.removeprefix('/v1/')}", data=_data_in_v2(case))


def _data_in_v2(case: Case) -> Any:
    data: Any = case.data
    if len(data) == 1 and (name := next(iter(data))) in WRAPPERS and case.operation != "createProject":
        return data[name]
    if case.operation in TOTALS:
        items = {name: value for name, value in data.items() if name != "total"}
        return {**items, TOTALS[case.operation]: data["total"], "page": 1, "pageSize": 25}
    return {name: value for name, value in data.items() if name not in ("deleted", "removed")}
