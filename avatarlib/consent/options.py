"""The portal's combined consent: four yes-or-no questions about a project, and the policies that each answer needs.

Source: the combined consent of the German portal for medical research data (FDPG), as in the mapping of
medizininformatik-initiative/torch@d9e1e731; a project is served where every policy is permitted.
"""

import itertools
from dataclasses import astuple, dataclass
from datetime import date

from avatarlib.consent.decide import Decision, Register, worst
from avatarlib.consent.policies import Policies
from avatarlib.errors import InputError


@dataclass(frozen=True)
class Options:
    """What a project intends.

    Attributes
    ----------
    distributed
        True: the analysis comes to the data; False: data of several sites are pooled.
    gdpr
        True: data stay where the GDPR, or a level like it, holds.
    insurance
        True: data of health insurers are wanted.
    contact
        True: people may be contacted again.
    """

    distributed: bool
    gdpr: bool
    insurance: bool
    contact: bool

    @property
    def code(self) -> str:
        """The portal's code, such as "yes-yes-no-no".

        Examples
        --------
        >>> Options(True, True, False, False).code
        'yes-yes-no-no'
        """
        return "-".join("yes" if answer else "no" for answer in astuple(self))


ALL = tuple(Options(*answers) for answers in itertools.product((True, False), repeat=4))


def from_code(code: str) -> Options:
    """Return the options of a code such as "no-yes-no-yes".

    Raises
    ------
    InputError
        There is no such code.
    """
    for options in ALL:
        if options.code == code:
            return options
    raise InputError(f"consent options: {ascii(code)[:60]} is not four times yes or no, such as yes-yes-no-no")


def required(options: Options, policies: Policies) -> tuple[str, ...]:
    """Return the codes that all have to be permitted.

    Raises
    ------
    InputError
        The policies have no code for something that the options ask for, so no consent to it can exist.

    Examples
    --------
    >>> from avatarlib.consent.policies import mii_policies
    >>> [code.rpartition(".")[2] for code in required(Options(True, False, True, False), mii_policies())]
    ['49', '10']
    """
    wanted = [] if options.distributed else ["pool"]
    wanted += ["use", "use_retrospective"] if options.gdpr else ["use_outside_gdpr"]
    wanted += ["insurance"] * options.insurance + ["contact"] * options.contact
    codes: list[str] = []
    for role in wanted:
        if role not in policies.roles:
            raise InputError(
                f"policies {policies.system} hold nothing for {role.replace('_', ' ')!r}: nobody can consent"
            )
        codes += policies.roles[role]
    return tuple(codes)


def permits(register: Register, person: str, options: Options, day: date) -> Decision:
    """Return whether everything that a project needs is permitted: the worst answer of all its policies."""
    return worst(register.permits(person, code, day) for code in required(options, register.policies))
