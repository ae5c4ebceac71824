"""The project's own catalogue: enough entries, every field with evidence or "not checked", levels that code proves."""

import html

import pytest

from avatarlib import manifests
from avatarlib.catalogue import browse, export, images, load, pages, table, verified
from avatarlib.catalogue.criteria import CRITERIA
from avatarlib.catalogue.model import citations
from avatarlib.catalogue.vocabulary import vocabulary
from avatarlib.errors import InputError
from avatarlib.eyes.cohort import COLUMNS, MODALITIES, SIDES
from avatarlib.eyes.folder import read, save_imagefolder

SOURCES = load.load()
BY_NAME = {source.identifier: source for source in SOURCES}
MIRRORED = [source for source in SOURCES if source.mirror is not None]


def test_enough_sources_of_every_field():
    assert len(SOURCES) >= 60
    assert sum(source.level >= "V1" for source in SOURCES) >= 35
    assert {source.field for source in SOURCES} == {
        "ophthalmology",
        "sequences",
        "audiology",
        "cardiology",
        "neurology",
        "radiology",
        "critical-care",
        "study-metadata",
    }
    addresses = " ".join(f"{s.addresses.page} {s.addresses.doi} {s.addresses.record}" for s in SOURCES)
    assert all(known in addresses for known in ("29949926", "29949713", "synth_iris"))


def test_no_field_is_without_evidence_or_not_checked():
    for source in SOURCES:
        for field, cited in citations(source):
            assert all(key in source.evidence for key in cited), (source.identifier, field)
        for name in CRITERIA:
            criterion = getattr(source.criteria, name)
            assert (criterion.grade is None) == (criterion.evidence == ()), (source.identifier, name)
    shares = table.not_checked(SOURCES)
    assert len(shares) == 9 and shares.share.between(0, 1).all()
    assert (shares.set_index("field").sources.drop("labels.side") == len(SOURCES)).all()


def test_scenarios_and_use_cases_are_served():
    assert (table.matrix(SOURCES).sum(axis=1) > 0).sum() >= 6
    for name in vocabulary().use_cases:
        page = pages.use_case(name, SOURCES)
        assert sum(page["counts"].values()) >= len(page["first"]) + len(page["blocked"]) > 0


def test_sources_that_are_not_open():
    internal = load.load_internal()
    assert [source.identifier for source in internal] == ["hearing-acoustics-study", "iris-study"]
    assert all(name in BY_NAME for source in internal for name in source.instead)
    assert all("who decides" in pages.internal(source) for source in internal)


def test_every_entry_can_be_shown():
    for source in SOURCES:
        text = pages.entry(source)
        assert source.title in text and all(f"{key}: " in text for key in source.evidence)
        assert all(len(proof["sha256"]) == (0 if proof["level"] == "V0" else 64) for proof in verified.proofs(source))


def test_the_whole_catalogue_is_valid_as_csv_and_croissant(tmp_path):
    import frictionless
    import mlcroissant

    export.export(SOURCES, "csv", tmp_path / "csv")
    assert frictionless.validate(str(tmp_path / "csv" / "datapackage.json")).valid
    export.export(SOURCES, "croissant", tmp_path / "croissant")
    for source in SOURCES:
        read = mlcroissant.Dataset(str(tmp_path / "croissant" / f"{source.identifier}.json")).metadata
        assert not read.ctx.issues.errors and read.name == source.title and read.to_json()["usageInfo"]


@pytest.mark.mirror
def test_the_whole_catalogue_conforms_as_healthdcat(tmp_path, mirror):
    import pyshacl

    export.export(SOURCES, "healthdcat", tmp_path / "out")
    shapes = mirror / "catalogue" / "HealthDCAT-AP_release-6_public-shapes.ttl"
    options = {"shacl_graph": str(shapes), "shacl_graph_format": "turtle", "data_graph_format": "json-ld"}
    conforms, _, text = pyshacl.validate(str(tmp_path / "out" / "public.jsonld"), **options)
    assert conforms, text[:2000]


