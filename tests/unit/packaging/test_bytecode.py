import sys

import pytest

from shutterless.errors import PackagingError
from shutterless.packaging import bytecode
from shutterless.packaging.bytecode import Python, compile_layers


def test_a_base_image_that_cannot_load_litert_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bytecode, "ENTRY_MODULES", ("json",))
    library = tmp_path / "opt" / "shutterless" / "dependencies" / "ai_edge_litert" / "libLiteRt.so"
    library.parent.mkdir(parents=True)
    library.write_bytes(b"a library for another system")
    with pytest.raises(PackagingError) as caught:
        compile_layers([tmp_path], Python((sys.executable,), is_base=True))
    assert caught.value.code == "unusable-base-image"
