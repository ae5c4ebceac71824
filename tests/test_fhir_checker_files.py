"""Files, streamed Bundles, and `avatar fhir check`: answers, exit codes, and one line for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from fhir_small import (
    BASE,
    CORE,
    LOINC,
    PROFILE,
    changed,
    checker,
    concept,
    definition,
    element,
    good,
    library,
    profile,
)

from avatarlib.cli import main
from avatarlib.errors import InputError
from avatarlib.fhir.adapt import derive
from avatarlib.fhir.checker import CONFORMS, VIOLATES, check_files


@pytest.fixture
def package(tmp_path):
    """A package with the small profile, as a folder."""
    folder = tmp_path / "package-small"
    (folder / "package").mkdir(parents=True)
    header = {"name": "small", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
    (folder / "package" / "package.json").write_text(json.dumps(header))
    held = library()
    for kind in held.held.values():
        for n, (held_one,) in enumerate(kind.values()):
            one = held_one.resource
            if one.get("url") == PROFILE:
                one = derive(held, profile())
            (folder / "package" / f"{one['resourceType']}-{n}.json").write_text(json.dumps(one))
    return folder


def write(folder, name: str, *resources: dict) -> str:
    path = folder / name
    if name.endswith(".ndjson"):
        path.write_text("".join(json.dumps(one) + "\n" for one in resources))
    else:
        path.write_text(json.dumps(resources[0]))
    return str(path)


def bundle(*resources: dict) -> dict:
    entries = [{"fullUrl": f"urn:uuid:{n}", "resource": one} for n, one in enumerate(resources)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def bad() -> dict:
    return changed(lambda one: one.pop("status"))


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main(["fhir", "check", *map(str, arguments)])
    out, error = capsys.readouterr()
    return code, out, error


def test_exit_codes_and_what_is_printed(tmp_path, package, capsys):
    fine = write(tmp_path, "fine.json", good())
    worse = write(tmp_path, "worse.ndjson", good(), bad())
    code, out, _ = run(capsys, fine, "--package", package)
    assert (code, out) == (0, "1 checks (resource and profile): 1 conform, 0 violate, 0 not checkable\n")
    code, out, _ = run(capsys, fine, worse, "--package", package)
    assert code == 1 and out.splitlines() == [
        f"violates {PROFILE}: {worse}: line 2: Observation: status is there 0 times; the profile wants at least 1",
        "3 checks (resource and profile): 2 conform, 1 violate, 0 not checkable",
    ]
    unknown = good() | {"meta": {"profile": [BASE + "absent"]}}
    code, out, _ = run(capsys, write(tmp_path, "u.json", unknown), fine, "--package", package)
    assert code == 1 and out.splitlines() == [
        f"not checkable: {BASE}absent is in none of the packages (1 times)",
        "2 checks (resource and profile): 1 conform, 0 violate, 1 not checkable",
    ]
    code, out, _ = run(capsys, write(tmp_path, "p.json", {"resourceType": "Patient"}), "--package", package)
    assert code == 0 and "1 conform" in out
    code, out, _ = run(capsys, tmp_path / "p.json", "--package", package, "--profile", PROFILE)
    assert code == 1 and f"violates {PROFILE}: " in out


def test_texts_of_strangers_are_printed_without_control_characters(tmp_path, package, capsys):
    hostile = good() | {"meta": {"profile": ["https://example.org/\x1b[2J\n" + "x" * 5_000]}, "status": "\x07"}
    code, out, _ = run(capsys, write(tmp_path, "h.json", hostile), "--package", package)
    assert code == 1 and len(out.splitlines()) == 3
    assert out.replace("\n", "").isprintable() and max(map(len, out.splitlines())) <= 1_003


def test_many_findings_are_counted_not_all_printed(tmp_path, package, capsys):
    code, out, _ = run(capsys, write(tmp_path, "many.json", bundle(*[bad()] * 60)), "--package", package)
    lines = out.splitlines()
    assert code == 1 and len(lines) == 52 and lines[-2] == "and 10 more violations"
    assert "entry[49].resource: Observation: status" in lines[49]


def test_embedded_packages_are_the_default(tmp_path, capsys):
    code, out, _ = run(capsys, write(tmp_path, "p.json", {"resourceType": "Patient", "gender": "x"}))
    assert code == 1 and "violates http://hl7.org/fhir/StructureDefinition/Patient" in out


BAD_INPUT = [
    ("absent", None, [], "x.json does not exist"),
    ("no JSON", "{", [], "x.json is not JSON"),
    ("no resource", "{}", [], "x.json is no FHIR resource"),
    ("a list", "[1]", [], "is not JSON"),
    ("not a number", '{"resourceType": "Patient", "x": NaN}', [], "is not JSON"),
    ("deep", '{"resourceType": "Patient", "a": ' + "[" * 100_000, [], "x.json is not JSON"),
    ("half a character", '{"resourceType": "Patient", "id": "\\ud800"}', [], "half a character"),
    ("unknown profile", '{"resourceType": "Patient"}', ["--profile", "https://x.y/z"], "https://x.y/z is in none"),
    ("unknown package", '{"resourceType": "Patient"}', ["--package", "nothing.tgz"], "nothing.tgz"),
]


@pytest.mark.parametrize(("text", "more", "why"), [case[1:] for case in BAD_INPUT], ids=[case[0] for case in BAD_INPUT])
def test_bad_input_is_one_line_and_exit_code_2(text, more, why, tmp_path, capsys):
    if text is not None:
        (tmp_path / "x.json").write_text(text)
    code, out, error = run(capsys, tmp_path / "x.json", *more)
    assert (code, out) == (2, "") and error.count("\n") == 1
    assert error.startswith("avatar: ") and why in error


def test_broken_packages_are_named(tmp_path, package, capsys):
    fine = write(tmp_path, "fine.json", good())
    (profile_file,) = (one for one in (package / "package").glob("StructureDefinition-*") if PROFILE in one.read_text())
    bare = json.loads(profile_file.read_text())
    del bare["snapshot"]
    for base, why in ((PROFILE, "in a circle"), (BASE + "absent", "is in none of the packages")):
        profile_file.write_text(json.dumps(bare | {"baseDefinition": base}))
        code, _, error = run(capsys, fine, "--package", package)
        assert code == 2 and str(package) in error and profile_file.name in error and why in error
    profile_file.write_text(json.dumps(bare | {"fhirVersion": "5.0.0"}))
    code, _, error = run(capsys, fine, "--package", package)
    assert code == 2 and "FHIR version" in error


def test_empty_folders_hold_nothing_to_check(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no FHIR resource"):
        list(check_files(checker(), [tmp_path / "empty"]))


def test_a_bundle_that_names_a_profile_is_checked_itself(tmp_path):
    url = BASE + "StructureDefinition/collection"
    changes = [element("Bundle.type", patternCode="document"), element("Bundle.timestamp", min=1)]
    ready = checker(definition(url, "Bundle", CORE + "Bundle", changes))
    whole = bundle(good()) | {"meta": {"profile": [url]}, "timestamp": "2025-01-01T00:00:00Z"}
    answers = list(check_files(ready, [Path(write(tmp_path, "b.json", whole))]))
    assert [(one.kind, one.answer) for one in answers] == [("Observation", CONFORMS), ("Bundle", VIOLATES)]
    assert [one.rule for one in answers[1].violations] == ["pattern"]
    plain = write(tmp_path, "c.json", bundle(good()) | {"type": "document", "timestamp": "2025-01-01T00:00:00Z"})
    answers = list(check_files(ready, [Path(plain)], url))
    assert [(one.kind, one.answer) for one in answers] == [("Bundle", CONFORMS)]
    with pytest.raises(InputError, match="holds no Bundle"):
        list(check_files(ready, [Path(write(tmp_path, "d.json", good()))], url))


def test_hostile_nesting_and_texts_end(tmp_path):
    extension = {"url": "https://example.org/x", "valueString": "x"}
    for _ in range(300):
        extension = {"url": "https://example.org/x", "extension": [extension]}
    path = write(tmp_path, "deep.json", good() | {"extension": [extension]})
    assert [one.answer for one in check_files(checker(), [Path(path)])] != [VIOLATES]
    blob = {"resourceType": "Binary", "contentType": "a/b", "data": "AAAA " * 50_000 + "!"}
    assert [one.answer for one in check_files(checker(), [Path(write(tmp_path, "b.json", blob))])] == [VIOLATES]


def test_malformed_definitions_are_named(tmp_path, package, capsys):
    fine = write(tmp_path, "fine.json", good())
    changes = [
        {"snapshot": []},
        {"snapshot": {"element": [1]}},
        {"snapshot": {"element": [{"id": "a", "path": "a", "min": "1"}]}},
        {"compose": {"include": [1]}},
        {"compose": 1},
        {"concept": [1]},
    ]
    files = sorted((package / "package").glob("*-*.json"))
    for file, change in [(file, change) for file in files for change in changes]:
        before = file.read_text()
        if next(iter(change)) in before:
            file.write_text(json.dumps(json.loads(before) | change))
            code, _, error = run(capsys, fine, "--package", package)
            assert code == 2 and error.count("\n") == 1, (file.name, change, error)
            file.write_text(before)


def test_references_in_a_bundle_are_followed(tmp_path):
    person = {"resourceType": "Patient"}
    path = write(tmp_path, "b.json", bundle(person, good() | {"subject": {"reference": "urn:uuid:0"}}))
    assert [one.answer for one in check_files(checker(), [Path(path)])] == [CONFORMS, CONFORMS]
    path = write(
        tmp_path, "c.json", bundle({"resourceType": "Device"}, good() | {"subject": {"reference": "urn:uuid:0"}})
    )
    answers = list(check_files(checker(), [Path(path)]))
    assert [one.answer for one in answers] == [CONFORMS, VIOLATES]
    assert (answers[1].place, answers[1].violations[0].rule) == ("entry[1].resource", "reference")


def test_a_large_bundle_needs_little_memory(tmp_path):
    """24 MB of Bundle; what is held stays a small part of it, whatever its size."""
    path = tmp_path / "large.json"
    entry = json.dumps(
        {"fullUrl": "urn:uuid:1", "resource": good() | {"code": concept(LOINC, "85354-9") | {"text": "x" * 30_000}}}
    )
    with open(path, "w") as file:
        file.write('{"resourceType": "Bundle", "type": "collection", "entry": [')
        file.write(",".join([entry] * 800))
        file.write("]}")
    code = (
        "import sys, resource; sys.path.insert(0, 'tests')\n"
        "from pathlib import Path\nfrom fhir_small import checker, good\n"
        "from avatarlib.fhir.checker import check_files, check_resource\n"
        "ready = checker(); check_resource(ready, good())\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "answers = [one.answer for one in check_files(ready, [Path(sys.argv[1])])]\n"
        "print(len(answers), set(answers), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    result = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    count, answers, grown = result.stdout.split()
    assert (count, answers) == ("800", "{'conforms'}")
    assert int(grown) * 1024 < path.stat().st_size / 2
