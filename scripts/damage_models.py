"""Damaged and hostile models and bundles, the same for each seed.

A damaged model is a valid FlatBuffers file with other shapes, types, buffers, operators or options, or one
with other bytes. A damaged bundle has a good model, and a `bundle.json`, or a file in its place, that its
author made to break whoever reads it.
"""

import copy
import functools
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

INTEGERS = (-1, -2, 0, 1, 2, 3, 7, 16, 96, 255, 256, 1000, 65_535, 65_536, 10**6, 2**30, 2**31 - 1, -(2**31))
SIDES = (1, 2, 96, 1000, 65_536, -1, 0)
OPERATOR_CODES, TENSOR_TYPES, OPTION_TYPES, ACTIVATIONS = 209, 20, 127, 7
HUGE_FILE = 10**10

# One that damages a model, or the description of a bundle.
ModelDamage = Callable[[schema.ModelT, random.Random], None]
Description = dict[str, Any]
DescriptionDamage = Callable[[Description, random.Random], None]


def damage_model(content: bytes, seed: int) -> bytes:
    """Return a damaged copy of a model: mostly of its structure, of its bytes every fifth time."""
    rng = random.Random(seed)
    if seed % 5 == 0:
        return _damage_bytes(content, rng)
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(content), 0))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice(MODEL_DAMAGES)(model, rng)
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except Exception:  # some damages cannot be written
        return _damage_bytes(content, rng)
    return bytes(builder.Output())


def _damage_bytes(content: bytes, rng: random.Random) -> bytes:
    """Return a copy that is cut off, or has other bytes, half of them at its ends, where the structure is."""
    if rng.random() < 0.2:
        return content[: rng.randrange(len(content))]
    data = bytearray(content)
    for _ in range(rng.choice((1, 4, 16, 64))):
        edge = rng.randrange(min(4096, len(data)))
        place = rng.choice((edge, len(data) - 1 - edge, rng.randrange(len(data))))
        data[place] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    return bytes(data)


def _change_side(model: schema.ModelT, rng: random.Random) -> None:
    tensor = rng.choice(model.subgraphs[0].tensors)
    if tensor.shape is not None and len(tensor.shape):
        sides = [*tensor.shape]
        sides[rng.randrange(len(sides))] = rng.choice(INTEGERS)
        tensor.shape = np.array(sides, np.int32)


def _change_shape(model: schema.ModelT, rng: random.Random) -> None:
    sides = [rng.choice(SIDES) for _ in range(rng.randrange(9))]
    rng.choice(model.subgraphs[0].tensors).shape = np.array(sides, np.int32)


def _change_type(model: schema.ModelT, rng: random.Random) -> None:
    rng.choice(model.subgraphs[0].tensors).type = rng.choice((*range(TENSOR_TYPES), 127))


def _change_buffer(model: schema.ModelT, rng: random.Random) -> None:
    count = len(model.buffers)
    rng.choice(model.subgraphs[0].tensors).buffer = rng.choice((rng.randrange(count), 0, count, 10**6))


