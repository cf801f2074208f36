import os
import tarfile

from shutterless.packaging import layers


def files(folder):
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_wheels_are_unpacked_without_what_serving_never_loads(wheel, tmp_path):
    made = wheel(
        "several",
        {
            "PIL/Image.py": "",
            "PIL/Image.pyi": "",
            "PIL/_imagingft.cpython-313-x86_64-linux-gnu.so": "",
            "h11/tests/test_x.py": "",
            "h11/include/x.h": "",
            "ai_edge_litert/__init__.py": "",
            "ai_edge_litert/aot/core.py": "",
            "ai_edge_litert/libLiteRt.so": "",
            "ai_edge_litert/libLiteRtWebGpuAccelerator.so": "",
            "ai_edge_litert/libpywrap_litert_common.so": "",
        },
    )
    layers.write_dependencies(tmp_path / "layer", [made])
    assert files(tmp_path / "layer") == [
        "PIL/Image.py",
        "ai_edge_litert/libLiteRt.so",
    ]


def test_a_wheels_data_folder_is_installed_as_pip_would(wheel, tmp_path):
    made = wheel(
        "x", {"x-1.0.data/purelib/x.py": "", "x-1.0.data/scripts/x": "", "x-1.0.data/headers/x.h": ""}
    )
    layers.write_dependencies(tmp_path / "layer", [made])
    assert files(tmp_path / "layer") == ["x.py"]


def test_the_runtime_layer_has_the_runtime_and_nothing_else_of_ours(tmp_path):
    layers.write_runtime(tmp_path)
    root = tmp_path / "shutterless"
    assert sorted(entry.name for entry in root.iterdir()) == ["__init__.py", "errors.py", "runtime"]
    assert (root / "runtime" / "page" / "index.html").is_file()
    assert not [*root.rglob("__pycache__")]


def test_a_tar_does_not_depend_on_who_wrote_the_files_when_and_with_which_rights(tmp_path):
    for name, mode in (("first", 0o700), ("second", 0o777)):
        (tmp_path / name / "folder").mkdir(parents=True, mode=mode)
        (tmp_path / name / "folder" / "file").touch(mode=mode)
        os.utime(tmp_path / name / "folder", (mode, mode))
        layers.pack(tmp_path / name, tmp_path / f"{name}.tar")
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    with tarfile.open(tmp_path / "first.tar") as archive:
        members = [(entry.name, entry.mode, entry.mtime, entry.uid) for entry in archive]
    assert members == [("folder", 0o755, layers.EPOCH, 0), ("folder/file", 0o644, layers.EPOCH, 0)]
