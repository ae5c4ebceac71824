"""An entry, and a use case, as pages of plain text for a terminal or a notebook."""

import re
import textwrap
from collections.abc import Sequence

from avatarlib.catalogue import table
from avatarlib.catalogue.criteria import CRITERIA, GRADES
from avatarlib.catalogue.internal import InternalSource
from avatarlib.catalogue.model import LEVELS, Source
from avatarlib.catalogue.text import NOT_CHECKED
from avatarlib.catalogue.verified import proofs
from avatarlib.catalogue.vocabulary import vocabulary

WIDTH = 100
ORDER = {"suitable": 0, "limited": 1, "unsuitable": 2}


def listing(sources: Sequence[Source]) -> str:
    """Return one line a source under a header: level, way to it, grades, licence, kind, title.

    Grades are relevance, availability, anonymity and terms, `-` where nobody checked.
    """
    rows = [("identifier", "level", "way", "grades", "licence", "modality", "title")]
    for source in sources:
        rows.append(
            (
                source.identifier,
                source.level,
                source.criteria.availability.mode,
                grades(source),
                source.criteria.terms.licence or "-",
                source.modality,
                source.title,
            )
        )
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]) - 1)]
    lines = ["  ".join([*map(str.ljust, row, widths), row[-1]]) for row in rows]
    return "\n".join(lines)


def entry(source: Source) -> str:
    """Return all that an entry says, with its evidence, as plain text."""
    known = table.row(source)
    lines = [f"{source.title} ({source.identifier})", source.about, ""]
    lines += _pairs(
        [
            ("provider", source.provider),
            ("page", source.addresses.page),
            ("DOI", source.addresses.doi or "none"),
            ("kind", f"{source.field}, {source.modality}, {'synthetic' if source.synthetic else 'of people'}"),
            ("size", f"{_number(source.size.value)} {source.size.unit} {_cite(source.size.evidence)}"),
            ("people", f"{_number(source.people.value)} {_cite(source.people.evidence)}"),
            ("sex labels", f"{source.labels.sex.answer} {_cite(source.labels.sex.evidence)}"),
            ("side labels", f"{source.labels.side.answer} {_cite(source.labels.side.evidence)}"),
            ("metadata", f"{source.metadata_access.answer} {_cite(source.metadata_access.evidence)}"),
        ]
    )
    lines.append("")
    for name in CRITERIA:
        criterion = getattr(source.criteria, name)
        meaning = (
            "not graded" if criterion.grade is None else f"{criterion.grade} of 3, {GRADES[name][criterion.grade]}"
        )
        lines += _pairs([(name, f"{meaning}. {criterion.reason} {_cite(criterion.evidence)}")])
    terms = source.criteria.terms
    lines += _pairs(
        [
            ("indications", "; ".join(known["indications"]) or "none named"),
            ("way to it", known["mode"]),
            ("still shows", ", ".join(known["recognisable"]) or "nothing named"),
            ("risk", known["residual_risk"] or NOT_CHECKED),
            ("licence", known["licence"] or "none known"),
            ("data use", "; ".join(f"{code} {vocabulary().duo[code]['label']}" for code in terms.duo) or "no code"),
            ("derivatives", terms.derivatives),
            ("passing on", terms.redistribution),
            ("models", terms.model_release),
            ("scenarios", "; ".join(vocabulary().scenarios[name]["title"] for name in source.scenarios) or "none"),
            ("use cases", "; ".join(vocabulary().use_cases[name]["title"] for name in source.use_cases)),
            ("suitability", f"{source.suitability.answer}: {source.suitability.reason}"),
        ]
    )
    for title, texts in (("Limits", source.limits), ("Traps", table.traps(source))):
        lines += ["", title, *(_wrapped(text, "- ", "  ") for text in texts or ("none found",))]
    lines += ["", "Evidence"]
    for key, item in source.evidence.items():
        lines += [_wrapped(f"“{item.words}”", f"{key}: ", "    "), f"    {item.title}, {item.at}"]
        lines += [f"    {item.address} ({item.copy_}, read {item.read})"]
    lines += ["", "Verification"]
    for proof in proofs(source):
        digest = f" [{proof['sha256'][:16]}]" if proof["sha256"] else ""
        lines.append(f"{proof['level']} {proof['date']}: {LEVELS[proof['level']]}; {proof['what']}{digest}")
    return "\n".join(lines)


