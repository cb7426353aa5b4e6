"""Administer a Confident AI organization from Python."""
