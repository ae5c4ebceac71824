"""Real eyes: loaded through one function, checked, and kept where their licence keeps them."""

import dataclasses
import os

import numpy as np
import pytest

from avatarlib import augment, manifests
from avatarlib.errors import InputAbsent, InputError, LicenceError
from avatarlib.eyes import real
from avatarlib.eyes.cohort import Cohort


def test_every_source_is_declared_in_full():
    for name in manifests.sources():
        source = manifests.source(name)
        assert source.licence and source.terms and source.cite and source.checksums and source.bytes
        assert all(len(digest) == 64 for digest in source.checksums.values())
        if source.modality in ("sequence", "fhir", "fhir-resources"):
            assert source.use == "open"
            continue
        assert source.evaluation_only
        people = {real.NAMES[name].fullmatch(file)["person"] for file in source.checksums}
        assert len(people) == source.people
    with pytest.raises(InputError, match="vg_1mb1kgp is no source of eyes .sequence.; those are chase_db1, iitd_iris"):
        real.load("vg_1mb1kgp")
    with pytest.raises(InputError, match="no source is called"):
        manifests.source("nobody")


def test_iris(mirror):
    cohort = real.load("iitd_iris", people=["001", "020"])
    assert cohort.images.shape == (20, 240, 320) and cohort.evaluation_only
    assert set(cohort.table.person) == {"001", "020"} and not cohort.table.reserved.any()
    sides = cohort.table.groupby(["person", "side"]).capture.max()
    assert sides["001", "left"] == 9 and sides["020", "left"] == sides["020", "right"] == 4


def test_fundus(mirror):
    chase, ridb = real.load("chase_db1", people=["01"]), real.load("ridb", people=["01", "02"])
    assert chase.images.shape[0] == 2 and chase.images.shape[3] == 3 and set(chase.table.side) == {"left", "right"}
    assert len(ridb) == 10 and ridb.table.capture.max() == 4 and set(ridb.table.side) == {""}


def test_reserved_people_stay_closed():
    for people in (["101"], ["001", "112"]):
        with pytest.raises(InputError, match="reserved for a closing run"):
            real.load("iitd_iris", people=people)
    with pytest.raises(InputError, match="has no people 999"):
        real.load("iitd_iris", people=["999"])


def test_without_mirror_it_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.delenv(manifests.MIRROR, raising=False)
    with pytest.raises(InputAbsent, match=f"requested at https.*{manifests.MIRROR}"):
        real.load("iitd_iris", people=["001"])
    monkeypatch.setenv(manifests.MIRROR, str(tmp_path))
    with pytest.raises(InputAbsent, match="is missing"):
        real.load("iitd_iris", people=["001"])


def test_another_file_than_the_declared_is_refused(monkeypatch, tmp_path):
    source = manifests.source("ridb")
    file = next(iter(source.checksums))
    (tmp_path / source.folder).mkdir()
    (tmp_path / source.folder / file).write_bytes(b"something else")
    monkeypatch.setenv(manifests.MIRROR, str(tmp_path))
    with pytest.raises(InputError, match="SHA-256 differs"):
        manifests.fetch(source, [file])
    with pytest.raises(InputError, match="declares no file"):
        manifests.fetch(source, ["../../etc/passwd"])


def test_download_from_a_pinned_address(monkeypatch, tmp_path, caplog):
    """The real download code, against a server on this machine."""
    import functools
    import hashlib
    import http.server
    import threading

    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "a.bin").write_bytes(b"eye")
    quiet = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *a: None})
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(quiet, directory=str(tmp_path / "www"))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.delenv(manifests.MIRROR, raising=False)
    monkeypatch.setenv("AVATAR_RESULTS", str(tmp_path / "results"))
    url = f"http://127.0.0.1:{server.server_port}/"
    good = {"a.bin": hashlib.sha256(b"eye").hexdigest()}
    source = dataclasses.replace(manifests.source("ridb"), url=url, checksums=good)
    assert manifests.fetch(source, ["a.bin"])[0].read_bytes() == b"eye"
    assert source.licence in caplog.text and "1 files, 3.0 MB" in caplog.text
    with pytest.raises(InputAbsent, match="can't be downloaded"):
        manifests.fetch(dataclasses.replace(source, checksums={"b.bin": "0" * 64}), ["b.bin"])
    server.shutdown()


@pytest.fixture
def project(monkeypatch, tmp_path):
    monkeypatch.setenv("AVATAR_ROOT", str(tmp_path))
    monkeypatch.delenv("AVATAR_RESULTS", raising=False)
    for name in ("results", "figures", "executed", "checkpoints"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.fixture
def secret():
    import pandas as pd

    return Cohort(np.zeros((4, 8, 8), np.uint8), pd.DataFrame({"person": list("abcd"), "side": "left"}), True)


def test_evaluation_only_goes_below_results_alone(project, secret):
    manifests.guard_write(project / "results" / "x", secret)
    os.symlink(project / "figures", project / "results" / "link")
    for place in ("figures/x", "executed/x", "checkpoints", "results/../figures/x", "results/link/x", "elsewhere", "."):
        with pytest.raises(LicenceError, match="evaluation only"):
            manifests.guard_write(project / place, secret)
    with pytest.raises(LicenceError):
        manifests.guard_write("/tmp/out", secret)


def test_results_can_not_be_moved_into_what_is_kept(project, secret, monkeypatch):
    monkeypatch.setenv("AVATAR_RESULTS", str(project / "figures"))
    with pytest.raises(LicenceError):
        manifests.guard_write(project / "figures" / "x", secret)


def test_derived_cohorts_keep_the_mark(secret):
    for derived in (
        secret[:2],
        secret[np.array([True, False, True, False])],
        secret[[0, 1]],
        augment.mirror_cohort(secret),
        dataclasses.replace(secret, images=secret.images + 1),
    ):
        assert derived.evaluation_only