def test_the_table_holds_every_source_and_no_script_of_a_stranger():
    page = browse.page(SOURCES)
    assert page.count("<tr") == len(SOURCES) + 1 and page.count("<script") == page.count("</script>") == 1
    assert all(html.escape(source.title) in page for source in SOURCES)
    hostile = SOURCES[0].model_copy(update={"title": "<img src=x onerror=alert(1)>", "about": '"><script>'})
    assert "<img" not in browse.page([hostile]) and browse.page([hostile]).count("<script") == 1
    assert "\\<img" in pages.use_case_page(hostile.use_cases[0], [hostile])


def test_the_hash_of_v1_is_that_of_the_words():
    from avatarlib.run.store import text_sha256

    source = next(source for source in SOURCES if source.level == "V1")
    proof = next(proof for proof in verified.proofs(source) if proof["level"] == "V1")
    entry = next(entry for entry in source.verification if entry.level == "V1")
    assert proof["sha256"] == text_sha256("".join(source.evidence[key].words + "\n" for key in entry.evidence))


def test_every_mirrored_source_is_in_the_catalogue():
    # FHIR packages and their test resources are definitions and made-up examples, which show nobody and are not graded.
    data = [name for name in manifests.sources() if not manifests.source(name).modality.startswith("fhir")]
    assert sorted(source.mirror for source in MIRRORED) == data


@pytest.mark.mirror
@pytest.mark.parametrize("name", [source.identifier for source in MIRRORED])
def test_levels_are_counted_again(name, mirror):
    source = BY_NAME[name]
    counted = verified.recount(source)
    assert "V2" <= source.level <= counted.level, counted  # never more than what was counted
    assert counted.schema and all(counted.counts.values())
    if source.level == "V3":
        assert counted.counts[source.size.unit] == source.size.value


def test_what_is_not_mirrored_can_not_be_counted():
    source = next(source for source in SOURCES if source.mirror is None)
    with pytest.raises(InputError, match="is not mirrored"):
        verified.recount(source)
    with pytest.raises(InputError, match="no mirrored images"):
        images.mapping(source)


def test_chase_db1_maps_to_the_columns_of_an_image_folder():
    """By hand: 14 children, Image_01L.jpg to Image_14R.jpg, each eye once."""
    table_ = images.mapping(BY_NAME["chase-db1"])
    expected = [
        (f"eye_{2 * n - (side == 'L'):06d}.png", f"{n:02d}", word, "", "fundus", f"Image_{n:02d}{side}.jpg", 0, False)
        for n in range(1, 15)
        for side, word in (("L", "left"), ("R", "right"))
    ]
    assert list(table_.itertuples(index=False, name=None)) == expected


@pytest.mark.parametrize("name", [source.identifier for source in images.mirrored(SOURCES)])
def test_a_mapping_is_harmonised(name):
    mapped = images.mapping(BY_NAME[name])
    assert list(mapped.columns[:5]) == list(COLUMNS) and mapped.file_name.is_unique and mapped.source_name.is_unique
    assert set(mapped.side) <= {*SIDES, ""} and set(mapped.sex) == {""} and set(mapped.modality) <= set(MODALITIES)
    assert (mapped.person != "").all()
    assert len(mapped) == len(manifests.source(BY_NAME[name].mirror).checksums)


@pytest.mark.mirror
def test_images_load_and_come_back_as_a_folder(mirror, tmp_path, monkeypatch):
    monkeypatch.setenv("AVATAR_RESULTS", str(tmp_path))
    for source in {s.identifier: s for s in [*images.redistributable(SOURCES), BY_NAME["chase-db1"]]}.values():
        cohort = images.load(source, closing=True)
        assert len(cohort) == len(manifests.source(source.mirror).checksums) and cohort.images.shape[2] <= 320
        save_imagefolder(tmp_path / source.identifier, cohort)
        again = read(tmp_path / source.identifier, role="originals").table
        for column in ("person", "side", "modality"):
            assert again[column].tolist() == cohort.table[column].tolist()


@pytest.mark.mirror
def test_reserved_people_stay_closed(mirror):
    cohort = images.load(BY_NAME["iitd-iris"])
    assert len(set(cohort.table.person)) == 100 and not cohort.table.reserved.any()
