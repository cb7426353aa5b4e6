"""Measures one competitor once: ``python -m benchmarks.worker MEASURE COMPETITOR TARGET``, the last in JSON."""

from __future__ import annotations

import json
import sys

from .measures import MEASURES
from .target import Target


def main() -> None:
    """Print what was measured, as JSON."""
    name, competitor, target = sys.argv[1:]
    (measure,) = (measure for measure in MEASURES if measure.name == name)
    print(json.dumps(measure.run(competitor, Target(**json.loads(target)))))


if __name__ == "__main__":
    main()
