"""What the processor is worth: a fixed piece of work again and again, as a process of its own.

    python -m benchmarks.gauge

A line of output for each piece: when it ended (seconds since 1970), and the microseconds of processor time it took. On
a machine with other work, or with cores that share their caches and units, this changes from second to second, and the
processor time of everything else changes with it.
"""

import time
from pathlib import Path

PAUSE_SECONDS = 0.1
_NUMBERS = 30_000


def piece() -> int:
    """Some ten milliseconds of what Python programs do: look up, make and forget small objects."""
    seen: dict[int, str] = {}
    for number in range(_NUMBERS):
        seen[number % 3_001] = str(number)
    return len(seen)


def mean_cost(output: Path, begin: float, end: float) -> float:
    """Microseconds a piece took on average between two times (seconds since 1970)."""
    costs = [
        float(cost)
        for at, cost in (line.split() for line in output.read_text().splitlines() if line.count(" ") == 1)
        if begin <= float(at) <= end
    ]
    if not costs:
        raise ValueError("the gauge measured nothing in that time")
    return sum(costs) / len(costs)


def main() -> None:
    """Until the process is ended."""
    while True:
        begun = time.process_time()
        piece()
        print(f"{time.time():.3f} {(time.process_time() - begun) * 1e6:.0f}", flush=True)
        time.sleep(PAUSE_SECONDS)


if __name__ == "__main__":
    main()
