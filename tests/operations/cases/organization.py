"""The organization itself."""

from __future__ import annotations

from .case import Case
from .samples import ORGANIZATION, ORGANIZATION_JSON

CASES = [
    Case(
        operation="getOrganization",
        call=lambda client: client.organization().get(),
        method="GET",
        target="/v1/organization",
        data={"organization": ORGANIZATION_JSON},
        result=ORGANIZATION,
    ),
    Case(
        operation="updateOrganization",
        call=lambda client: client.organization().update(name="Acme Ltd."),
        method="PUT",
        target="/v1/organization",
        body={"name": "Acme Ltd."},
        data={"organization": ORGANIZATION_JSON},
        result=ORGANIZATION,
    ),
]
