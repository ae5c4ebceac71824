"""Exports of the catalogue, each read back by the validator of its own format."""

import csv
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import frictionless
import pytest

from avatarlib.catalogue import export, load, table
from avatarlib.catalogue.export import csv_tables, usage
from avatarlib.cli import main
from avatarlib.errors import InputError

ENTRY = (Path(__file__).parent / "made-up-eyes.yml").read_text(encoding="utf-8")
RESTRICTED = (
    ENTRY.replace("identifier: made-up-eyes", "identifier: other-eyes")
    .replace("made-up-eyes.org/data", "other-eyes.org/data")
    .replace("10.1234/made.up", "10.1234/other")
    .replace("{grade: 3, mode: open", "{grade: 1, mode: agreement")
    .replace("{grade: 3, licence: CC-BY-4.0", "{grade: 2, licence: CC-BY-NC-ND-4.0")
    .replace('derivatives: "yes"', 'derivatives: "no"')
    .replace('["DUO:0000042"]', '["DUO:0000042", "DUO:0000046"]')
)


@pytest.fixture
def sources(tmp_path, write_entry):
    write_entry(tmp_path / "entries")
    write_entry(tmp_path / "entries", RESTRICTED, "other-eyes.yml")
    return load.load(tmp_path / "entries")


def test_csv_is_valid_by_frictionless(sources, tmp_path):
    export.export(sources, "csv", tmp_path / "out")
    report = frictionless.validate(str(tmp_path / "out" / "datapackage.json"))
    assert report.valid, report.flatten(["path", "rowNumber", "fieldName", "message"])
    rows = list(csv.DictReader((tmp_path / "out" / "sources.csv").open(encoding="utf-8", newline="")))
    assert [row["identifier"] for row in rows] == ["made-up-eyes", "other-eyes"]
    assert rows[0]["size"] == "28" and rows[0]["not_checked"] == "labels.sex" and rows[0]["sex"] == "unclear"
    evidence = list(csv.DictReader((tmp_path / "out" / "evidence.csv").open(encoding="utf-8", newline="")))
    assert len(evidence) == 6 and evidence[1]["fields"] == "criteria.availability; criteria.terms"


def test_the_schema_can_fail(sources, tmp_path):
    export.export(sources, "csv", tmp_path / "out")
    path = tmp_path / "out" / "sources.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("unclear", "perhaps"), encoding="utf-8")
    assert not frictionless.validate(str(tmp_path / "out" / "datapackage.json")).valid


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text):
    assert csv_tables.cell(text) == "'" + text
    assert csv_tables.cell((text, "x")).startswith("'")
    assert csv_tables.cell(-1) == "-1"  # a number is no text


def test_no_cell_of_an_export_is_a_formula(sources):
    for name, text in export.files(sources, "csv").items():
        if name.endswith(".csv"):
            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_croissant_is_read_back(sources, tmp_path, caplog):
    import mlcroissant

    export.export(sources, "croissant", tmp_path / "out")
    caplog.set_level(logging.WARNING)
    read = {
        source.identifier: mlcroissant.Dataset(str(tmp_path / "out" / f"{source.identifier}.json"))
        for source in sources
    }
    assert all(not dataset.metadata.ctx.issues.errors for dataset in read.values())
    back = {name: dataset.metadata.to_json() for name, dataset in read.items()}
    first, second = back["made-up-eyes"], back["other-eyes"]
    assert first["conformsTo"] == "http://mlcommons.org/croissant/1.1" and first["name"] == "Made-up Eyes"
    assert first["license"] == "https://spdx.org/licenses/CC-BY-4.0.html"
    assert {use.get("termCode") for use in second["usageInfo"]} == {"DUO_0000042", "DUO_0000046", None}
    offer = next(use for use in second["usageInfo"] if "termCode" not in use)
    assert offer["@type"] == "odrl:Offer"
    forbidden = {rule["odrl:action"]["@id"] for rule in offer["odrl:prohibition"]}
    assert forbidden == {"odrl:derive", "cc:CommercialUse"}


def test_rules_follow_the_terms(sources):
    first, second = (usage.rules(source) for source in sources)
    assert first["prohibition"] == [] and f"{usage.ODRL}attribute" in first["duty"]
    assert set(first["permission"]) == {
        f"{usage.ODRL}use",
        f"{usage.ODRL}derive",
        f"{usage.ODRL}distribute",
        f"{usage.CC}CommercialUse",
    }
    assert set(second["prohibition"]) == {f"{usage.ODRL}derive", f"{usage.CC}CommercialUse"}


