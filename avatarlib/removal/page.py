"""Reports as one HTML page that needs nothing else; every text from data escaped, no name of a read or file in it."""

import base64
from importlib.resources import files

from avatarlib.release.page import percent


def page(template: str, pictures: dict[str, bytes], **values) -> str:
    """Return a page.

    Parameters
    ----------
    template
        Name of a template of this package, such as "report.html.j2".
    pictures
        Name -> PNG bytes; the template gets them as data.
    values
        What else it uses.
    """
    from jinja2 import DictLoader, Environment, StrictUndefined

    names = ("base.html.j2", template)
    sources = {name: (files("avatarlib.removal") / name).read_text(encoding="utf-8") for name in names}
    environment = Environment(
        loader=DictLoader(sources), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = percent
    data = {name: base64.b64encode(picture).decode() for name, picture in pictures.items()}
    return environment.get_template(template).render(pictures=data, **values)


def score_picture(scores: dict | None, threshold: float) -> dict[str, bytes]:
    """Return the histogram of scores, or nothing where a tool has none."""
    if scores is None:
        return {}
    import numpy as np

    from avatarlib import figures

    bins = len(scores["kept"])
    middle = (np.arange(bins) + 0.5) / bins
    fig, axis = figures.new(width=6, height=2.6)
    below = np.zeros(bins)
    for name, colour in (("kept", "blue"), ("removed", "orange")):
        several = np.array(scores[name], float)
        axis.bar(middle, several, width=0.9 / bins, bottom=below, color=figures.COLOURS[colour], label=name)
        below += several
    axis.set_yscale("symlog", linthresh=10)
    axis.set(xlabel=f"score (threshold {threshold:g})", ylabel="molecules (logarithmic)", xlim=(0, 1))
    axis.legend()
    return {"scores": _closed(fig)}


def comparison_picture(rows: list[dict], truth: bool) -> dict[str, bytes]:
    """Return removers against each other: what they miss and take wrongly, or without truth how much they remove."""
    from avatarlib import figures

    fig, axis = figures.new(width=6.5, height=0.6 + 0.35 * len(rows))
    place = range(len(rows))
    if truth:
        for key, colour, name in (
            ("missed", "red", "human molecules missed"),
            ("false removals", "blue", "others lost"),
        ):
            shown = [row[key] for row in rows]
            share = [100 * (one["share"] or 0) for one in shown]
            arms = [[max(0, s - 100 * one["interval"][0]) for s, one in zip(share, shown, strict=True)]]
            arms += [[max(0, 100 * one["interval"][1] - s) for s, one in zip(share, shown, strict=True)]]
            colour = figures.COLOURS[colour]
            axis.errorbar(share, place, xerr=arms, fmt="o", ms=4, capsize=3, color=colour, label=name)
        axis.set_xscale("symlog", linthresh=0.1)
        axis.set(xlabel="% of them (95 % intervals)", xlim=(0, 100))
        axis.legend(fontsize=7)
    else:
        axis.barh(list(place), [100 * row["removed share"] for row in rows], color=figures.COLOURS["blue"])
        axis.set(xlabel="% of molecules that are removed")
    axis.set_yticks(list(place), [row["remover"] for row in rows])
    axis.invert_yaxis()
    return {"comparison": _closed(fig)}


def _closed(fig) -> bytes:
    from matplotlib import pyplot

    from avatarlib import figures

    data = figures.png(fig)
    pyplot.close(fig)
    return data
