"""Measures one competitor once: ``python -m benchmarks.worker MEASURE COMPETITOR TARGET``, the last in JSON."""

from __future__ import annotations

import json
import os
import sys
import threading

from .measures import MEASURES
from .target import Target

_LONGEST = 180.0  # seconds


def main() -> None:
    """Print what was measured, as JSON."""
    # The vendor's client tries for ever to reach a server that is gone, as when the whole run was killed.
    limit = threading.Timer(_LONGEST, os._exit, (1,))
    limit.daemon = True
    limit.start()
    name, competitor, target = sys.argv[1:]
    (measure,) = (measure for measure in MEASURES if measure.name == name)
    print(json.dumps(measure.run(competitor, Target(**json.loads(target)))))


if __name__ == "__main__":
    main()
