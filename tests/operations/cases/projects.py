"""Projects."""

from __future__ import annotations

from confidentai_admin import CreatedProject, DeletionResult

from .case import Case
from .samples import (
    BARE_PROJECT,
    BARE_PROJECT_JSON,
    NEW_KEY,
    NEW_KEY_JSON,
    PROJECT,
    PROJECT_ID,
    PROJECT_JSON,
    PROJECT_SEGMENT,
)

CASES = [
    Case(
        operation="listProjects",
        call=lambda client: client.projects.list(),
        method="GET",
        target="/v1/projects",
        data={"projects": [PROJECT_JSON, BARE_PROJECT_JSON]},
        result=[PROJECT, BARE_PROJECT],
    ),
    Case(
        operation="createProject",
        call=lambda client: client.projects.create(
            "Checkout", description="Takes the money in € and ¥", email="mia@acme.example"
        ),
        method="POST",
        target="/v1/projects",
        body={"name": "Checkout", "description": "Takes the money in € and ¥", "email": "mia@acme.example"},
        data={"project": PROJECT_JSON, "apiKey": NEW_KEY_JSON},
        result=CreatedProject(PROJECT, NEW_KEY),
    ),
    Case(
        operation="createProject",
        variant="without description and email",
        call=lambda client: client.projects.create("Bare"),
        method="POST",
        target="/v1/projects",
        body={"name": "Bare"},
        data={"project": BARE_PROJECT_JSON},
        result=CreatedProject(BARE_PROJECT, None),
    ),
    Case(
        operation="getProject",
        call=lambda client: client.project(PROJECT_ID).get(),
        method="GET",
        target=f"/v1/projects/{PROJECT_SEGMENT}",
        data={"project": PROJECT_JSON},
        result=PROJECT,
    ),
    Case(
        operation="updateProject",
        call=lambda client: client.project(PROJECT_ID).update(name="Checkout", description="Takes the money"),
        method="PUT",
        target=f"/v1/projects/{PROJECT_SEGMENT}",
        body={"name": "Checkout", "description": "Takes the money"},
        data={"project": PROJECT_JSON},
        result=PROJECT,
    ),
    Case(
        operation="updateProject",
        variant="without name",
        call=lambda client: client.project("prj-2").update(description=""),
        method="PUT",
        target="/v1/projects/prj-2",
        body={"description": ""},
        data={"project": BARE_PROJECT_JSON},
        result=BARE_PROJECT,
    ),
    Case(
        operation="updateProject",
        variant="without description",
        call=lambda client: client.project("prj-2").update(name="Bare"),
        method="PUT",
        target="/v1/projects/prj-2",
        body={"name": "Bare"},
        data={"project": BARE_PROJECT_JSON},
        result=BARE_PROJECT,
    ),
    Case(
        operation="updateProject",
        variant="without name and description",
        call=lambda client: client.project("prj-2").update(),
        method="PUT",
        target="/v1/projects/prj-2",
        body={},
        data={"project": BARE_PROJECT_JSON},
        result=BARE_PROJECT,
    ),
    Case(
        operation="deleteProject",
        call=lambda client: client.project(PROJECT_ID).delete(),
        method="DELETE",
        target=f"/v1/projects/{PROJECT_SEGMENT}",
        data={"id": PROJECT_ID, "deleted": True},
        result=DeletionResult(PROJECT_ID, deleted=True),
    ),
]
