"""What all parts of an entry have in common."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A part of an entry: unknown keys are refused, nothing changes afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def refuse_unproved(what: str, value: object, evidence: tuple[str, ...]) -> None:
    """Refuse a value that nothing proves, and evidence of no value.

    Raises
    ------
    ValueError
        `value` is None and cited, or is not None and not cited.
    """
    if value is None and evidence:
        raise ValueError(f"{what} is null although evidence is cited: state it, or write evidence: not checked")
    if value is not None and not evidence:
        raise ValueError(f"{what} needs evidence: cite it, or write {what}: null with evidence: not checked")
