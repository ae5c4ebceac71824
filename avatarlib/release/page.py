"""The report as one HTML page that needs nothing else: readable offline, printable, every text from data escaped."""

import base64
import math
from collections.abc import Sequence
from importlib.resources import files

import pandas as pd

LISTED = 1000  # rows on the page; verdicts.csv has them all


def percent(share: dict) -> str:
    """Write a share with its count and 95 % interval, for instance "2.0 % (1 of 50; 95 % interval 0.1–10.7 %)".

    Examples
    --------
    >>> percent({"hits": 1, "n": 50, "share": 0.02, "interval": [0.00051, 0.1066]})
    '2.0 % (1 of 50; 95 % interval 0.1–10.7 %)'
    >>> percent({"hits": 0, "n": 0, "share": None, "interval": [0.0, 1.0]})
    'not measured (n = 0)'
    """
    if share["n"] == 0:
        return "not measured (n = 0)"
    low, high = share["interval"]
    return (
        f"{share['share']:.1%} ({share['hits']} of {share['n']}; 95 % interval {low:.1%}–{high:.1%})".replace("%–", "–")
        .replace("%", " %")
        .replace("95  %", "95 %")
    )


def number(value: float | None) -> str:
    """Write a threshold; None is an infinite one."""
    return "∞ (everything is flagged)" if value is None else f"{value:.3f}"


def page(report: dict, verdicts: pd.DataFrame, plane: dict, sentences: Sequence[str] = ()) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    report, verdicts
        As in `avatarlib.release.Check`.
    plane
        Name -> `avatarlib.cone.score.Scores` of the points to draw.
    sentences
        A decision to begin the page with.
    """
    from jinja2 import Environment, StrictUndefined

    from avatarlib import figures

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "number": number}
    template = environment.from_string((files("avatarlib.release") / "report.html.j2").read_text(encoding="utf-8"))
    threshold = math.inf if report["tau"] is None else report["tau"]
    picture = base64.b64encode(figures.png(figures.cone_plane(threshold, report["b"], plane))).decode()
    stopped = verdicts[verdicts.verdict != "pass"]
    rows = [(i + 1, row) for i, row in zip(stopped.index[:LISTED], stopped.itertuples(index=False), strict=False)]
    return template.render(
        r=report, sentences=sentences, picture=picture, rows=rows, hidden=max(0, len(stopped) - LISTED)
    )