def _change_data(model: schema.ModelT, rng: random.Random) -> None:
    buffer = rng.choice(model.buffers)
    size = 0 if buffer.data is None else len(buffer.data)
    length = rng.choice((0, 1, size // 2, size))
    buffer.data = np.frombuffer(rng.randbytes(length), np.uint8) if length else None


def _change_inputs(model: schema.ModelT, rng: random.Random) -> None:
    operator = rng.choice(model.subgraphs[0].operators)
    inputs = [*map(int, operator.inputs)]
    if inputs and rng.random() < 0.5:
        inputs[rng.randrange(len(inputs))] = _any_tensor(model, rng)
    else:
        inputs = rng.choice(([], inputs[:1], [0] * 100, inputs * 2))
    operator.inputs = np.array(inputs, np.int32)


def _change_outputs(model: schema.ModelT, rng: random.Random) -> None:
    operator = rng.choice(model.subgraphs[0].operators)
    operator.outputs = np.array(rng.choice(([], [_any_tensor(model, rng)], [0] * 100)), np.int32)


def _change_ends(model: schema.ModelT, rng: random.Random) -> None:
    tensors = np.array([_any_tensor(model, rng) for _ in range(rng.randrange(3))], np.int32)
    setattr(model.subgraphs[0], rng.choice(("inputs", "outputs")), tensors)


def _any_tensor(model: schema.ModelT, rng: random.Random) -> int:
    count = len(model.subgraphs[0].tensors)
    return rng.choice((*range(count), -1, count, 10**6, -5))


def _change_operator(model: schema.ModelT, rng: random.Random) -> None:
    index = rng.choice((*range(len(model.operatorCodes)), 10**6))
    rng.choice(model.subgraphs[0].operators).opcodeIndex = index


def _change_code(model: schema.ModelT, rng: random.Random) -> None:
    code, number = rng.choice(model.operatorCodes), rng.randrange(OPERATOR_CODES)
    code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)


def _change_option(model: schema.ModelT, rng: random.Random) -> None:
    operators = [each for each in model.subgraphs[0].operators if each.builtinOptions is not None]
    if not operators:
        return
    operator = rng.choice(operators)
    options = operator.builtinOptions
    name = rng.choice([*vars(options)])
    value = getattr(options, name)
    if isinstance(value, bool):
        setattr(options, name, not value)
    elif isinstance(value, int):
        is_enumeration = "ctivation" in name or name in ("padding", "weightsFormat")
        setattr(options, name, rng.randrange(ACTIVATIONS) if is_enumeration else rng.choice(INTEGERS))
    if rng.random() < 0.3:
        operator.builtinOptionsType = rng.randrange(1, OPTION_TYPES)


def _shuffle_operators(model: schema.ModelT, rng: random.Random) -> None:
    rng.shuffle(model.subgraphs[0].operators)


def _repeat_operator(model: schema.ModelT, rng: random.Random) -> None:
    operators = model.subgraphs[0].operators
    operators += [copy.copy(rng.choice(operators)) for _ in range(rng.choice((1, 100)))]


def _remove_operator(model: schema.ModelT, rng: random.Random) -> None:
    operators = model.subgraphs[0].operators
    if operators:
        del operators[rng.randrange(len(operators))]


def _add_subgraph(model: schema.ModelT, rng: random.Random) -> None:
    model.subgraphs.append(copy.copy(model.subgraphs[0]))


def _change_quantization(model: schema.ModelT, rng: random.Random) -> None:
    parameters = schema.QuantizationParametersT()
    count = rng.choice((0, 1, 2, 1000))
    parameters.scale = np.full(count, rng.choice((0.0, -1.0, 1e-38, 1e38, np.nan, np.inf)), np.float32)
    parameters.zeroPoint = np.full(count, rng.choice((0, 255, 2**40, -(2**60))), np.int64)
    parameters.quantizedDimension = rng.choice(INTEGERS)
    rng.choice(model.subgraphs[0].tensors).quantization = parameters


MODEL_DAMAGES: tuple[ModelDamage, ...] = (
    _change_side,
    _change_shape,
    _change_type,
    _change_buffer,
    _change_data,
    _change_inputs,
    _change_outputs,
    _change_ends,
    _change_operator,
    _change_code,
    _change_option,
    _shuffle_operators,
    _repeat_operator,
    _remove_operator,
    _add_subgraph,
    _change_quantization,
)


def write_damaged_model(bundle: Path, folder: Path, seed: int) -> None:
    """Copy a bundle to a new folder, with a damaged model and its right SHA-256."""
    shutil.copytree(bundle, folder)
    model = damage_model((bundle / "model.tflite").read_bytes(), seed)
    (folder / "model.tflite").write_bytes(model)
    document = json.loads((folder / "bundle.json").read_text("utf-8"))
    document["sha256"] = hashlib.sha256(model).hexdigest()
    (folder / "bundle.json").write_text(json.dumps(document), "utf-8")


def write_damaged_bundle(bundle: Path, folder: Path, seed: int) -> None:
    """Copy a bundle to a new folder, with a damaged description or something else in place of a file."""
    rng = random.Random(seed)
    shutil.copytree(bundle, folder)
    file = folder / "bundle.json"
    kind = seed % 6
    if kind == 0:
        rng.choice(REPLACEMENTS)(folder / rng.choice(("bundle.json", "model.tflite")))
        return
    if kind == 1:
        file.write_bytes(_damage_bytes(file.read_bytes(), rng))
        return
    document = json.loads(file.read_text("utf-8"))
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(DESCRIPTION_DAMAGES)(document, rng)
    text = json.dumps(document)
    if kind == 2:
        text = rng.choice(TEXT_DAMAGES)(text)
    file.write_text(text, "utf-8")


def _values() -> tuple[Any, ...]:
    return (
        *(None, True, False, 0, 1, -1, 2**31, 10**400, 0.5, 1e308, -1e-320, float("nan"), float("inf")),
        *("", "x", "x" * 1_000_000, "../../etc", "\x1b[2J\x1b]0;title\x07", "\u202e", "\udcff", "=1+1"),
        *([], {}, [[]], ["a", "b"], ["a"] * 10, [""] * 10, {"a": {}}, ["x" * 1_000_000, "b"]),
        *(functools.reduce(lambda inner, _: [inner], range(depth), []) for depth in (10, 20, 500)),
        [*map(str, range(200_000))],
    )


def _change_member(document: Description, rng: random.Random) -> None:
    document[rng.choice([*document])] = rng.choice(_values())


def _change_inner_member(document: Description, rng: random.Random) -> None:
    members = [name for name, value in document.items() if isinstance(value, dict | list) and value]
    if not members:
        return
    inner = document[rng.choice(members)]
    key = rng.choice([*inner]) if isinstance(inner, dict) else rng.randrange(len(inner))
    inner[key] = rng.choice(_values())


def _remove_a_member(document: Description, rng: random.Random) -> None:
    if document:
        del document[rng.choice([*document])]


def _add_member(document: Description, rng: random.Random) -> None:
    document[rng.choice(("path", "model", "__class__", "version", "", "x" * 100_000))] = rng.choice(_values())


DESCRIPTION_DAMAGES: tuple[DescriptionDamage, ...] = (
    _change_member,
    _change_inner_member,
    _remove_a_member,
    _add_member,
)
TEXT_DAMAGES: tuple[Callable[[str], str], ...] = (
    lambda text: text.replace("{", '{"name": "twice", "name": "again", ', 1),
    lambda text: "[" * 100_000 + text,
    lambda text: text * 2,
    lambda text: text + " " * 11_000_000,
    lambda text: text.replace(":", ": 1e999, :", 1),
    lambda text: text.replace("0", "9" * 5000, 1),
    lambda text: "\ufeff" + text,
)


def _make_hole(file: Path) -> None:
    file.write_bytes(b"")
    os.truncate(file, HUGE_FILE)


def _put(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def replace(file: Path) -> None:
        file.unlink()
        make(file)

    return replace


REPLACEMENTS: tuple[Callable[[Path], None], ...] = (
    _put(lambda file: None),
    _put(Path.mkdir),
    _put(os.mkfifo),
    _put(lambda file: file.symlink_to("/dev/zero")),
    _put(lambda file: file.symlink_to("/dev/tty")),
    _put(lambda file: file.symlink_to(file)),
    _put(lambda file: file.symlink_to("/etc/passwd")),
    _put(Path.touch),
    _put(_make_hole),
    lambda file: file.chmod(0),
)
