"""A request as one HTML page that needs nothing else: readable offline, printable, every text from it escaped."""

from datetime import date
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel

from avatarlib.consent.options import Options
from avatarlib.datause.criteria import Age, Diagnosis, Image, Measurement, Query, Sex
from avatarlib.datause.request import Request

ASKED = {
    "distributed": ("the analysis comes to the data; data stay at the sites", "data of several sites are pooled"),
    "gdpr": ("all recipients are where the GDPR holds", "a recipient is where the GDPR does not hold"),
    "insurance": ("data of health insurers are wanted", "no data of health insurers"),
    "contact": ("people may be contacted again", "nobody is contacted again"),
}
DATES = {
    "year": "as years",
    "month": "as months",
    "shifted": "moved, for each person by an own number of days that is kept secret; the time between two days stays",
}


def is_page(path: Path) -> bool:
    """Return whether a file is a page of a request, by what it says made it."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return b'<meta name="generator" content="avatar fhir request">' in file.read(300)


def page(request: Request) -> str:
    """Return the request as HTML.

    Examples
    --------
    >>> from pathlib import Path
    >>> from avatarlib.datause.request import read_request
    >>> from avatarlib.manifests import folder
    >>> html = page(read_request(folder() / "fhir" / "requests" / "pressure-and-the-eye.json"))
    >>> "<h1>Does high blood pressure show in pictures of the eye?</h1>" in html
    True
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("avatarlib.datause") / "request.html.j2").read_text(encoding="utf-8"))
    plain = (
        "general_project_information", "project_details", "feasibility", "ethic_vote", "resource_and_recontact",
        "type_of_use", "requested_data", "addressees", "retention",
    )  # fmt: skip
    sections = [(_title(getattr(request, name)), _rows(getattr(request, name))) for name in plain]
    return template.render(
        r=request,
        sections=sections,
        asked=asked(request.options()),
        include=[sentence(c) for c in request.cohort.query.include],
        exclude=[sentence(c) for c in request.cohort.query.exclude],
        dates=DATES[request.variable_selection.dates],
    )


def asked(options: Options) -> list[str]:
    """Return what the people must have consented to, in words."""
    return [ASKED[name][0 if answer else 1] for name, answer in vars(options).items()]


def sentence(criterion) -> str:
    """Return a criterion in words.

    Examples
    --------
    >>> sentence(Age(kind="age", min=20, max=80))
    'age in years: 20 to 80'
    """
    match criterion:
        case Sex():
            return f"sex: {criterion.code}"
        case Age():
            return f"age in years: {_range(criterion.min, criterion.max)}"
        case Diagnosis():
            return f"diagnosis {' or '.join(criterion.codes)} ({criterion.system})"
        case Measurement():
            bounds = _range(criterion.min, criterion.max)
            return f"a measured value {criterion.code} ({criterion.system}): {bounds} {criterion.unit}"
        case Image():
            return f"pictures: {' or '.join(criterion.codes)} ({criterion.system})"
    raise TypeError(type(criterion))


def query_sentences(query: Query) -> list[str]:
    """Return a cohort in words, a line for each criterion."""
    return [*map(sentence, query.include), *(f"not: {sentence(criterion)}" for criterion in query.exclude)]


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"{low:g} or more" if high is None else f"{high:g} or less"
    return f"{low:g} to {high:g}"


def _title(section: BaseModel) -> str:
    return type(section).__doc__.rstrip(".")


def _rows(section: BaseModel) -> list[tuple[str, str]]:
    fields = type(section).model_fields
    return [
        (field.description, _text(value))
        for name, field in fields.items()
        if (value := getattr(section, name)) is not None
    ]


def _text(value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return value.isoformat() if isinstance(value, date) else str(value)
