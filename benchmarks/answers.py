"""What the server says: made-up data in the API's shapes, always the same."""

from __future__ import annotations

import json
from typing import Any

MEMBERS = 10_000
PROJECTS = 5_000
PAGE_SIZE = 100

ORGANIZATION = {
    "organization": {
        "id": "clk3v9x2m0000qw8r5t1y7u4b",
        "name": "Example Industries",
        "plan": "ENTERPRISE",
        "created_at": "2024-03-18T09:41:27.318Z",
    }
}


def to_json(value: object) -> bytes:
    """JSON without blanks, as the API's own server writes it."""
    return json.dumps(value, separators=(",", ":")).encode()


def envelope(data: object) -> bytes:
    """The body of a successful answer."""
    return to_json({"success": True, "data": data, "link": None, "deprecated": False})


def response(body: bytes) -> bytes:
    """A whole response of HTTP/1.1, with the headers that clients look at."""
    return (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: %d\r\n"
        b"Date: Mon, 05 Jan 2026 10:00:00 GMT\r\n"
        b"X-Request-Id: 7d0c2a51-6f0b-4a7e-9d0b-2f5a3c1e8b64\r\n"
        b"\r\n%b" % (len(body), body)
    )


def member(number: int) -> dict[str, Any]:
    """One of the organization's members."""
    return {
        "id": f"clm{number:06}x2m0000qw8r5t1y7",
        "email": f"first.last.{number}@example.com",
        "name": f"First Last {number}",
        "image": None if number % 3 else f"https://images.example.com/avatars/{number}.png",
        "organizationRole": {"id": f"5b1f7a90-3c6d-4e8f-9a0b-00000000000{number % 4}", "name": "Member"},
    }


def members(page: int) -> dict[str, Any]:
    """The data of one page of the members, from 1."""
    first = (page - 1) * PAGE_SIZE
    return {"members": [member(number) for number in range(first, min(first + PAGE_SIZE, MEMBERS))], "total": MEMBERS}


def project_id(number: int) -> str:
    """The id of a project."""
    return f"clp{number:06}v9x0000qw8r5t1y7"


def project(number: int, name: str | None = None, description: str | None = None) -> dict[str, Any]:
    """One of the organization's projects."""
    governed = {"id": "0d9a7f1c-52b4-4c3e-8f6a-1b2c3d4e5f60", "name": "Customer-facing"}
    return {
        "id": project_id(number),
        "name": name or f"tenant {number}",
        "description": description,
        "organizationId": ORGANIZATION["organization"]["id"],
        "created_at": f"2025-{number % 12 + 1:02}-{number % 28 + 1:02}T{number % 24:02}:15:42.{number % 1000:03}Z",
        "governancePolicy": governed if number % 2 else None,
    }


def projects() -> dict[str, Any]:
    """The data of the list of all projects."""
    return {
        "projects": [
            project(number, description=f"The assistant of tenant {number}, made on sign-up")
            for number in range(PROJECTS)
        ]
    }


def api_key(number: int, name: str, value: str, *, valid: bool = True) -> dict[str, Any]:
    """An API key of a project."""
    created = f"2026-01-05T{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}.{number % 1000:03}Z"
    return {"id": number, "name": name, "valid": valid, "value": value, "created_at": created, "lastUsed": None}


def model(name: str) -> dict[str, Any]:
    """What the ``openai`` client asks for, about as long as an organization or a member."""
    return {"id": name, "object": "model", "created": 1_710_754_887, "owned_by": "organization-example-industries"}


def prepared() -> dict[str, bytes]:
    """The responses that never change, by their target."""
    found = {
        "/v1/organization": response(envelope(ORGANIZATION)),
        "/v1/projects": response(envelope(projects())),
        "/v1/models/x": response(to_json(model("x"))),
        "/v1/models": response(to_json({"object": "list", "data": [model(f"model-{n}") for n in range(PAGE_SIZE)]})),
    }
    for page in range(1, MEMBERS // PAGE_SIZE + 2):  # the last one is empty: full pages are no end
        found[f"/v1/organization/members?page={page}&pageSize={PAGE_SIZE}"] = response(envelope(members(page)))
    return found
