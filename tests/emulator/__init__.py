"""Tests of the emulator, from outside over HTTP and from inside by its rules."""
