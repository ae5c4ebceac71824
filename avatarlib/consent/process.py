"""The consent process of the Medical Informatics Initiative as a model: states, acts, who acts, and what is signed.

The model and the documents speak of the same thing: `state` reads from a person's documents where in the process the
person is, and a test walks through the process and compares.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from avatarlib.consent.decide import PERMIT, Register
from avatarlib.consent.document import Document
from avatarlib.consent.policies import mii_forms
from avatarlib.errors import InputError

PERSON, PHYSICIAN, TRUST, CENTRE, COMMITTEE, TIME = (
    "person, or legal representative",
    "informing physician",
    "trusted third party",
    "data integration centre",
    "use and access committee",
    "time",
)


@dataclass(frozen=True)
class Act:
    """One step: who does it, from which state to which, the form that is signed ("" for none), what has to follow."""

    name: str
    actor: str
    source: str
    target: str
    form: str
    duty: str


START = "not asked"
_SIGNED = ("consented", "partly withdrawn")
ACTS = (
    Act("inform", PHYSICIAN, START, "informed", "", "hand over the information, answer questions, leave time to think"),
    Act("consent", PERSON, "informed", "consented", "consent", f"{TRUST} registers modules, version and date"),
    Act("refuse", PERSON, "informed", "refused", "refusal", f"{TRUST} registers it; nobody asks again without reason"),
    Act("inform", PHYSICIAN, "refused", "informed", "", "only where the person wishes, or something has changed"),
    *(Act("withdraw in part", PERSON, state, "partly withdrawn", "partial withdrawal",
          f"{TRUST} closes the policies, {CENTRE} stops their use") for state in _SIGNED),
    *(Act("withdraw", PERSON, state, "withdrawn", "withdrawal",
          f"{TRUST} closes everything; {CENTRE} stops use, deletes or anonymises; {COMMITTEE} tells recipients")
      for state in _SIGNED),
    *(Act("expire", TIME, state, "expired", "", f"{CENTRE} stops use, to the day") for state in _SIGNED),
    *(Act("renew", PERSON, state, "consented", "consent", f"{TRUST} registers the new version, the last one counts")
      for state in _SIGNED),
    Act("inform", PHYSICIAN, "withdrawn", "informed", "", "only where the person wishes"),
    Act("inform", PHYSICIAN, "expired", "informed", "", "where use is to go on; who came of age is asked in person"),
)  # fmt: skip
STATES = tuple(dict.fromkeys([START, *(act.target for act in ACTS)]))


def advance(state: str, act: str) -> str:
    """Return the state after an act.

    Raises
    ------
    InputError
        The act is not possible in this state; says which are.

    Examples
    --------
    >>> advance("informed", "consent")
    'consented'
    """
    possible = {step.name: step.target for step in ACTS if step.source == state}
    if act not in possible:
        raise InputError(f"{act!r} is not possible in state {state!r}: there {'is' if possible else 'are'} {possible}")
    return possible[act]


def state(documents: Iterable[Document], register: Register, day: date) -> str:
    """Return the state in which a person's documents are on a day; informing leaves no document and is not seen.

    Parameters
    ----------
    documents
        Active and rejected documents of one person, in the order of their dates.
    register
        Holds them with their policies.
    """
    signed = [document for document in documents if document.given.first <= day]
    if not signed:
        return START
    last = signed[-1]
    ended = {"refusal": "refused", "withdrawal": "withdrawn"}
    if last.kind in ended:
        return ended[last.kind]
    codes = [code for code in register.policies.by_code if code not in register.policies.parts]
    if not any(register.permits(last.person, code, day).answer == PERMIT for code in codes):
        return "expired" if last.kind == "consent" else "withdrawn"
    return "consented" if last.kind == "consent" else "partly withdrawn"


def acts_table() -> pd.DataFrame:
    """Return the acts as a table."""
    return pd.DataFrame(
        [(a.source, a.name, a.actor, a.form, a.target, a.duty) for a in ACTS],
        columns=["in state", "act", "who", "signed", "leads to", "what has to follow"],
    )


def versions_table() -> pd.DataFrame:
    """Return which forms of the broad consent are known for each version (rows) and kind (columns)."""
    forms = pd.DataFrame(mii_forms())
    there = pd.crosstab(forms.version, forms.kind).astype(bool)
    return there[["consent", "refusal", "partial withdrawal", "withdrawal"]]
