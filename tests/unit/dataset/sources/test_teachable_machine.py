import io
import json
import stat
import zipfile

import pytest
from PIL import Image

from shutterless.dataset.importer import import_dataset
from shutterless.dataset.sources import teachable_machine
from shutterless.dataset.sources.teachable_machine import TOO_LARGE, read_teachable_machine
from shutterless.utils.progress import silent

MANIFEST = {"type": "image", "version": "2.4.7", "appdata": {"trainEpochs": 50}}


def picture(number: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (number * 9, 80, 99)).save(stream, "JPEG")
    return stream.getvalue()


@pytest.fixture
def project(tmp_path):
    """Write a project with these members, and a manifest; None leaves it out."""

    def write(members, manifest=MANIFEST):
        with zipfile.ZipFile(tmp_path / "project.tm", "w", zipfile.ZIP_DEFLATED) as archive:
            if manifest is not None:
                archive.writestr("manifest.json", json.dumps(manifest))
            for name, data in members.items():
                archive.writestr(name, data)
        (tmp_path / "unpacked").mkdir(exist_ok=True)
        return tmp_path / "project.tm"

    return write


def test_the_classes_of_a_project_become_labels(project, tmp_path):
    members = {f"Class {n % 2}-!-{n}.jpg": picture(n) for n in range(4)}
    members["a/b-!-7.png"] = picture(9)
    result = import_dataset(project(members), tmp_path / "photos", progress=silent)
    assert result.format == "teachable-machine"
    assert result.counts() == {"Class 0": {"new": 2}, "Class 1": {"new": 2}, "a/b": {"new": 1}}
    assert result.renamed == {"a/b": "a-b"}
    assert (tmp_path / "photos/Class 1/000001.jpg").read_bytes() == picture(1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "project.tm", "unpacked"]


def test_names_in_the_archive_are_never_paths(project, tmp_path):
    link = zipfile.ZipInfo("hat-!-2.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = project({"../../x-!-0.jpg": picture(0), "/etc/x-!-1.jpg": picture(1), link: "/etc/passwd"})
    records = read_teachable_machine(file, tmp_path / "unpacked").to_listing()
    assert [photo.path for photo in records.photos] == ["000000.jpg", "000001.jpg"]
    assert sorted(path.name for path in (tmp_path / "unpacked").iterdir()) == ["000000.jpg", "000001.jpg"]


@pytest.mark.parametrize(
    ("members", "manifest"),
    [
        ({"hat-!-0.jpg": b""}, None),
        ({"hat-!-0.jpg": b""}, {"type": "audio"}),
        ({"hat-!-0.jpg": b""}, [1]),
        ({"hat-!-0.zip": b"", "samples.json": b""}, MANIFEST),
        ({"manifest.json/": b""}, MANIFEST | {"type": "x" * (2 << 20)}),
    ],
)
def test_what_is_no_image_project_is_refused(project, tmp_path, refusal, members, manifest):
    file = project(members, manifest)
    assert refusal(lambda: read_teachable_machine(file, tmp_path / "unpacked")) == "unreadable-export"


def test_bombs_are_left_out_or_refused(project, tmp_path, refusal, monkeypatch):
    file = project({"hat-!-0.jpg": bytes(20_000_001), "hat-!-1.jpg": picture(1)})
    assert file.stat().st_size < 100_000
    listing = read_teachable_machine(file, tmp_path / "unpacked").to_listing()
    assert (len(listing.photos), listing.skipped) == (1, {TOO_LARGE: ["hat-!-0.jpg"]})
    monkeypatch.setattr(teachable_machine, "MAX_TOTAL_BYTES", 1000)
    assert refusal(lambda: read_teachable_machine(file, tmp_path / "unpacked")) == "unreadable-export"
    monkeypatch.setattr(teachable_machine, "MAX_MEMBERS", 2)
    assert refusal(lambda: read_teachable_machine(file, tmp_path / "unpacked")) == "unreadable-export"


@pytest.mark.parametrize("cut", [10, 200, -30])
def test_a_damaged_or_encrypted_project_is_refused(project, tmp_path, refusal, cut):
    file = project({"hat-!-0.jpg": picture(0)})
    data = file.read_bytes()
    file.write_bytes(data[:cut])
    assert refusal(lambda: read_teachable_machine(file, tmp_path / "unpacked")) == "unreadable-export"
    file.write_bytes(
        data.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00")
    )
    assert refusal(lambda: read_teachable_machine(file, tmp_path / "unpacked")) == "unreadable-export"
