"""The blocking side of a client: an event loop in a thread of ours, calls into it, and what ends them early."""
