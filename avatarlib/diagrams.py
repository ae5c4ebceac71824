"""Diagrams of states and of what leads from one to the next, in the look of `avatarlib.figures`."""

from collections.abc import Mapping, Sequence

from avatarlib import figures


def states(
    places: Mapping[str, tuple[float, float]],
    steps: Sequence[tuple[str, str, str, str]],
    *,
    bends: Mapping[tuple[str, str], float] | None = None,
    width: float = 7.0,
    height: float = 4.2,
):
    """Return a figure of boxes (states) and labelled arrows (steps); the arrow's colour says who takes the step.

    Parameters
    ----------
    places
        State -> where its box lies, in units of the figure: 0 to 1 to the right, 0 to 1 upwards.
    steps
        (from, to, label, who); several from one state to another share an arrow where the same acts.
    bends
        (from, to) -> how far its arrow bows to the left of its way, as share of its length; 0.12 where not given.
    width, height
        Inches.

    Raises
    ------
    ValueError
        A step names a state that has no place.

    Examples
    --------
    >>> steps = [("off", "on", "switch", "you"), ("on", "off", "switch", "you")]
    >>> fig = states({"off": (0.2, 0.5), "on": (0.8, 0.5)}, steps)
    >>> [text.get_text() for text in fig.axes[0].texts if text.get_text()]
    ['switch', 'switch', 'off', 'on']
    """
    unknown = {state for step in steps for state in step[:2]} - set(places)
    if unknown:
        raise ValueError(f"no place for {', '.join(sorted(unknown))}")
    who = list(dict.fromkeys(step[3] for step in steps))
    palette = [figures.COLOURS[name] for name in ("blue", "red", "green", "purple", "orange", "black")]
    colour = {name: palette[n % len(palette)] for n, name in enumerate(who)}
    fig, axis = figures.new(width=width, height=height)
    axis.set(xlim=(0, 1), ylim=(0, 1))
    axis.axis("off")
    arrows: dict[tuple[str, str, str], list[str]] = {}
    for source, target, label, actor in steps:
        arrows.setdefault((source, target, actor), []).append(label)
    for (source, target, actor), labels in arrows.items():
        bend = (bends or {}).get((source, target), 0.12)
        _arrow(axis, places[source], places[target], bend, colour[actor], " / ".join(labels), width / height)
    for state, (x, y) in places.items():
        box = {
            "boxstyle": "round,pad=0.5",
            "facecolor": "white",
            "edgecolor": figures.COLOURS["black"],
            "linewidth": 1.2,
        }
        axis.text(x, y, state, ha="center", va="center", fontsize=9, bbox=box, zorder=4)
    for name in who:
        axis.plot([], [], color=colour[name], label=name)
    axis.legend(loc="lower center", ncols=len(who), fontsize=8, bbox_to_anchor=(0.5, -0.06))
    return fig


def _arrow(axis, start, end, bend: float, colour: str, label: str, aspect: float) -> None:
    """Draw an arrow with its label where it bows out most."""
    style = {"arrowstyle": "-|>", "color": colour, "shrinkA": 26, "shrinkB": 26, "linewidth": 1.3}
    axis.annotate("", end, start, arrowprops=style | {"connectionstyle": f"arc3,rad={bend}"}, zorder=2)
    (x0, y0), (x1, y1) = start, end
    across, up = (x1 - x0) * aspect, y1 - y0  # in units of the height: arc3 bends in display space
    # arc3's control point lies `bend` lengths off the middle, to the right of the way; the curve goes half as far.
    x, y = (x0 + x1) / 2 + bend * up / 2 / aspect, (y0 + y1) / 2 - bend * across / 2
    axis.text(
        x, y, label, ha="center", va="center", fontsize=7.5, color=colour, zorder=3,
        bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
