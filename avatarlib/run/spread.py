"""Repeated measurements in four numbers."""

import statistics


def spread(values: list[float]) -> dict[str, float]:
    """Return median, minimum, maximum and number of `values`.

    Examples
    --------
    >>> spread([3.0, 1.0, 2.0])
    {'median': 2.0, 'min': 1.0, 'max': 3.0, 'n': 3}
    """
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "n": len(values)}
