"""Image folders of strangers: originals read strictly, candidates row by row."""

import os
import struct
import zlib

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from avatarlib.errors import InputError, LicenceError
from avatarlib.eyes import folder
from avatarlib.eyes.cohort import Cohort


def eye(seed=0, size=(40, 60)):
    return np.random.default_rng(seed).integers(0, 255, size).astype(np.uint8)


@pytest.fixture
def originals(tmp_path):
    path = tmp_path / "originals"
    path.mkdir()
    for i in range(3):
        Image.fromarray(eye(i)).save(path / f"{i}.png")
    rows = ["file_name,person,side"] + [f"{i}.png,p{i},left" for i in range(3)]
    (path / "metadata.csv").write_text("\n".join(rows) + "\n")
    return path


def huge_png(width, height):
    """A PNG whose header promises width × height pixels and whose body holds none."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def test_a_good_folder(originals):
    read = folder.read(originals, role="originals")
    assert read.images.shape == (3, 40, 60) and np.array_equal(read.images[1], eye(1))
    assert read.table.person.tolist() == ["p0", "p1", "p2"] and read.problems == [None] * 3 and read.notes == []
    assert len(set(read.checksums)) == 3


def harm(path, name):
    table = path / "metadata.csv"
    text = table.read_text()
    changes = {
        "not file_name first": lambda: table.write_text(text.replace("file_name", "image")),
        "ragged": lambda: table.write_text(text + "3.png,p3\n"),
        "not utf-8": lambda: table.write_bytes(text.encode() + b"\xff\xfe,p,left\n"),
        "nul": lambda: table.write_text(text + "\0,p,left\n"),
        "quote": lambda: table.write_text(text + '"3.png,p,left\n'),
        "no rows": lambda: table.write_text("file_name,person,side\n"),
        "empty file": lambda: table.write_text(""),
        "twice": lambda: table.write_text(text + "./1.png,p1,left\n"),
        "leaves": lambda: table.write_text(text + "../x.png,p1,left\n"),
        "absolute": lambda: table.write_text(text + "/etc/passwd,p1,left\n"),
        "empty name": lambda: table.write_text(text + ",p1,left\n"),
        "listed but missing": lambda: table.write_text(text + "9.png,p9,left\n"),
        "no person": lambda: table.write_text(text.replace("p1", " ")),
        "odd side": lambda: table.write_text(text.replace("left", "up", 1)),
        "column twice": lambda: table.write_text(text.replace("side", "person", 1)),
        "missing table": table.unlink,
        "truncated": lambda: (path / "1.png").write_bytes((path / "1.png").read_bytes()[:300]),
        "not an image": lambda: (path / "1.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"),
        "empty image": lambda: (path / "1.png").write_bytes(b""),
        "30,000 pixels": lambda: (path / "1.png").write_bytes(huge_png(30000, 30000)),
        "tiny": lambda: Image.new("L", (1, 1)).save(path / "1.png"),
        "unlisted": lambda: Image.fromarray(eye()).save(path / "stranger.png"),
        "link out": lambda: ((path / "1.png").unlink(), (path / "1.png").symlink_to("/etc/hostname")),
        "folder": lambda: ((path / "1.png").unlink(), (path / "1.png").mkdir()),
        "fifo": lambda: ((path / "1.png").unlink(), os.mkfifo(path / "1.png")),
        "table is a fifo": lambda: (table.unlink(), os.mkfifo(table)),
        "two pages": lambda: Image.fromarray(eye()).save(
            path / "1.png", "TIFF", save_all=True, append_images=[Image.fromarray(eye(1))]
        ),
    }
    changes[name]()


WORDS = {
    "not file_name first": "first column is file_name",
    "ragged": "row 4 has 2 fields",
    "not utf-8": "not UTF-8",
    "nul": "NUL",
    "quote": "not valid CSV",
    "no rows": "lists no image",
    "empty file": "first column is file_name",
    "twice": "listed twice",
    "leaves": "leaves the folder",
    "absolute": "leaves the folder",
    "empty name": "names no file",
    "listed but missing": "'9.png' is listed.*missing",
    "no person": "row 2 has no person",
    "odd side": "side is 'up'",
    "column twice": "column twice",
    "missing table": "no metadata.csv",
    "truncated": "'1.png'.*truncated",
    "not an image": "'1.png'.*not a readable image",
    "empty image": "'1.png' is empty",
    "30,000 pixels": "'1.png' is too large",
    "tiny": "'1.png' has 1×1",
    "unlisted": "'stranger.png' is not listed",
    "link out": "'1.png' leaves the folder",
    "folder": "'1.png'",
    "fifo": "'1.png' is not a plain file",
    "table is a fifo": "metadata.csv is not a plain file",
    "two pages": "'1.png' holds 2 pictures",
}


@pytest.mark.parametrize("name", WORDS)
def test_originals_are_refused_in_one_clear_line(originals, name):
    harm(originals, name)
    with pytest.raises(InputError, match=WORDS[name]) as caught:
        folder.read(originals, role="originals")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_words_in_the_table_may_have_spaces_around_them(originals):
    table = originals / "metadata.csv"
    table.write_text(table.read_text().replace(",left", ", left ").replace("p1", "p1 ") + ",,\n")
    read = folder.read(originals, role="originals").table
    assert set(read.side) == {"left"} and read.person.tolist() == ["p0", "p1", "p2"]


def test_candidates_that_the_table_does_not_list_are_judged_too(originals):
    Image.fromarray(eye(7)).save(originals / "extra.png")
    (originals / ".hidden").mkdir()
    (originals / "copy.gif").write_bytes(b"GIF89a")
    (originals / "link").symlink_to("/usr")
    read = folder.read(originals, role="candidates")
    assert read.table.file_name.tolist() == ["0.png", "1.png", "2.png", "extra.png"] and read.problems == [None] * 4
    assert np.array_equal(read.images[3], eye(7))
    assert read.notes == [
        "3 other files or linked or hidden folders were not looked at",
        "1 images are not listed in metadata.csv; they are the last rows",
    ]


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(InputError, match="not a folder"):
        folder.read(tmp_path / "none", role="candidates")
    with pytest.raises(InputError, match="holds no images"):
        folder.read(tmp_path, role="candidates")


@pytest.mark.parametrize("share", [i / 10 for i in range(10)])
@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp"])
def test_truncated_at_each_tenth(tmp_path, kind, share):
    Image.fromarray(eye(size=(64, 64))).save(tmp_path / f"whole.{kind}")
    data = (tmp_path / f"whole.{kind}").read_bytes()
    (tmp_path / f"cut.{kind}").write_bytes(data[: int(len(data) * share)])
    read = folder.read(tmp_path, role="candidates")
    assert read.problems[1] is None and read.problems[0]


def test_candidates_keep_their_rows(originals, tmp_path):
    path = tmp_path / "candidates"
    (path / "sub").mkdir(parents=True)
    Image.fromarray(eye(7)).save(path / "b.png")
    Image.fromarray(eye(8)).save(path / "sub" / "c.png")
    (path / "a.png").write_bytes(b"nothing")
    Image.new("L", (1, 1)).save(path / "d.png")
    (path / "e.png").write_bytes(huge_png(30000, 30000))
    read = folder.read(path, role="candidates", like=folder.read(originals, role="originals"))
    assert read.table.file_name.tolist() == ["a.png", "b.png", "d.png", "e.png", "sub/c.png"]
    assert [problem is None for problem in read.problems] == [False, True, False, False, True]
    assert np.array_equal(read.images[1], eye(7)) and not read.images[0].any()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F"])
def test_modes_become_grey_like_the_originals(originals, tmp_path, mode):
    path = tmp_path / "candidates"
    path.mkdir()
    picture = Image.fromarray(eye(1))
    if mode == "I;16":
        picture = Image.fromarray(eye(1).astype(np.uint16) * 257)
    picture = picture if mode == "I;16" else picture.convert(mode)
    picture.save(path / "x.tif")
    read = folder.read(path, role="candidates", like=folder.read(originals, role="originals"))
    assert read.problems == [None] and read.images.shape == (1, 40, 60)
    if mode in ("L", "LA", "RGB", "RGBA", "I;16", "F"):
        assert abs(read.images[0].astype(int) - eye(1)).max() <= 1
    assert bool(read.notes) == (mode not in ("L", "RGB"))


def test_sizes_are_brought_together_with_a_note(originals):
    Image.fromarray(eye(2, (80, 120))).save(originals / "2.png")
    read = folder.read(originals, role="originals")
    assert read.images.shape == (3, 40, 60) and read.notes == ["1 of 3 images were brought to 60×40 pixels"]


def test_colour_is_kept_where_there_is_any(originals):
    Image.fromarray(np.stack([eye(1), eye(2), eye(3)], axis=2)).save(originals / "2.png")
    read = folder.read(originals, role="originals")
    assert read.images.shape == (3, 40, 60, 3) and "converted to colour" in read.notes[0]


def test_names_that_hurt(tmp_path):
    for name in ("=cmd.png", "a\nb.png", "<script>.png", "x" * 250 + ".png"):
        Image.fromarray(eye()).save(tmp_path / name)
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.png", "wb") as file:
        file.write(b"x")
    read = folder.read(tmp_path, role="candidates")
    assert sum(problem is None for problem in read.problems) == 4 and len(read.table) == 5
    assert "\n" not in folder.shown("a\nb.png") and len(folder.shown("x" * 300)) <= 121


def test_persons_from_name():
    table = pd.DataFrame({"file_name": ["007_L.png", "008_R.png"]})
    assert folder.persons_from_name(table, r"^(\d+)_").person.tolist() == ["007", "008"]
    assert folder.persons_from_name(table, r"^\d+").person.tolist() == ["007", "008"]
    with pytest.raises(InputError, match="no person in '007_L.png'"):
        folder.persons_from_name(table, "z")
    with pytest.raises(InputError, match="not a regular expression"):
        folder.persons_from_name(table, "(")


def test_written_folder_is_read_back_without_metadata(tmp_path):
    cohort = Cohort(
        np.stack([eye(1), eye(2)]), pd.DataFrame({"person": ["a", "b"], "file_name": ["secret1", "secret2"]})
    )
    folder.save_imagefolder(tmp_path / "out", cohort)
    read = folder.read(tmp_path / "out", role="originals")
    assert np.array_equal(read.images, cohort.images) and read.table.person.tolist() == ["a", "b"]
    assert b"secret" not in b"".join(p.read_bytes() for p in (tmp_path / "out").iterdir())
    with pytest.raises(InputError, match="not empty"):
        folder.save_imagefolder(tmp_path / "out", cohort)


def test_evaluation_only_is_not_written(tmp_path):
    cohort = Cohort(eye()[None], pd.DataFrame({"person": ["a"]}), evaluation_only=True)
    with pytest.raises(LicenceError):
        folder.save_imagefolder(tmp_path / "out", cohort)
    assert not (tmp_path / "out").exists()


def dicom(path, pixels, *, meaning="MONOCHROME2", patient="SECRET-ID", side="R", bits=8):
    import pydicom
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName, data.PatientID, data.PatientSex, data.ImageLaterality = "SECRET^NAME", patient, "F", side
    data.Rows, data.Columns, data.SamplesPerPixel = *pixels.shape[:2], 1 if pixels.ndim == 2 else 3
    data.PhotometricInterpretation, data.BitsAllocated, data.BitsStored, data.HighBit = meaning, bits, bits, bits - 1
    data.PixelRepresentation = 0
    if pixels.ndim == 3:
        data.PlanarConfiguration = 0
    data.PixelData = pixels.tobytes()
    data.save_as(path, enforce_file_format=True)


def test_dicom_folder_drops_what_identifies(tmp_path):
    dicom(tmp_path / "1.dcm", eye(1))
    dicom(tmp_path / "2.dcm", eye(2), patient="OTHER", side="L")
    dicom(tmp_path / "3.dcm", eye(3).astype(np.uint16) * 16, bits=16)
    dicom(tmp_path / "4.dcm", 255 - eye(4), meaning="MONOCHROME1")
    read = folder.read(tmp_path, role="originals")
    assert read.table.person.tolist() == ["person 1", "person 2", "person 1", "person 1"]
    assert read.table.side.tolist() == ["right", "left", "right", "right"] and set(read.table.sex) == {"female"}
    assert abs(read.images[2].astype(int) - eye(3)).max() <= 2 and abs(read.images[3].astype(int) - eye(4)).max() <= 2
    assert "SECRET" not in repr(read.table) + repr(read.notes) and "OTHER" not in repr(read.table)


def test_damaged_dicom_is_refused(tmp_path):
    dicom(tmp_path / "1.dcm", eye(1))
    data = (tmp_path / "1.dcm").read_bytes()
    (tmp_path / "2.dcm").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="'2.dcm'"):
        folder.read(tmp_path, role="originals")
    (tmp_path / "2.dcm").write_bytes(b"DICM")
    with pytest.raises(InputError, match="'2.dcm' is not a readable DICOM"):
        folder.read(tmp_path, role="originals")
