"""The rules of one element: fixed, pattern, length, limits, codes, references, profiles of its type, invariants."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from avatarlib.fhir import r4
from avatarlib.fhir.checker import invariants as fhirpath
from avatarlib.fhir.checker import primitives, structure
from avatarlib.fhir.checker.run import Run
from avatarlib.fhir.checker.terminology import NO, YES, Answer
from avatarlib.fhir.checker.tree import Node
from avatarlib.fhir.checker.verdict import Finding

if TYPE_CHECKING:
    from avatarlib.fhir.checker.resources import Checker
    from avatarlib.fhir.checker.walk import Item

_CODED = ("code", "string", "uri", "url", "canonical", "Coding", "CodeableConcept", "Quantity", "Age", "Duration")
_WITHOUT_RULES = ("SimpleQuantity", "Quantity", "CodeableConcept")  # snapshots state what these add (sqty-1)


def value(checker: "Checker", run: Run, have: Any, node: Node, kind: str, path: str) -> None:
    """Check all rules of an element's value but its children, the profiles of its type, and invariants."""
    if node.fixed is not None and not primitives.equal(have, node.fixed[0]):
        run.wrong(path, "fixed", f"must be {_shown(node.fixed[0])} and nothing else")
    if node.pattern is not None and not primitives.contains(have, node.pattern[0]):
        run.wrong(path, "pattern", f"must have at least {_shown(node.pattern[0])}")
    if node.longest is not None and isinstance(have, str) and len(have) > node.longest:
        run.wrong(path, "length", f"is longer than {node.longest} characters")
    for name, limit in node.limits:
        if primitives.beyond(have, name, limit):
            word = "below the minimum" if name.startswith("min") else "above the maximum"
            run.wrong(path, "length", f"is {word} {limit}")
    if node.codes is not None and kind == "code" and have not in node.codes:
        run.wrong(path, "binding", f"is none of R4's codes: {', '.join(node.codes)}")
    if node.binding is not None and node.binding.get("strength") == "required" and kind in _CODED:
        _binding(checker, run, have, node, kind, path)
    if kind == "Reference":
        _reference(checker, run, have, node, path)


def _shown(wanted: Any) -> str:
    import json

    text = json.dumps(wanted, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:157]}..."


def _binding(checker: "Checker", run: Run, have: Any, node: Node, kind: str, path: str) -> None:
    value_set = node.binding.get("valueSet", "")
    if kind == "code" and node.codes is not None and not checker.terminology.knows(value_set):
        return  # R4's own codes were checked, and the value set is R4's
    coded = list(codes(have, kind))
    if not coded:
        if kind == "CodeableConcept" and not have.get("extension"):
            run.wrong(path, "binding", f"has no code; one of value set {value_set} is required")
        return
    answers = [checker.terminology.member(value_set, system, code) for system, code in coded]
    if any(answer.member == YES for answer in answers):
        return
    unknown = [answer for answer in answers if answer.member != NO]
    if not unknown:
        shown = ", ".join(f"{system or ''}#{code}" for system, code in coded)[:200]
        run.wrong(path, "binding", f"{shown} is not in the required value set {value_set}")
    else:
        _open(run, max(unknown, key=lambda answer: answer.external), path)


def _open(run: Run, answer: Answer, path: str) -> None:
    """Note why membership is open: a code that only awaits its code system's content is taken as it is."""
    if answer.external:
        run.unverified.append(Finding(path, "binding", answer.missing))
    else:
        run.lacks(path, "binding", answer.missing)


def codes(have: Any, kind: str) -> Iterator[tuple[str | None, str]]:
    """Yield (system, code) of a coded value of a type; the system is None where the type has none."""
    if kind == "CodeableConcept":
        codings = have.get("coding")
        for coding in codings if isinstance(codings, list) else []:
            if isinstance(coding, dict) and isinstance(coding.get("code"), str):
                yield str(coding.get("system", "")), coding["code"]
    elif isinstance(have, dict):
        if isinstance(have.get("code"), str):
            yield str(have.get("system", "")), have["code"]
    elif isinstance(have, str):
        yield None, have


def _reference(checker: "Checker", run: Run, have: dict, node: Node, path: str) -> None:
    targets = [target for kind in node.types if kind.code == "Reference" for target in kind.targets]
    kind, _ = run.target(have)
    if not kind or not targets:
        return
    allowed = {checker.kind_of(target) for target in targets}
    if kind not in allowed and not allowed & {"", "Resource", "DomainResource"}:
        run.wrong(path, "reference", f"points to a {kind}; the profile lets it point to {' or '.join(sorted(allowed))}")


def type_profiles(checker: "Checker", run: Run, one: "Item", node: Node) -> None:
    """Check a value against the profiles that the element's type names, of which it has to meet one.

    An extension is checked against its own definition too, named or not.
    """
    named = [found for kind in node.types if kind.code == one.kind for found in kind.profiles]
    named = [found for found in named if found.removeprefix(r4.CORE) not in _WITHOUT_RULES]
    if one.kind == "Extension":
        url = one.value.get("url")
        if not named and isinstance(url, str) and (checker.library.profile(url) or url in r4.tables()["extensions"]):
            named = [url]
    if len(named) == 1:
        checker.against(run, one.value, named[0], one.path)
    elif named:
        trials = []
        for found in named:
            trial = run.apart()
            checker.against(trial, one.value, found, one.path)
            trials.append(trial)
        best = min(trials, key=lambda trial: (len(trial.violations), len(trial.missing)))
        unknown = [trial for trial in trials if not trial.violations]
        run.take(unknown[0] if unknown and best.violations else best)


def core_extension(checker: "Checker", run: Run, have: dict, url: str, path: str) -> None:
    """Check an extension that R4 itself defines: one value of its types, from its value set."""
    known = r4.tables()["extensions"][url]
    types = {f"value{kind[:1].upper()}{kind[1:]}": kind for kind in known["types"]}
    if have.get("url") != url:
        run.wrong(path, "fixed", f"url must be {url}")
    keys = {key.removeprefix("_") for key in have if key.lstrip("_").startswith("value")}
    if len(keys) != 1 or not keys <= types.keys():
        run.wrong(path, "type", f"extension {url} has one value of {' or '.join(known['types'])}")
    elif "value_set" in known:
        (key,) = keys
        if isinstance(have.get(key), str):
            answer = checker.terminology.member(known["value_set"], None, have[key])
            if answer.member == NO:
                run.wrong(f"{path}.{key}", "binding", f"is not in the required value set {known['value_set']}")


def invariants(run: Run, have: Any, node: Node, kind: str, path: str) -> None:
    """Check an element's invariants of severity error; those of severity warning forbid nothing."""
    listed = {constraint.get("key") for constraint in node.constraints}
    further = [structure.constraint(key) for key in structure.of_type(kind) if key not in listed]
    if kind in ("BackboneElement", "Element"):  # choices such as value[x] are known by path
        kind = node.origin.base_path if node.reference and node.origin else node.base_path
    for constraint in (*node.constraints, *further):
        if constraint.get("severity") != "error":
            continue
        answer, reason = fhirpath.holds(constraint, have, kind, run)
        key = constraint.get("key", "")
        if answer is False:
            human = " ".join(str(constraint.get("human", "")).split())[:160]
            run.wrong(path, "invariant", f"{key}: {human}" if human else key)
        elif answer is None:
            run.lacks(path, "invariant", f"invariant {key}: {reason}")
