"""What became of the people who were to be invited."""

from __future__ import annotations

import attrs

from .invitation import Invitation
from .member import Member
from .report import Report


@attrs.frozen
class Onboarding(Report[str, Invitation | Member]):
    """What ``invitations.ensure`` did: an outcome for each address that was given, in order.

    An outcome's ``item`` is the address as it was given, and ``result`` the invitation or the member that the address
    has now, or ``None``.
    """
