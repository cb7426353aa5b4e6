"""What each operation means: pure functions that make a call of arguments. No I/O, and no version."""
