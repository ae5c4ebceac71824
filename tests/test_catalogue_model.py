"""Entries of the catalogue: what is right, and every defect that must be caught with its file, line and key."""

import datetime
from pathlib import Path

import pytest

from avatarlib.catalogue import load
from avatarlib.catalogue.model import citations
from avatarlib.catalogue.text import is_snomed
from avatarlib.cli import main
from avatarlib.errors import InputError

TOMORROW = (datetime.date.today() + datetime.timedelta(days=1)).isoformat()
RELEVANCE = 'reason: "Fundus.", evidence: [e1]'
TERMS = 'model_release: "not stated", reason: "Stated.", evidence: [e2]'

ENTRY = (Path(__file__).parent / "made-up-eyes.yml").read_text(encoding="utf-8")
HERE = "where it was spoiled"
# What is spoiled (old text, new text), whether the error must name that line, and what it must say.
DEFECTS = {
    "unknown key": ([("title: M", "titel: M")], HERE, r"titel: unknown key: did you mean title\?"),
    "missing key": ([("provider: Institute of Made-up Things\n", "")], None, "provider: is missing: add it"),
    "key twice": ([("field: oph", "title: Other\nfield: oph")], HERE, "there twice, first in line 3"),
    "malformed YAML": ([("doi: ", "doi: [")], None, "no valid YAML"),
    "tab": ([("  sex:", "\tsex:")], HERE, "a tab can't indent"),
    "alias": (
        [("limits: [", "limits: &a ["), ('traps: ["A copy elsewhere names another licence (e3)."]', "traps: *a")],
        None,
        "aliases",
    ),
    "tag": ([("about: ", "about: !!python/name:os.system ")], HERE, "is not allowed here"),
    "grade too high": ([("{grade: 2", "{grade: 4")], HERE, "criteria.relevance.grade: must be at most 3, not 4"),
    "grade below zero": ([("{grade: 2", "{grade: -1")], HERE, "must be at least 0"),
    "grade a word": ([("{grade: 2", "{grade: good")], HERE, "must be a whole number, not 'good'"),
    "grade half": ([("{grade: 2", "{grade: 2.5")], HERE, "must be a whole number|fractional"),
    "grade without evidence": ([(RELEVANCE, 'reason: "Fundus.", evidence: not checked')], HERE, "grade needs evidence"),
    "no grade but evidence": ([("{grade: 2", "{grade: null")], HERE, "grade is null although evidence is cited"),
    "no evidence at all": ([(", evidence: [e2]}\n  anon", "}\n  anon")], HERE, "evidence: is missing"),
    "empty evidence": ([('"A link.", evidence: [e2]', '"A link.", evidence: []')], HERE, "or the words not checked"),
    "other words": ([('"A link.", evidence: [e2]', '"A link.", evidence: none')], HERE, "or the words not checked"),
    "cites what is not there": ([('"A link.", evidence: [e2]', '"A link.", evidence: [e9]')], None, "cites e9, which"),
    "cited twice": ([('"A link.", evidence: [e2]', '"A link.", evidence: [e2, e2]')], HERE, "the same evidence twice"),
    "evidence cited by nothing": ([(" (e3)", "")], None, "evidence.e3 is cited by nothing"),
    "evidence without address": (
        [('e1: {address: "https://made-up-eyes.org/data", ', "e1: {")],
        HERE,
        "address: is missing",
    ),
    "evidence key": ([("  e3: {", "  x3: {")], None, "the key 'x3' must be e and a number"),
    "date in the future": ([("read: 2026-11-20", f"read: {TOMORROW}")], HERE, "lies in the future"),
    "verified in the future": ([("date: 2026-11-20", f"date: {TOMORROW}")], HERE, "lies in the future"),
    "no date": ([("read: 2026-11-20", "read: 2026-02-30")], HERE, "no day of the calendar"),
    "old date": ([("read: 2026-11-20", "read: 1926-11-20")], HERE, "is the year right"),
    "date a word": ([("read: 2026-11-20", "read: yesterday")], HERE, "must be a date such as"),
    "too many words": ([("28 images of", "w " * 24 + "of")], HERE, "words: quote at most 25"),
    "too few words": ([("licensed under CC BY 4.0", "CC")], HERE, "too short to be found again"),
    "value without evidence": (
        [("images, evidence: [e1]", "images, evidence: not checked")],
        HERE,
        "value needs evidence",
    ),
    "no people": ([("people: {value: 14", "people: {value: -3")], HERE, "must be at least 0"),
    "size of nothing": ([("{value: 28", "{value: 0")], HERE, "must be above 0"),
    "label without evidence": (
        [('answer: "yes", evidence: [e1]', "answer: no, evidence: not checked")],
        HERE,
        "answer no needs",
    ),
    "wrong label": ([('answer: "yes"', 'answer: "maybe"')], HERE, "must be 'yes', 'no' or 'unclear'"),
    "form without evidence": (
        [("address: null, evidence: [e1]", "address: null, evidence: not checked")],
        HERE,
        "form needs",
    ),
    "mode and grade": ([("mode: open", "mode: agreement")], HERE, "mode agreement has grade 1, not 3"),
    "method not named": (
        [("anonymity:    {grade: 1", "anonymity:    {grade: 2")],
        HERE,
        "grade 2 needs a named method",
    ),
    "identifying, low risk": (
        [("anonymity:    {grade: 1", "anonymity:    {grade: 0")],
        HERE,
        "needs residual_risk: high",
    ),
    "unknown licence": ([("CC-BY-4.0,", "CC BY 4.0,")], HERE, "neither an SPDX identifier"),
    "licence and grade": (
        [("licence: CC-BY-4.0", "licence: CC-BY-NC-4.0")],
        HERE,
        "grade 3 is too high for CC-BY-NC-4.0",
    ),
    "licence and derivatives": ([('derivatives: "yes"', 'derivatives: "no"')], HERE, "derivatives is yes by CC-BY-4.0"),
    "no licence, high grade": ([("licence: CC-BY-4.0", "licence: null")], HERE, "grade 3 needs a licence"),
    "terms not graded but stated": (
        [("terms:        {grade: 3", "terms:        {grade: null"), (TERMS, TERMS.replace("[e2]", "not checked"))],
        HERE,
        "yet terms are stated",
    ),
    "obsolete DUO": ([("DUO:0000042", "DUO:0000005")], HERE, "is no DUO code"),
    "ICD code": ([("code: H36.0", "code: Q3600")], HERE, "is no ICD-10-GM code"),
    "SNOMED check digit": (
        [("system: ICD-10-GM, code: H36.0", 'system: SNOMED CT, code: "4855004"')],
        HERE,
        "is no SNOMED CT concept",
    ),
    "unknown scenario": (
        [("scenarios: [diab", "scenarios: [dyab")],
        HERE,
        "is not one of diabetic-retinopathy-screening",
    ),
    "no use case": ([("use_cases: [eye-synthesis]", "use_cases: []")], HERE, "must name at least one of eye-synthesis"),
    "identifier and file": (
        [("identifier: made-up-eyes", "identifier: other-eyes")],
        HERE,
        "the file is called made-up-eyes",
    ),
    "identifier": ([("identifier: made-up-eyes", "identifier: Made_up")], HERE, "small letters, digits"),
    "DOI": ([("10.1234/made.up", "https://doi.org/10.1234/x")], HERE, "must be a DOI"),
    "file address": ([("https://made-up-eyes.org/terms", "file:///etc/passwd")], HERE, "must begin with https://"),
    "local address": ([("https://made-up-eyes.org/terms", "http://127.0.0.1/x")], HERE, "not a public one"),
    "password in address": ([("https://made-up-eyes.org/terms", "https://a:b@made-up-eyes.org/")], HERE, "user name"),
    "V2 without mirror": ([("{level: V1", "{level: V2")], None, "V2 and V3 are for sources with mirror"),
    "mirror without V2": (
        [("synthetic: false", "synthetic: false\nmirror: ridb")],
        None,
        "verification must state V2 or V3",
    ),
    "unknown mirror": (
        [("about:", "mirror: nothing\nabout:"), ("{level: V1", "{level: V2")],
        HERE,
        "is not in data_manifests/sources.yml",
    ),
    "V3 of a part": (
        [("synthetic: false", "synthetic: false\nmirror: ridb"), ("{level: V1", "{level: V3")],
        None,
        "V3 claims all 28 images, the mirror declares 60",
    ),
    "V1 without evidence": ([('"page read", evidence: [e1]', '"page read"')], None, "V1 must cite the record"),
    "level twice": (
        [("verification:\n", 'verification:\n  - {level: V1, date: 2026-11-20, what: "x", evidence: [e1]}\n')],
        None,
        "none twice",
    ),
    "HTML": ([("Photographs that", "<script>alert(1)</script> that")], HERE, r"holds HTML \(<s\)"),
    "HTML entity": ([("Photographs that", "&lt;b&gt; that")], HERE, "holds HTML"),
    "formula": ([("Photographs that", "=HYPERLINK(0) that")], HERE, "spreadsheet's formula"),
    "formula in a quotation": ([("licensed under CC", "@SUM(1) CC")], HERE, "spreadsheet's formula"),
    "control character": ([("Photographs that", "Photo\\x1b[2J that")], HERE, r"invisible character \(U\+001B\)"),
    "text that turns round": ([("Photographs that", "Photo\\u202Egnp.exe")], HERE, r"U\+202E"),
    "invisible space": ([("Photographs that", "Photo\\u200Bgraphs")], HERE, r"U\+200B"),
    "too long": ([("Photographs that", "x" * 2000)], HERE, "at most 1000 characters"),
    "not a number": ([("{value: 28", "{value: .nan")], HERE, "finite number"),
}


