"""The core: one class for each noun and scope. Everything here is written by hand; ``_sync`` is generated from it."""
