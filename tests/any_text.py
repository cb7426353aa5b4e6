"""Any text, for properties."""

from __future__ import annotations

from hypothesis import strategies as st

_CHARACTERS = st.characters(exclude_categories=["Cs"])


def any_text(*, min_size: int = 0, max_size: int | None = None) -> st.SearchStrategy[str]:
    """What ``st.text()`` gives, which in a fresh clone first takes seconds to find what UTF-8 can say."""
    return st.text(_CHARACTERS, min_size=min_size, max_size=max_size)
