"""A data-use request, bound to a purpose, in the structure of the German portal for medical research data (FDPG).

Sections and keys are named as the portal's forms name them (medizininformatik-initiative/fdpg-api@15394486). `cohort`
and `variableSelection`, which the portal attaches as files, `recipients` and `retention` are written out here.
"""

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from avatarlib.consent.dates import day as read_day
from avatarlib.consent.dates import quoted
from avatarlib.consent.options import Options
from avatarlib.datause import minimise
from avatarlib.datause.criteria import Code, Query, System
from avatarlib.datause.strict import Strict, checked
from avatarlib.errors import InputError
from avatarlib.fhir import stream

LARGEST = 1 << 20  # bytes of a request
# Member states of the EU, and Iceland, Liechtenstein and Norway: where the GDPR itself holds.
GDPR = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IS IT LI LT LU LV MT NL NO PL PT RO SE SI SK".split())


def _day(value: Any) -> date:
    try:
        return read_day(value, "day")
    except InputError:
        raise ValueError(f"must be a day such as 2026-06-30, not {quoted(value)}") from None


Day = Annotated[date, BeforeValidator(_day)]
Text = Annotated[str, Field(min_length=1, max_length=10_000, pattern=r"\S")]
Short = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]


class Section(Strict):
    """A section of the form; its keys are spelt as the portal spells them."""

    model_config = ConfigDict(alias_generator=to_camel)


class GeneralProjectInformation(Section):
    """General information."""

    project_title: Text = Field(description="title")
    desired_start_time: Day = Field(description="wanted from")
    project_duration: int = Field(ge=1, le=240, description="duration in months")
    project_funding: Text = Field(description="funding")
    funding_reference_number: Short | None = Field(None, description="reference of the funding")


class ProjectDetails(Section):
    """The project."""

    simple_project_description: Text = Field(description="in plain language")
    department: tuple[Short, ...] = Field((), max_length=50, description="fields")
    scientific_background: Text = Field(description="background")
    hypothesis_and_question_project_goals: Text = Field(description="questions and aims")
    material_and_methods: Text = Field(description="methods")


class Feasibility(Section):
    """Feasibility."""

    details: Text = Field(description="what was asked and answered")


class EthicVote(Section):
    """Ethics vote."""

    is_existing: bool = Field(description="there is a vote")
    ethics_committee: Short | None = Field(None, description="committee")
    ethics_vote_number: Short | None = Field(None, description="number")
    vote_from_date: Day | None = Field(None, description="of")

    @model_validator(mode="after")
    def _whole(self):
        if self.is_existing and not (self.ethics_committee and self.ethics_vote_number and self.vote_from_date):
            raise ValueError("an existing vote needs ethicsCommittee, ethicsVoteNumber and voteFromDate")
        return self


class ResourceAndRecontact(Section):
    """Contact with the people."""

    is_recontacting_intended: bool = Field(description="people are to be contacted again")


class TypeOfUse(Section):
    """Type of use."""

    usage: tuple[Literal["DISTRIBUTED", "CENTRALIZED"], ...] = Field(min_length=1, description="how data are analysed")
    data_privacy_extra: Text | None = Field(None, description="further protection")


class RequestedData(Section):
    """Requested data."""

    patient_info: Text = Field(description="people")
    data_info: Text = Field(description="data")
    desired_data_amount: int = Field(ge=1, le=100_000_000, description="people wanted")
    insurance_data: bool = Field(False, description="data of health insurers")


class Cohort(Section):
    """Cohort."""

    label: Short = Field(description="name")
    comment: Text | None = Field(None, description="comment")
    number_of_patients: int | None = Field(None, ge=0, description="people by the feasibility question")
    query: Query = Field(description="who belongs to it")


class Variable(Section):
    """Elements of one resource type, for some codes."""

    resource_type: Literal[tuple(minimise.ELEMENTS)] = Field(description="resource")
    elements: tuple[Short, ...] = Field(min_length=1, max_length=30, description="elements")
    system: System | None = Field(None, description="system of the codes")
    codes: tuple[Code, ...] = Field((), max_length=500, description="codes")
    digits: int | None = Field(None, ge=-3, le=6, description="values rounded to digits after the point, -1: to tens")

    @model_validator(mode="after")
    def _known(self):
        problem = minimise.problem(self.resource_type, self.elements, self.system, self.codes)
        if problem:
            raise ValueError(problem)
        return self


class VariableSelection(Section):
    """Variable selection."""

    dates: Literal["year", "month", "shifted"] = Field(description="dates are given as")
    variables: tuple[Variable, ...] = Field(min_length=1, max_length=50, description="variables")


class Addressees(Section):
    """Sites that are asked."""

    desired_locations: tuple[Short, ...] = Field(min_length=1, max_length=200, description="sites")


class Recipient(Section):
    """Who receives the data."""

    institution: Short = Field(description="institution")
    country: str = Field(pattern="^[A-Z]{2}$", description="country (ISO 3166)")
    role: Short = Field(description="role")


class Retention(Section):
    """Retention."""

    months: int = Field(ge=1, le=240, description="months for which data are kept")
    deletion: Text = Field(description="what happens then")


class Request(Section):
    """A data-use request."""

    project_id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{2,63}$", description="purpose, which pseudonyms are bound to")
    general_project_information: GeneralProjectInformation
    project_details: ProjectDetails
    feasibility: Feasibility
    ethic_vote: EthicVote
    resource_and_recontact: ResourceAndRecontact
    type_of_use: TypeOfUse
    requested_data: RequestedData
    cohort: Cohort
    variable_selection: VariableSelection
    addressees: Addressees
    recipients: tuple[Recipient, ...] = Field(min_length=1, max_length=100)
    retention: Retention

    def options(self) -> Options:
        """Return what people must have consented to, as the portal's four questions."""
        return Options(
            distributed="CENTRALIZED" not in self.type_of_use.usage,
            gdpr=all(recipient.country in GDPR for recipient in self.recipients),
            insurance=self.requested_data.insurance_data,
            contact=self.resource_and_recontact.is_recontacting_intended,
        )

    def require_in_force(self, day: date) -> None:
        """Raise InputError where data may not be handed out on a day: no vote, none yet, or the project is over."""
        vote, general = self.ethic_vote, self.general_project_information
        if not vote.is_existing:
            raise InputError(f"{self.project_id}: there is no ethics vote, so nothing is exported")
        if vote.vote_from_date > day:
            raise InputError(f"{self.project_id}: the ethics vote is of {vote.vote_from_date}, after {day}")
        months = general.desired_start_time.month - 1 + general.project_duration
        end = date(general.desired_start_time.year + months // 12, months % 12 + 1, 1)
        if day >= end:
            raise InputError(f"{self.project_id}: the project ended before {end}, so nothing is exported on {day}")


def read_request(path: Path) -> Request:
    """Return the request of a JSON file.

    Raises
    ------
    InputError
        The file can't be read, is no JSON object, over 1 MB, or not such a request: one line names what is wrong.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from None
    if len(data) > LARGEST:
        raise InputError(f"{path}: is larger than 1 MB, which no request is. Is it the right file?")
    return checked(Request, stream.parse(data, str(path)), str(path))