def spoiled(*pairs: tuple[str, str]) -> str:
    """Return the entry with every first text, which must be there, replaced by the second."""
    text = ENTRY
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def test_the_entry_is_right(tmp_path, write_entry):
    source = load.read(write_entry(tmp_path))
    assert source.level == "V1" and source.criteria.terms.licence == "CC-BY-4.0"
    assert dict(citations(source))["labels.sex"] == () and source.evidence["e1"].words.startswith("28 images")


def test_there_are_enough_defects():
    assert len(DEFECTS) >= 20 and len({str(defect[0]) for defect in DEFECTS.values()}) == len(DEFECTS)


@pytest.mark.parametrize("name", DEFECTS)
def test_a_defect_is_one_line_with_file_and_line(name, tmp_path, write_entry):
    pairs, where, message = DEFECTS[name]
    line = 1 + ENTRY[: ENTRY.index(pairs[0][0])].count("\n")
    path = write_entry(tmp_path, spoiled(*pairs))
    with pytest.raises(InputError, match=message) as caught:
        load.read(path)
    said = str(caught.value)
    assert "\n" not in said and said.isprintable() and said.startswith(str(path))
    assert where is None or f"line {line}: " in said


@pytest.mark.parametrize("data", [b"", b"\xff\xfe\x00", b"a\0b", b"- 1\n- 2\n", b"x: 1\n" * 300_000])
def test_files_that_are_no_entries(data, tmp_path):
    path = tmp_path / "made-up-eyes.yml"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        load.read(path)
    assert str(path) in str(caught.value) and len(str(caught.value)) < 600


