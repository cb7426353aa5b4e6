"""Random sequences of calls and faults, and a simple model that says what may be true after each of them."""
