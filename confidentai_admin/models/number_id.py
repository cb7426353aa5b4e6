"""Ids that are numbers."""

from __future__ import annotations

from typing import Annotated

#: An id that is a number, which a server may write as a text of digits.
NumberId = Annotated[int, "an integer, or a text of digits"]
