"""The world and its rules: what an operation does, as functions that give records. No HTTP, and no version."""
