"""How long this client takes, beside the least that it could and beside other clients: ``python -m benchmarks``."""
