"""The cases on the wire, one table for each noun."""

from __future__ import annotations

from . import api_keys, governance, invitations, members, organization, permissions, policies, projects, roles

CASES = [
    *organization.CASES,
    *projects.CASES,
    *api_keys.CASES,
    *members.CASES,
    *invitations.CASES,
    *permissions.CASES,
    *policies.CASES,
    *roles.CASES,
    *governance.CASES,
]
