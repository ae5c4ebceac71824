"""FHIR packages and resources from strangers: read as they are, refused by name where they are not what they say."""

import gzip
import io
import json
import subprocess
import sys
import tarfile

import pytest

from avatarlib import manifests
from avatarlib.errors import InputError
from avatarlib.fhir import packages, stream
from avatarlib.fhir.archive import Limits, files

HEADER = {"name": "own.package", "version": "1.0.0", "fhirVersions": ["4.0.1"]}
PROFILE = {"resourceType": "StructureDefinition", "fhirVersion": "4.0.1", "url": "urn:x", "type": "Patient"}


def pack(path, members, kind=tarfile.REGTYPE, link=""):
    """Write a .tgz of (name, bytes)."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(data), kind if name.endswith("x.json") else b"0", link
            archive.addfile(member, io.BytesIO(data))
    return path


def package(path, resources=(), header=HEADER):
    named = [(f"package/{name}", json.dumps(value).encode()) for name, value in resources]
    return pack(path, [*named, ("package/package.json", json.dumps(header).encode())])


def read(path):
    return list(packages.entries(packages.read_package(path)))


def test_archive_and_folder_give_the_same(tmp_path):
    resources = [("Patient-a.json", {"resourceType": "Patient", "name": [{"family": "Müller"}]}),
                 ("examples/b.json", {"resourceType": "Patient"}), (".index.json", {"files": []})]  # fmt: skip
    archive = package(tmp_path / "p.tgz", resources)
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "folder", filter="data")
    found = [[(e.file, e.example, e.resource) for e in read(path)] for path in
             (archive, tmp_path / "folder", tmp_path / "folder" / "package")]  # fmt: skip
    assert found[0] == [(name, "examples" in name, value) for name, value in resources[:2]]
    assert sorted(found[0], key=str) == sorted(found[1], key=str) == sorted(found[2], key=str)


def test_header():
    own = {package.name: package for package in packages.named(["embedded"])}
    assert {"avatarlib.eye-study", "avatarlib.eye-pass"} <= set(own)
    assert own["avatarlib.eye-study"].label == "avatarlib.eye-study#1.0.0"
    assert own["avatarlib.eye-study"].licence == "Apache-2.0"
    assert own["avatarlib.eye-study"].dependencies == {"hl7.fhir.r4.core": "4.0.1"}


@pytest.mark.parametrize("name", ["../x.json", "/etc/x.json", "package/../../x.json", "..\\x.json", "C:/x.json"])
def test_a_name_that_leads_out_is_refused(tmp_path, name):
    path = pack(tmp_path / "p.tgz", [(name, b"{}"), ("package/package.json", json.dumps(HEADER).encode())])
    with pytest.raises(InputError, match="leads out of the archive"):
        read(path)
    assert [found.name for found in tmp_path.iterdir()] == ["p.tgz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = pack(tmp_path / "p.tgz", [("package/x.json", b"")], kind, "/etc/passwd")
    with pytest.raises(InputError, match="package/x.json is a link or a device"):
        read(path)


def test_a_link_in_a_folder_is_refused(tmp_path):
    folder = tmp_path / "p" / "package"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps(HEADER))
    (folder / "z.json").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="z.json is a link"):
        read(tmp_path / "p")


def test_limits(tmp_path):
    path = package(tmp_path / "p.tgz", [(f"{k}.json", {"resourceType": "Patient", "id": "x" * 900}) for k in range(9)])
    every = len(list(files(path, lambda name: True)))
    assert len(list(files(path, lambda name: True, Limits(files=every)))) == every == 10
    for limits, text in ((Limits(files=9), "more than 9 files"), (Limits(file_bytes=500), "larger than 500 bytes"),
                         (Limits(total_bytes=5_000), "unpacks to more than 5,000 bytes")):  # fmt: skip
        with pytest.raises(InputError, match=text):
            list(files(path, lambda name: True, limits))


def test_a_bomb_is_refused_even_where_its_member_is_not_wanted(tmp_path):
    path = tmp_path / "bomb.tgz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        member = tarfile.TarInfo("package/picture.png")
        member.size = 3 << 30
        file.write(member.tobuf() + bytes(1 << 20))
    with pytest.raises(InputError, match=r"picture.png is larger than 67,108,864 bytes"):
        packages.read_package(path)


def test_a_member_given_twice_is_refused(tmp_path):
    members = [
        ("package/package.json", json.dumps(HEADER).encode()),
        ("package/a.json", json.dumps(PROFILE).encode()),
        ("./package/a.json", b"{}"),
    ]
    with pytest.raises(InputError, match="holds package/a.json twice"):
        read(pack(tmp_path / "p.tgz", members))


@pytest.mark.parametrize("content", [b"", b"no gzip", gzip.compress(b"no tar" * 200), "truncated"])
def test_a_damaged_archive_is_named(tmp_path, content):
    if content == "truncated":
        content = package(tmp_path / "whole.tgz", [("a.json", PROFILE)]).read_bytes()[:150]
    (tmp_path / "p.tgz").write_bytes(content)
    with pytest.raises(InputError, match=r"p\.tgz (is damaged|is no FHIR package)"):
        read(tmp_path / "p.tgz")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({**HEADER, "fhirVersions": ["3.0.2"]}, r'package.json: FHIR version "3.0.2"'),
        ({**HEADER, "fhirVersions": "4.0.1"}, "fhirVersions is no list"),
        ({"version": "1.0.0"}, "name is missing"),
        ({**HEADER, "name": "a\x1b[2J"}, "name is missing or no text"),
        ({**HEADER, "dependencies": [1]}, "dependencies is no object"),
        ([HEADER], "wanted a JSON object"),
    ],
)
def test_wrong_headers(tmp_path, header, text):
    with pytest.raises(InputError, match=text):
        packages.read_package(package(tmp_path / "p.tgz", header=header))


def test_wrong_version_of_a_definition_is_named(tmp_path):
    path = package(tmp_path / "p.tgz", [("Good.json", PROFILE), ("Bad.json", PROFILE | {"fhirVersion": "5.0.0"})])
    with pytest.raises(InputError, match=r'p.tgz: package/Bad.json: FHIR version "5.0.0"'):
        read(path)


def test_no_package(tmp_path):
    for path, text in ((tmp_path / "nowhere.tgz", "does not exist"), (tmp_path, "is no FHIR package")):
        with pytest.raises(InputError, match=text):
            packages.read_package(path)
    with pytest.raises(InputError, match="given twice"):
        packages.named(["embedded", "embedded"])
    with pytest.raises(InputError, match="holds iris, not FHIR packages"):
        packages.named(["iitd_iris"])


MALFORMED = {
    b'{"resourceType": "Patient",}': "line 1, column",
    b'{"resourceType": "Patient", "a": NaN}': "NaN is no JSON",
    b'{"resourceType": "Pat': "Unterminated",
    b"\xff\xfe{}": "invalid start byte",
    b'{"resourceType": "Patient", "a": "\\ud800"}': "lone surrogate",
    b'{"a":' * 100_000: "nested too deeply",
    b'{"a": ' + b"9" * 5000 + b"}": "is not JSON",
    b"[]": "wanted a JSON object",
    b'{"a": 1}': "no resourceType",
}


@pytest.mark.parametrize("content", MALFORMED, ids=list(MALFORMED.values()))
def test_malformed_json_is_named(tmp_path, content):
    header = ("package/package.json", json.dumps(HEADER).encode())
    path = pack(tmp_path / "p.tgz", [header, ("package/Bad-1.json", content)])
    with pytest.raises(InputError, match=f"p.tgz: package/Bad-1.json.*{MALFORMED[content]}"):
        read(path)


@pytest.mark.parametrize("content", MALFORMED)
def test_malformed_json_is_named_where_it_is_streamed(tmp_path, content):
    for name in ("a.json", "a.ndjson"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            list(stream.read_resources(tmp_path / name))


def bundle(*entries):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": entry} for entry in entries]}


PEOPLE = [{"resourceType": "Patient", "id": str(k), "text": "ä" * k, "n": 1.5 * k} for k in range(40)]


@pytest.mark.parametrize("chunk", [1, 7, 64, 1 << 20])
def test_streamed_is_what_is_parsed(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(stream, "CHUNK", chunk)
    value = bundle(*PEOPLE) | {"total": 123456}
    for text in (json.dumps(value), json.dumps(value, indent=2, ensure_ascii=False), "\ufeff" + json.dumps(value)):
        (tmp_path / "b.json").write_text(text, encoding="utf-8")
        found = list(stream.read_resources(tmp_path / "b.json"))
        assert [one.resource for one in found] == PEOPLE
        assert found[3].place == "entry[3].resource"
    (tmp_path / "late.json").write_text(json.dumps({"entry": value["entry"], "resourceType": "Bundle"}))
    assert [one.resource for one in stream.read_resources(tmp_path / "late.json")] == PEOPLE


def test_what_only_looks_like_a_bundle(tmp_path):
    value = {"resourceType": "List", "entry": [{"item": {"reference": "Patient/1"}}]}
    (tmp_path / "l.json").write_text(json.dumps(value))
    assert [one.resource for one in stream.read_resources(tmp_path / "l.json")] == [value]
    (tmp_path / "e.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [{"fullUrl": "urn:x"}]}))
    assert list(stream.read_resources(tmp_path / "e.json")) == []
    entry = {"fullUrl": "urn:uuid:1", "resource": PEOPLE[0]}
    (tmp_path / "f.json").write_text(json.dumps({"resourceType": "Bundle", "entry": [entry]}))
    assert [one.full_url for one in stream.read_resources(tmp_path / "f.json")] == ["urn:uuid:1"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"resourceType": "Bundle", "entry": [{"resource": {"id": "1"}}]}', r"entry\[0\].resource is no FHIR"),
        ('{"resourceType": "Bundle", "entry": [1]}', r"entry\[0\] is not an object"),
        ('{"resourceType": "Bundle", "entry": [{} {}]}', "wanted ','"),
        ('{"resourceType": "Bundle", "entry": [{}', "found the end"),
        ('{"resourceType": "Patient"} {}', "something follows"),
        ('{"resourceType": "Patient" "id": "1"}', "wanted ','"),
        ('{resourceType: "Patient"}', "quotation marks"),
        ('{"resourceType": "Patient", "name": "\\ud800"}', "lone surrogate"),
    ],
)
def test_wrong_bundles(tmp_path, text, what):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(InputError, match=f"b.json.*{what}"):
        list(stream.read_resources(tmp_path / "b.json"))


def test_one_resource_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "RESOURCE_BYTES", 10_000)
    monkeypatch.setattr(stream, "CHUNK", 1_000)
    (tmp_path / "b.json").write_text(json.dumps(bundle({"resourceType": "Binary", "data": "A" * 50_000})))
    with pytest.raises(InputError, match="longer than 10,000 characters"):
        list(stream.read_resources(tmp_path / "b.json"))


def test_a_large_bundle_takes_little_memory(tmp_path):
    entry = json.dumps({"resource": {"resourceType": "Observation", "note": [{"text": "x" * 1000}]}})
    with open(tmp_path / "b.json", "w") as file:
        file.write('{"resourceType": "Bundle", "entry": [' + entry)
        for _ in range(200):
            file.write(("," + entry) * 1000)
        file.write("]}")
    assert (tmp_path / "b.json").stat().st_size > 200e6
    program = "import resource, sys; from pathlib import Path; from avatarlib.fhir import stream\n"
    program += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    program += "n = sum(1 for _ in stream.read_resources(Path(sys.argv[1])))\n"
    program += "print(n, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    shown = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "b.json"], capture_output=True, text=True, check=True
    )
    n, more = map(int, shown.stdout.split())
    assert n == 200_001 and more < 40_000 * (1024 if sys.platform == "darwin" else 1)


def test_sources_are_declared():
    for name in ("fhir_packages", "fhir_packages_testdata"):
        assert manifests.source(name).folder == "fhir" and manifests.source(name).use == "open"


def test_the_mirror(mirror):
    found = packages.named(["fhir_packages"])
    assert len(found) == 16
    assert sum(package.licence is None for package in found) == 8
    assert len(list(stream.read_resources(packages.test_resources("fhir_packages")))) == 681