def internal(source: InternalSource) -> str:
    """Return what an entry of a source that is not open says, as plain text."""
    lines = [f"{source.title} ({source.identifier}), not open", source.recorded, ""]
    lines += _pairs(
        [
            ("holder", source.holder),
            ("technical", f"{source.technical.answer}: {source.technical.reason}"),
            ("organisation", f"{source.organisational.answer}: {source.organisational.reason}"),
            ("who decides", source.decides.answer),
            ("instead", ", ".join(source.instead) or "none named"),
        ]
    )
    lines += ["", "Limits", *(_wrapped(text, "- ", "  ") for text in source.limits)]
    return "\n".join(lines)


def use_case(name: str, sources: Sequence[Source], most: int = 6) -> dict:
    """Return one page on a use case for somebody in a hurry.

    Returns
    -------
    dict of `title`, `needs`, `counts` (by suitability), `first` (up to `most` sources to look at first: suitable
    before limited, what somebody read before what is only claimed, then by the sum of grades), `blocked` (sources
    that are unsuitable), `unknown` (how many have a criterion that nobody checked) and `traps` (of the first ones).
    """
    served = [source for source in sources if name in source.use_cases]
    ranked = sorted(served, key=lambda s: (ORDER[s.suitability.answer], s.level == "V0", -_sum(s), s.identifier))
    first = [source for source in ranked if source.suitability.answer != "unsuitable"][:most]
    return {
        **vocabulary().use_cases[name],
        "counts": {answer: sum(s.suitability.answer == answer for s in served) for answer in ORDER},
        "first": first,
        "blocked": [source for source in ranked if source.suitability.answer == "unsuitable"],
        "unknown": sum(any(getattr(s.criteria, c).grade is None for c in CRITERIA) for s in served),
        "traps": [(source.title, trap) for source in first for trap in table.traps(source)],
    }


def use_case_page(name: str, sources: Sequence[Source], most: int = 6) -> str:
    """Return `use_case` as Markdown, texts of entries escaped."""
    page = use_case(name, sources, most)
    counts = ", ".join(f"{n} {answer}" for answer, n in page["counts"].items())
    there = f"**There are** {sum(page['counts'].values())} sources ({counts})"
    lines = [f"### {page['title']}", "", f"**Needs.** {page['needs']}", ""]
    lines += [f"{there}; in {page['unknown']} of them at least one of the four criteria could not be checked.", ""]
    lines += ["**Look at these first**", "", "| source | way | licence | level | grades | why |", f"|{'---|' * 6}"]
    for source in page["first"]:
        link = f"[{_markdown(source.title)}](<{source.addresses.page}>)"
        licence = source.criteria.terms.licence or "none known"
        cells = [link, source.criteria.availability.mode, licence, source.level, grades(source)]
        lines.append(f"| {' | '.join(cells)} | {_markdown(source.suitability.reason)} |")
    if page["blocked"]:
        blocked = [f"{_markdown(source.title)} ({_markdown(source.suitability.reason)})" for source in page["blocked"]]
        lines += ["", f"**Not usable.** {'; '.join(blocked)}"]
    if page["traps"]:
        lines += ["", "**Traps**", "", *(f"- {_markdown(title)}: {_markdown(trap)}" for title, trap in page["traps"])]
    return "\n".join(lines)


def grades(source: Source) -> str:
    """Return the four grades as four characters in the order of `CRITERIA`, `-` where nobody checked."""
    found = [getattr(source.criteria, name).grade for name in CRITERIA]
    return "".join("-" if grade is None else str(grade) for grade in found)


def _markdown(text: str) -> str:
    """Return a text that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#|!~$])", r"\\\1", text)


def _sum(source: Source) -> int:
    return sum(getattr(source.criteria, name).grade or 0 for name in CRITERIA)


def _number(value: float | None) -> str:
    return "unknown number of" if value is None else f"{value:,}"


def _cite(keys: tuple[str, ...]) -> str:
    return f"[{', '.join(keys) or NOT_CHECKED}]"


def _pairs(rows: list[tuple[str, str]]) -> list[str]:
    return [_wrapped(text, f"{name:<13}", " " * 13) for name, text in rows]


def _wrapped(text: str, first: str, later: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=later, break_long_words=False)
