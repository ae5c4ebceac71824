"""The catalogue as an HTML table that filters itself, with no library: without scripts, it is the whole table."""

import html
from collections.abc import Sequence

from avatarlib.catalogue import table
from avatarlib.catalogue.criteria import CRITERIA
from avatarlib.catalogue.model import Source

HEADER = (
    "source",
    "field",
    "kind",
    "size",
    "people",
    "way",
    "licence",
    *CRITERIA,
    "sex",
    "side",
    "suitability",
    "level",
)
_PICKED = ("field", "kind", "way", "licence", "suitability", "level")  # columns with a list of their values above

_STYLE = """
<style>
.avatar-catalogue {max-height: 32em; overflow: auto}
.avatar-catalogue table {border-collapse: collapse; font-size: 12px}
.avatar-catalogue th, .avatar-catalogue td {padding: 2px 6px; text-align: left; vertical-align: top}
.avatar-catalogue thead th {position: sticky; top: 0; background: #eee; color: #000}
.avatar-catalogue tbody tr:nth-child(even) {background: rgba(128, 128, 128, .1)}
</style>"""

# Hides rows that don't hold the words or don't have the picked values; rows are never made from text.
_SCRIPT = """
<script>
(() => {
  const box = document.currentScript.parentElement.querySelector(".avatar-catalogue-filter");
  const rows = [...document.currentScript.parentElement.querySelectorAll("tbody tr")];
  const words = box.querySelector("input"), picks = [...box.querySelectorAll("select")];
  const count = box.querySelector("output");
  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase() + " " + (row.dataset.words || "").toLowerCase();
      const fits = wanted.every(word => text.includes(word)) &&
        picks.every(pick => !pick.value || row.cells[pick.dataset.column].textContent === pick.value);
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = shown + " of " + rows.length + " sources";
  };
  box.hidden = false;
  words.addEventListener("input", filter);
  picks.forEach(pick => pick.addEventListener("change", filter));
  filter();
})();
</script>"""


def page(sources: Sequence[Source]) -> str:
    """Return an HTML fragment: filters, and a table of all sources that link to their pages.

    Every text is escaped. Filters are hidden until the script runs, so a reader without scripts sees the plain table.
    """
    rows = [(source, _cells(source)) for source in sources]
    picks = "".join(_pick(name, [cells[HEADER.index(name)] for _, cells in rows]) for name in _PICKED)
    head = "".join(f'<th scope="col">{name}</th>' for name in HEADER)
    body = "".join(_row(source, cells) for source, cells in rows)
    return (
        f'<div>{_STYLE}<p class="avatar-catalogue-filter" hidden><label>words <input type="search"></label> {picks} '
        f'<output></output></p><div class="avatar-catalogue" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>{_SCRIPT}</div>"
    )


def _cells(source: Source) -> list[str]:
    known = table.row(source)
    size = "?" if known["size"] is None else f"{known['size']:,}"
    people = "?" if known["people"] is None else f"{known['people']:,}"
    grades = ["?" if known[name] is None else str(known[name]) for name in CRITERIA]
    licence = known["licence"] or "none known"
    texts = [
        known["title"],
        known["field"],
        known["modality"],
        f"{size} {known['unit']}",
        people,
        known["mode"],
        licence,
    ]
    return [*texts, *grades, known["sex"], known["side"], known["suitability"], known["level"]]


def _row(source: Source, cells: list[str]) -> str:
    link = f'<a href="{html.escape(source.addresses.page)}">{html.escape(cells[0])}</a>'
    words = html.escape(f"{source.identifier} {source.about} {' '.join((*source.scenarios, *source.use_cases))}")
    rest = "".join(f"<td>{html.escape(text)}</td>" for text in cells[1:])
    return f'<tr data-words="{words}"><td title="{html.escape(source.about)}">{link}</td>{rest}</tr>'


def _pick(name: str, values: list[str]) -> str:
    options = "".join(f"<option>{html.escape(value)}</option>" for value in sorted(set(values)))
    choice = f'<select data-column="{HEADER.index(name)}"><option value="">any</option>{options}</select>'
    return f"<label>{name} {choice}</label> "
