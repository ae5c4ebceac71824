"""One look for every figure: fonts, colours that colour-blind readers can tell apart, galleries, reproducible PNGs."""

import io
from collections.abc import Mapping, Sequence

import numpy as np

# Okabe & Ito (2008), "Color Universal Design": told apart with every common colour blindness.
COLOURS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
STYLE = {
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e5e5e5",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "svg.hashsalt": "avatar",
}
PNG_DPI = 130


def use_style() -> None:
    """Give matplotlib the look of these notebooks; `runlog.start` calls it.

    Examples
    --------
    >>> use_style()
    >>> import matplotlib
    >>> matplotlib.rcParams["axes.grid"]
    True
    """
    import matplotlib

    matplotlib.rcParams.update(STYLE)
    matplotlib.rcParams["axes.prop_cycle"] = matplotlib.cycler(color=list(COLOURS.values()))


def new(rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.2, **options):
    """Return `(figure, axes)` as `matplotlib.pyplot.subplots` does, in the look of these notebooks.

    Parameters
    ----------
    rows, columns
        Number of axes.
    width, height
        Size of the whole figure in inches; 7 inches fill a notebook's column.
    options
        Passed on to `matplotlib.pyplot.subplots`.

    Examples
    --------
    >>> fig, ax = new(width=5, height=2)
    >>> fig.get_size_inches().tolist()
    [5.0, 2.0]
    """
    from matplotlib import pyplot

    use_style()
    return pyplot.subplots(rows, columns, figsize=(width, height), **options)


def gallery(
    images: Sequence[np.ndarray] | np.ndarray,
    labels: Sequence[str] | None = None,
    *,
    columns: int = 6,
    cell: float = 1.15,
    row_labels: Sequence[str] | None = None,
):
    """Return a figure that shows images side by side, row by row, each as it is (0 is black, 255 is white).

    Parameters
    ----------
    images
        n images, uint8, (h, w) grey or (h, w, 3) RGB; sizes may differ.
    labels
        n short texts above the images.
    columns
        Images in a row, at least 1.
    cell
        Width of one image in inches.
    row_labels
        One text for each row, left of it.

    Raises
    ------
    ValueError
        Where there is no image, or the number of labels differs from the number of images or rows.

    Examples
    --------
    >>> fig = gallery(np.zeros((5, 8, 8), np.uint8), columns=3)
    >>> len(fig.axes)
    6
    """
    if len(images) == 0:
        raise ValueError("a gallery needs at least one image")
    if labels is not None and len(labels) != len(images):
        raise ValueError(f"{len(images)} images but {len(labels)} labels")
    rows = -(-len(images) // columns)
    if row_labels is not None and len(row_labels) != rows:
        raise ValueError(f"{rows} rows but {len(row_labels)} row labels")
    tallest = max(image.shape[0] / image.shape[1] for image in images)
    margin = 0.22 if labels is not None else 0.04
    fig, axes = new(
        rows, columns, width=columns * cell + (0.9 if row_labels is not None else 0),
        height=rows * (cell * tallest + margin), squeeze=False,
    )  # fmt: skip
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
        for spine in axis.spines.values():
            spine.set_visible(False)
    for index, image in enumerate(images):
        axis = axes.flat[index]
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        if labels is not None:
            axis.set_title(labels[index], fontsize=7, loc="center", pad=2)
    for index, text in enumerate(row_labels or ()):
        axes[index, 0].set_ylabel(text, rotation=0, ha="right", va="center", fontsize=8)
    return fig


def interval(axis, x, estimate, low, high, *, label: str | None = None, colour=COLOURS["blue"], **options) -> None:
    """Draw estimates with their intervals (all in data units, each low <= estimate <= high) on `axis`.

    Examples
    --------
    >>> fig, ax = new()
    >>> interval(ax, [0, 1], [0.5, 0.7], [0.4, 0.6], [0.6, 0.8], label="recall")
    """
    estimate = np.asarray(estimate, float)
    arms = np.maximum([estimate - low, np.asarray(high, float) - estimate], 0)
    axis.errorbar(x, estimate, yerr=arms, fmt="o", ms=4, capsize=3, color=colour, label=label, **options)


def png(fig) -> bytes:
    """Return the figure as PNG bytes that depend on nothing but the figure: no date, no software version.

    Examples
    --------
    >>> fig, ax = new()
    >>> png(fig) == png(fig)
    True
    """
    buffer = io.BytesIO()
    fig.savefig(buffer, format="png", dpi=PNG_DPI, metadata={"Software": None})
    return buffer.getvalue()


def cone_plane(threshold: float, b: float, sets: Mapping, *, width: float = 7.0, height: float = 4.0):
    """Return a figure of distance against local scale with the cone's boundary d = τ·ρ^b.

    Parameters
    ----------
    threshold
        τ; an infinite one has no boundary to draw.
    b
        The rule's exponent.
    sets
        Name -> `avatarlib.cone.score.Scores`; what can't be judged is left out. Drawn in this order, the last below.

    Examples
    --------
    >>> from avatarlib.cone.score import Scores
    >>> one = Scores(np.array([0]), np.array([0.5]), np.array([1.0]), np.array([0.5]))
    >>> fig = cone_plane(0.7, 1.0, {"candidates": one})
    >>> fig.axes[0].get_ylabel()
    'distance d to the nearest original'
    """
    fig, axis = new(width=width, height=height)
    colours = [COLOURS[name] for name in ("black", "blue", "orange", "purple", "green")]
    widest = 0.0
    for order, (name, scores) in enumerate(sets.items()):
        seen = np.isfinite(scores.score)
        widest = max(widest, *scores.scale[seen], 0.0)
        axis.scatter(
            scores.scale[seen], scores.distance[seen], s=9, alpha=0.7, linewidths=0, color=colours[order % 5],
            label=f"{name} (n = {seen.sum()})", zorder=5 - order,
        )  # fmt: skip
    if np.isfinite(threshold):
        line = np.linspace(0, 1.08 * widest, 100)
        axis.plot(line, threshold * line**b, color=COLOURS["red"], label=f"boundary: τ = {threshold:.2f}", zorder=6)
        axis.fill_between(line, 0, threshold * line**b, color=COLOURS["red"], alpha=0.08, linewidth=0)
    axis.set(xlabel="local scale ρ of that original", ylabel="distance d to the nearest original")
    axis.set_xlim(left=0)
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)
    return fig


