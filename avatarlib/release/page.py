"""The report as one HTML page that needs nothing else: readable offline, printable, every text from data escaped."""

import base64
import io
from importlib.resources import files


def percent(share: dict) -> str:
    """Write a share with its count and 95 % interval, for instance "2.0 % (1 of 50; 95 % interval 0.1–10.6 %)".

    Examples
    --------
    >>> percent({"hits": 1, "n": 50, "share": 0.02, "interval": [0.00051, 0.1065]})
    '2.0 % (1 of 50; 95 % interval 0.1–10.6 %)'
    >>> percent({"hits": 0, "n": 0, "share": None, "interval": [0.0, 1.0]})
    'not measured (n = 0)'
    """
    if share["n"] == 0:
        return "not measured (n = 0)"
    low, high = share["interval"]
    return f"{share['share']:.1%} ({share['hits']} of {share['n']}; 95 % interval {low:.1%}–{high:.1%})".replace(
        "%–", "–"
    ).replace("%", " %").replace("95  %", "95 %")


def number(value: float | None) -> str:
    """Write a threshold; None is an infinite one."""
    return "∞ (everything is flagged)" if value is None else f"{value:.3f}"


def page(result) -> str:
    """Return the report of a `Check` as HTML."""
    from jinja2 import Environment, StrictUndefined

    from avatarlib import figures

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": percent, "number": number}
    template = environment.from_string((files("avatarlib.release") / "report.html.j2").read_text(encoding="utf-8"))
    judgement = result.judgement
    figure = figures.cone_plane(
        judgement.threshold,
        judgement.numbers["b"],
        {"candidates": judgement.scores, "held-out persons": judgement.sets["new"], "transformed originals": judgement.sets["test"]},
    )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    picture = base64.b64encode(buffer.getvalue()).decode()
    rows = [
        {"number": i + 1, "verdict": row.verdict.replace("_", " "), "nearest": row.nearest_original, "score": row.score, "reason": row.reason}
        for i, row in enumerate(result.verdicts.itertuples(index=False))
        if row.verdict != "pass"
    ]
    return template.render(r=result.report, picture=picture, rows=rows[:1000], hidden=max(0, len(rows) - 1000))
