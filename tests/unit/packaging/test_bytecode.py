import sys

import pytest

from shutterless.errors import PackagingError
from shutterless.packaging import bytecode
from shutterless.packaging.bytecode import Python, compile_layers, local_python


def test_a_base_image_that_cannot_load_litert_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bytecode, "ENTRY_MODULES", ("json",))
    library = tmp_path / "opt" / "shutterless" / "dependencies" / "ai_edge_litert" / "libLiteRt.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"a library for another system")
    with pytest.raises(PackagingError) as caught:
        compile_layers([tmp_path], Python((sys.executable,), is_base=True))
    assert caught.value.code == "unusable-base-image"


@pytest.mark.parametrize(
    ("variable", "folder"),
    [
        ("PATH", "."),
        ("PYENV_ROOT", "versions/3.99.5/bin"),
        ("UV_PYTHON_INSTALL_DIR", "cpython-3.99.5-linux/bin"),
    ],
)
def test_a_python_of_the_container_s_version_is_found(variable, folder, tmp_path, monkeypatch):
    for name in ("PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setattr(bytecode, "PYTHON", (3, 99))
    assert local_python() is None
    file = tmp_path / variable / folder / "python3.99"
    file.parent.mkdir(parents=True)
    file.write_text("#!/bin/sh\necho Python 3.99.5\n")
    file.chmod(0o755)
    python = local_python()
    assert python is not None
    assert python.version == "3.99.5"


def test_a_command_that_only_complains_is_no_python(tmp_path, monkeypatch):
    (tmp_path / "python3.99").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "python3.99").chmod(0o755)
    for name in ("PATH", "PYENV_ROOT", "UV_PYTHON_INSTALL_DIR"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(bytecode, "PYTHON", (3, 99))
    assert local_python() is None