def test_defects_reach_the_user_as_exit_code_2_and_nothing_is_written(tmp_path, capsys, write_entry):
    path = write_entry(tmp_path / "entries", spoiled(("Photographs that", "=1+1")))
    out = tmp_path / "out"
    code = main(["catalogue", "export", "--catalogue", str(path.parent), "--format", "csv", "--out", str(out)])
    said = capsys.readouterr()
    assert code == 2 and said.out == "" and len(said.err.splitlines()) == 1
    assert f"{path}, line 9: about: begins with =" in said.err and not out.exists()


def test_two_entries_of_one_source(tmp_path, write_entry):
    write_entry(tmp_path)
    second = ENTRY.replace("identifier: made-up-eyes", "identifier: zz").replace("made-up-eyes.org/data", "other.org/a")
    write_entry(tmp_path, second, "zz.yml")
    with pytest.raises(InputError, match="zz.yml: addresses.doi: 10.1234/made.up is that of made-up-eyes.yml too"):
        load.load(tmp_path)
    write_entry(tmp_path, second.replace("10.1234/made.up", "10.1234/zz"), "zz.yml")
    assert [source.identifier for source in load.load(tmp_path)] == ["made-up-eyes", "zz"]
    with pytest.raises(InputError, match="holds no entries"):
        load.load(tmp_path / "nowhere")


def test_a_name_that_is_nearly_right(tmp_path, write_entry):
    write_entry(tmp_path)
    with pytest.raises(InputError, match=r"did you mean made-up-eyes\?"):
        load.find("made-up-eye", tmp_path)
    assert load.find("made-up-eyes", tmp_path) == load.find(str(tmp_path / "made-up-eyes.yml"))


def test_snomed_check_digits():
    assert all(map(is_snomed, ["73211009", "4855003", "38341003", "193570009"]))
    assert not any(map(is_snomed, ["73211008", "4855030", "12", "", "x4855003", "4855003 "]))
