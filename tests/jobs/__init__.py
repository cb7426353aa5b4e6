"""The administrator's jobs, each of several calls, on the emulator."""
