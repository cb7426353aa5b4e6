"""A local server of the whole Confident AI management API, for demos and for tests.

`Emulator` runs it inside a program; `python -m confidentai_admin.emulator` runs it as one. It has real state and real
rules, and it knows the contract by itself (`OPERATIONS`), apart from the client, so that it can catch the client's
mistakes.

Programs in other languages do what the methods of `Emulator` do by `POST /_emulator/<verb>` with a JSON body and no
key; answers come in the API's envelope:

| verb | body |
|---|---|
| `accept-invitation` | `invitationId`, optionally `name` |
| `decline-invitation` | `invitationId` |
| `add-member` | `email`, optionally `name`, `role`, `projectId`, `projectRole` (roles by name, null for none) |
| `create-governance-policy` | `name`, optionally `description`, `controls` (each with `name` and `type`) |
| `set-verdict` | `projectId`, `passed` (null for no data) |
| `change-plan` | `plan` |
| `reset` | none, or `{}` |
| `advance` | `seconds`, by which the clock is moved ahead |

Faults and recorded calls are for programs in Python only.

A test can make calls go wrong (`Emulator.faults`, with the kinds of the module `faults`), look at what was asked
(`Emulator.calls`), and move the time (`Emulator.clock`). SUPPORTED.md, beside this file, lists the rules and says which
are published and which are assumed; the statuses of the assumed ones can be changed (`Emulator(statuses=...)`).
"""

from . import faults
from ._contract.operation import Operation
from ._contract.v1 import OPERATIONS
from ._http.calls import RecordedCall
from .clock import Clock
from .refusal import Refused
from .seed import SeedError
from .server import Emulator

__all__ = ["OPERATIONS", "Clock", "Emulator", "Operation", "RecordedCall", "Refused", "SeedError", "faults"]
