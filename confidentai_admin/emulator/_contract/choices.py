"""The words of the API's closed lists: what the world can be, whichever version shows it."""

from typing import Final

PLANS: Final = ("TRIAL", "FREE", "STARTER", "TEAM", "PREMIUM", "ENTERPRISE")
INVITATION_STATUSES: Final = ("PENDING", "ACCEPTED", "DECLINED")
CONTROL_TYPES: Final = ("RUNTIME", "PRE_DEPLOYMENT_EVALS", "PRE_DEPLOYMENT_RED_TEAMING", "OPERATIONAL")
