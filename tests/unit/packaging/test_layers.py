from shutterless.packaging import layers

HOME = "opt/shutterless"


def files(folder):
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


def test_wheels_are_unpacked_without_what_serving_never_loads(wheel, tmp_path):
    made = wheel(
        "numpy",
        {
            "numpy/__init__.py": "",
            "numpy/__init__.pyi": "",
            "numpy/f2py/__init__.py": "",
            "numpy/_core/tests/test_x.py": "",
            "numpy/_core/include/numpy/arrayobject.h": "",
            "ai_edge_litert/libLiteRtWebGpuAccelerator.so": "",
            "ai_edge_litert/libpywrap_litert_common.so": "",
        },
    )
    layers.write_dependencies(tmp_path / "layer", [made])
    assert files(tmp_path / "layer" / HOME / "dependencies") == [
        "ai_edge_litert/libpywrap_litert_common.so",
        "numpy/__init__.py",
    ]


def test_a_wheels_data_folder_is_installed_as_pip_would(wheel, tmp_path):
    made = wheel(
        "x", {"x-1.0.data/purelib/x.py": "", "x-1.0.data/scripts/x": "", "x-1.0.data/headers/x.h": ""}
    )
    layers.write_dependencies(tmp_path / "layer", [made])
    assert files(tmp_path / "layer" / HOME / "dependencies") == ["x.py"]


def test_the_runtime_layer_has_the_runtime_and_nothing_else_of_ours(tmp_path):
    layers.write_runtime(tmp_path)
    root = tmp_path / HOME / "runtime" / "shutterless"
    assert sorted(entry.name for entry in root.iterdir()) == ["__init__.py", "errors.py", "runtime"]
    assert (root / "runtime" / "page" / "index.html").is_file()
    assert not [*root.rglob("__pycache__")]


def test_modes_and_times_do_not_depend_on_who_wrote_the_files_and_when(tmp_path):
    (tmp_path / "folder").mkdir(mode=0o700)
    file = tmp_path / "folder" / "file"
    file.touch(mode=0o600)
    layers.normalise(tmp_path)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "folder", file)] == [0o755, 0o644]
    assert {path.stat().st_mtime for path in (tmp_path, tmp_path / "folder", file)} == {layers.EPOCH}