def pileup(pile, *, width: float = 7.0, row: float = 0.05, surest: int = 30):
    """Return a figure of reads over reference columns: colour says why a base is there, paleness how unsure it is.

    Parameters
    ----------
    pile
        An `avatarlib.reads.pileup.Pileup`.
    width, row
        Inches: of the figure, and the height of one read.
    surest
        Stated quality (Phred) from which on colours are full.

    Examples
    --------
    >>> import pandas as pd
    >>> from avatarlib.reads.pileup import ERROR, Pileup
    >>> reads = pd.DataFrame({"donor": ["a"], "haplotype": [1]})
    >>> acgt, cause = np.frombuffer(b"ACGT", np.uint8), np.array([[0, 0, ERROR, 0]], np.uint8)
    >>> pile = Pileup("chr1", np.arange(4), np.zeros(4, int), acgt, acgt[None], np.full((1, 4), 30), cause, reads)
    >>> [len(axis.collections) for axis in pileup(pile).axes]
    [3, 2]
    """
    rows, columns = pile.base.shape
    heights = [rows * row, 0.6]
    fig, (axis, key) = new(2, 1, width=width, height=sum(heights) + 0.9, gridspec_kw={"height_ratios": heights})
    y, x = np.nonzero(pile.base)
    none = np.isin(pile.base[y, x], (ord("-"), ord(" ")))
    _tiles(axis, x, y, pile.cause[y, x], np.where(none, 1.0, pile.quality[y, x] / surest), np.where(none, 0.3, 0.9))
    group = pile.reads.donor.astype(str) + "\nhaplotype " + pile.reads.haplotype.astype(str)
    first = np.flatnonzero(group.ne(group.shift()))
    axis.set_yticks((first + np.append(first[1:], rows) - 1) / 2, group.iloc[first], fontsize=7)
    axis.hlines(first[1:] - 0.5, -0.5, columns - 0.5, color=COLOURS["black"], lw=0.6)
    ticks = np.flatnonzero((pile.inserted == 0) & ((pile.position + 1) % 20 == 0))
    axis.set_xticks(ticks, [f"{place:,}" for place in pile.position[ticks] + 1], fontsize=7)
    axis.set(xlim=(-0.5, columns - 0.5), ylim=(rows - 0.5, -0.5))
    axis.set_xlabel(f"position on {pile.contig} (bases)", fontsize=8)

    y, x = np.divmod(np.arange(4 * surest), surest)
    _tiles(key, x, y, y.astype(np.uint8), (x + 1) / surest, np.full(len(x), 0.9))
    names = ["as the reference", "variant: the person", "error: the machine", "error at a variant, or like one"]
    key.set_yticks(range(4), names, fontsize=7)
    key.set_xticks([9, 19, surest - 1], ["10", "20", f"{surest} and more"], fontsize=7)
    key.set(xlim=(-0.5, 2.4 * surest), ylim=(3.6, -0.6))
    key.set_xlabel("stated quality (Phred); a thin line: no base", fontsize=8, loc="left")
    key.spines[:].set_visible(False)
    for one in (axis, key):
        one.grid(False)
        one.tick_params(length=2)
    return fig


def _tiles(axis, x, y, cause, sureness, height) -> None:
    """Draw cells, with a dot in those of the last cause; `sureness` (0 to 1) is how much of the colour is left."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    colours = np.array([to_rgb(name) for name in ("#b0b0b0", COLOURS["blue"], COLOURS["orange"], COLOURS["red"])])
    left = 0.3 + 0.7 * np.clip(sureness, 0, 1)[:, None]
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    size = np.stack([np.ones(len(x)), height], axis=-1)
    cells = np.stack([x, y], axis=-1)[:, None] + corners * size[:, None]
    axis.add_collection(PolyCollection(cells, facecolors=1 - left * (1 - colours[cause]), linewidths=0))
    dotted = cause == 3
    axis.scatter(x[dotted], y[dotted], s=3, color=COLOURS["black"], linewidths=0, zorder=3)