def test_silence_permits_nothing(sources):
    terms = sources[0].criteria.terms.model_copy(update={"licence": None, "derivatives": "not stated"})
    terms = terms.model_copy(update={"redistribution": "not stated"})
    silent = sources[0].model_copy(
        update={"criteria": sources[0].criteria.model_copy(update={"terms": terms})},
    )
    assert usage.rules(silent) == {"permission": [], "prohibition": [], "duty": []}


def _conforms(path, shapes):
    import pyshacl

    return pyshacl.validate(
        str(path), data_graph_format="json-ld", shacl_graph=str(shapes), shacl_graph_format="turtle"
    )


@pytest.mark.mirror
def test_healthdcat_conforms_to_the_public_shapes(sources, tmp_path, mirror):
    shapes = mirror / "catalogue" / "HealthDCAT-AP_release-6_public-shapes.ttl"
    export.export(sources, "healthdcat", tmp_path / "out")
    conforms, _, text = _conforms(tmp_path / "out" / "public.jsonld", shapes)
    assert conforms, text
    broken = tmp_path / "broken.jsonld"
    whole = (tmp_path / "out" / "public.jsonld").read_text(encoding="utf-8")
    assert "healthdcatap:healthCategory" in whole
    broken.write_text(whole.replace("healthdcatap:healthCategory", "healthdcatap:other"), encoding="utf-8")
    assert not _conforms(broken, shapes)[0]
    conforms, _, text = _conforms(tmp_path / "out" / "not-public.jsonld", shapes)
    assert not conforms and text.count("Constraint Violation") == 1 and "PUBLIC" in text  # its access right alone


def test_healthdcat_says_what_the_entry_says(sources):
    import rdflib

    made = export.files(sources, "healthdcat")
    graph = rdflib.Graph().parse(data=json.dumps(made["public.jsonld"]), format="json-ld")
    space = rdflib.Namespace("http://healthdataportal.eu/ns/health#")
    assert [int(n) for n in graph.objects(None, space.numberOfUniqueIndividuals)] == [14]
    assert [int(n) for n in graph.objects(None, space.numberOfRecords)] == [28]
    assert str(next(graph.objects(None, space.hasCodeValues))) == "ICD-10-GM H36.0"


@pytest.mark.parametrize("form", export.FORMATS)
def test_two_exports_of_one_catalogue_are_equal(form, sources, tmp_path):
    command = [sys.executable, "-m", "avatarlib.cli", "catalogue", "export", "--catalogue", tmp_path / "entries"]
    for seed in ("1", "2"):  # of the order of sets
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([*command, "--format", form, "--out", tmp_path / seed], check=True, env=environment)
    for path in (tmp_path / "1").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / path.name).read_bytes()


def test_an_export_replaces_itself_and_nothing_else(sources, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["catalogue", "export", "--catalogue", str(tmp_path / "entries"), "--out", str(out), "--format"]
    assert main([*command, "csv"]) == 0 and main([*command, "croissant"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "catalogue-export.json",
        "made-up-eyes.json",
        "other-eyes.json",
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    for name, message in [("mine", "holds more than"), ("mine/thesis.txt", "no folder"), ("mine/thesis.txt/x", "made")]:
        with pytest.raises(InputError, match=message):
            export.export(sources, "csv", tmp_path / name)
    (out / "notes.txt").write_text("mine too")
    assert main([*command, "csv"]) == 2 and (out / "notes.txt").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["entries", "mine", "out"]
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_a_failure_leaves_nothing(sources, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "write_json", fail)
    with pytest.raises(OSError, match="No space left"):
        export.export(sources, "csv", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["entries"]


def test_search_and_shares(sources):
    def found(*words, **options):
        return [source.identifier for source in table.search(sources, words, **options)]

    assert found() == ["made-up-eyes", "other-eyes"] and found("NOBODY", "eyes") == found() and found("iris") == []
    assert found(where={"mode": "open"}) == ["made-up-eyes"]
    assert found(where={"scenario": "diabetic-retinopathy-screening", "licence": "cc-by-nc-nd-4.0"}) == ["other-eyes"]
    assert found(at_least={"terms": 3}) == ["made-up-eyes"] and found(where={"sex": "yes"}) == []
    assert found(where={"synthetic": "no"}) == found()
    shares = table.not_checked(sources).set_index("field")
    assert shares.share["labels.sex"] == 1 and shares.share.drop("labels.sex").eq(0).all() and len(shares) == 9
    assert (
        table.matrix(sources).loc["diabetic-retinopathy-screening"].all()
        and table.matrix(sources).to_numpy().sum() == 2
    )
    assert any("no word on models" in trap for trap in table.traps(sources[1]))
