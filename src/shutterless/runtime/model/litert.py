"""LiteRT's C library, called by ctypes: a model that it has compiled for this processor.

Its Python interpreter does the same, but imports NumPy and loads a library of twice the size: three times
the CPU time of a start. The functions are those of the headers in litert/c, as in ai-edge-litert 2.3.
"""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from shutterless.runtime.model.interpreter import InterpretedModel

    Model: TypeAlias = "CompiledModel | InterpretedModel"

LIBRARY = "libLiteRt.so"
MAX_RANK = 8
MAX_TENSORS = 8  # inputs or outputs; a model of ours has one input and up to three outputs
CPU_OPTIONS = b"xnnpack"
CPU = 1  # a bit of LiteRtHwAccelerators
READ, WRITE = 0, 1  # LiteRtTensorBufferLockMode
# Tags of options of an environment, all of them integers.
ACCELERATORS, MIN_LOG_SEVERITY, SILENT = 24, 25, 4
INTEGER = 2  # LiteRtAnyType
# LiteRtElementType, by NumPy's names.
ELEMENT_TYPES = {
    1: "float32",
    2: "int32",
    3: "uint8",
    4: "int64",
    6: "bool",
    7: "int16",
    9: "int8",
    10: "float16",
    11: "float64",
}


class EnvironmentOption(ctypes.Structure):
    """LiteRtEnvOption with an integer."""

    _fields_ = (("tag", c_int), ("padding", c_int), ("type", c_int), ("value", ctypes.c_int64))


class TensorType(ctypes.Structure):
    """LiteRtRankedTensorType: the type and shape of a tensor."""

    _fields_ = (
        ("element_type", c_int),
        ("rank", ctypes.c_uint32, 7),
        ("has_strides", ctypes.c_uint32, 1),
        ("shape", ctypes.c_int32 * MAX_RANK),
        ("strides", ctypes.c_uint32 * MAX_RANK),
    )

    def __str__(self) -> str:
        name = ELEMENT_TYPES.get(self.element_type, f"type {self.element_type}")
        return f"{name}{self.shape[: self.rank]}"


# Every object of the library is a pointer to something that only the library knows.
_HANDLE, _RESULT = c_void_p, POINTER(c_void_p)
_TYPE = POINTER(TensorType)
_COUNT = POINTER(c_size_t)
# The arguments of each function that returns a status, 0 if it succeeded.
FUNCTIONS: dict[str, tuple[type, ...]] = {
    "LiteRtCreateEnvironment": (c_int, POINTER(EnvironmentOption), _RESULT),
    "LiteRtCreateModelFromBuffer": (_HANDLE, c_char_p, c_size_t, _RESULT),
    "LiteRtCreateOptions": (_RESULT,),
    "LiteRtSetOptionsHardwareAccelerators": (_HANDLE, c_int),
    "LiteRtCreateOpaqueOptions": (c_char_p, c_void_p, c_void_p, _RESULT),
    "LiteRtAddOpaqueOptions": (_HANDLE, _HANDLE),
    "LiteRtCreateCompiledModel": (_HANDLE, _HANDLE, _HANDLE, _RESULT),
    "LiteRtGetNumModelSubgraphs": (_HANDLE, _COUNT),
    "LiteRtGetModelSignature": (_HANDLE, c_size_t, _RESULT),
    "LiteRtGetNumSignatureInputs": (_HANDLE, _COUNT),
    "LiteRtGetNumSignatureOutputs": (_HANDLE, _COUNT),
    "LiteRtGetSignatureInputTensorByIndex": (_HANDLE, c_size_t, _RESULT),
    "LiteRtGetSignatureOutputTensorByIndex": (_HANDLE, c_size_t, _RESULT),
    "LiteRtGetSignatureOutputName": (_HANDLE, c_size_t, POINTER(c_char_p)),
    "LiteRtGetRankedTensorType": (_HANDLE, _TYPE),
    "LiteRtGetCompiledModelInputBufferRequirements": (_HANDLE, c_size_t, c_size_t, _RESULT),
    "LiteRtGetCompiledModelOutputBufferRequirements": (_HANDLE, c_size_t, c_size_t, _RESULT),
    "LiteRtCreateManagedTensorBufferFromRequirements": (_HANDLE, _TYPE, _HANDLE, _RESULT),
    "LiteRtGetTensorBufferPackedSize": (_HANDLE, _COUNT),
    "LiteRtLockTensorBuffer": (_HANDLE, _RESULT, c_int),
    "LiteRtUnlockTensorBuffer": (_HANDLE,),
    "LiteRtRunCompiledModel": (_HANDLE, c_size_t, c_size_t, _RESULT, c_size_t, _RESULT),
}
# These return nothing and take the object.
DESTRUCTORS = (
    "LiteRtDestroyCompiledModel",
    "LiteRtDestroyModel",
    "LiteRtDestroyOptions",
    "LiteRtDestroyTensorBuffer",
)


@functools.cache
def load_library() -> ctypes.CDLL | None:
    """Return the C library, or None if this system's wheel of LiteRT has none, or none that loads."""
    package = PathFinder.find_spec("ai_edge_litert")  # importing it would take longer, and look for chips
    folders = package.submodule_search_locations if package else None
    if not folders or sys.platform == "win32":
        return None
    try:
        library = ctypes.CDLL(f"{folders[0]}/{LIBRARY}")
        for name, arguments in FUNCTIONS.items():
            function = getattr(library, name)
            function.argtypes, function.restype, function.errcheck = arguments, c_int, _check_status
        for name in DESTRUCTORS:
            function = getattr(library, name)
            function.argtypes, function.restype = (_HANDLE,), None
    except (OSError, AttributeError):
        return None
    return library


@functools.cache
def _environment(library: ctypes.CDLL) -> c_void_p:
    """Return what all models of a process share, with no accelerator but the CPU, and without a log."""
    options = (EnvironmentOption * 2)(
        EnvironmentOption(tag=ACCELERATORS, type=INTEGER, value=CPU),
        EnvironmentOption(tag=MIN_LOG_SEVERITY, type=INTEGER, value=SILENT),
    )
    environment = c_void_p()
    library.LiteRtCreateEnvironment(len(options), options, byref(environment))
    return environment


class CompiledModel:
    """A model with one input, compiled by LiteRT's C library, with buffers of its own.

    One thread at a time may run it.

    Attributes:
        inputs: Types and shapes of its inputs, such as `uint8[1, 224, 224, 3]`.
        outputs: Name → type and shape of its outputs.
    """

    def __init__(self, library: ctypes.CDLL, content: bytes, threads: int) -> None:
        """Compile a model.

        Args:
            library: What `load_library` returned.
            content: The model file.
            threads: How many threads a run may use.

        Raises:
            RuntimeError: If the library refuses it, or it has too many inputs or outputs, or two outputs of
                the same name.
        """
        self._library = library
        self._objects: list[tuple[Callable[[c_void_p], None], c_void_p]] = []  # and their destructors
        self._content = content  # which the model reads from for as long as it lives
        model, self._compiled, self._signature = c_void_p(), c_void_p(), c_void_p()
        self._model = model
        library.LiteRtCreateModelFromBuffer(_environment(library), content, len(content), byref(model))
        self._objects.append((library.LiteRtDestroyModel, model))
        with _cpu_options(library, threads) as options:
            library.LiteRtCreateCompiledModel(_environment(library), model, options, byref(self._compiled))
        self._objects.append((library.LiteRtDestroyCompiledModel, self._compiled))
        library.LiteRtGetModelSignature(model, 0, byref(self._signature))
        inputs, outputs = self._tensor_types("Input"), self._tensor_types("Output")
        self.inputs = ", ".join(map(str, inputs))
        self.outputs = dict(zip(self._output_names(len(outputs)), map(str, outputs), strict=True))
        if len(self.outputs) < len(outputs):
            raise RuntimeError("two outputs of the model have the same name")
        self._input = self._create_buffer("Input", 0, inputs[0])
        buffers = [self._create_buffer("Output", index, type_) for index, type_ in enumerate(outputs)]
        self._output_buffers = (c_void_p * len(buffers))(*(buffer.value for buffer in buffers))
        self._output_indices = {name: index for index, name in enumerate(self.outputs)}

    def __del__(self) -> None:
        for destroy, handle in reversed(self._objects):
            destroy(handle)

    def run(self, pixels: bytes, outputs: Sequence[str]) -> list[list[float]]:
        """Run the model.

        Args:
            pixels: The input, uint8 in C order.
            outputs: Names of the outputs to read, all of them float32.

        Returns:
            The content of these outputs, in C order.

        Raises:
            ValueError: If the input has another size.
            RuntimeError: If the library fails.
        """
        with self._locked(self._input, WRITE) as (address, size):
            if len(pixels) != size:
                raise ValueError(f"the model takes {size:,} bytes, not {len(pixels):,}")
            ctypes.memmove(address, pixels, size)
        buffers = self._output_buffers
        self._library.LiteRtRunCompiledModel(self._compiled, 0, 1, byref(self._input), len(buffers), buffers)
        return [self._read(buffers[self._output_indices[name]]) for name in outputs]

    def count_subgraphs(self) -> int:
        """Return the number of subgraphs: 1, or more with loops or branches."""
        count = c_size_t()
        self._library.LiteRtGetNumModelSubgraphs(self._model, byref(count))
        return count.value

    def _tensor_types(self, kind: str) -> list[TensorType]:
        """Return the types of all inputs or outputs."""
        count, tensor = c_size_t(), c_void_p()
        getattr(self._library, f"LiteRtGetNumSignature{kind}s")(self._signature, byref(count))
        if not 1 <= count.value <= MAX_TENSORS:
            raise RuntimeError(f"the model has {count.value:,} {kind.lower()}s, not 1 to {MAX_TENSORS}")
        types = [TensorType() for _ in range(count.value)]
        for index, tensor_type in enumerate(types):
            get_tensor = getattr(self._library, f"LiteRtGetSignature{kind}TensorByIndex")
            get_tensor(self._signature, index, byref(tensor))
            self._library.LiteRtGetRankedTensorType(tensor, byref(tensor_type))
        return types

    def _output_names(self, count: int) -> Iterator[str]:
        for index in range(count):
            name = c_char_p()
            self._library.LiteRtGetSignatureOutputName(self._signature, index, byref(name))
            yield (name.value or b"").decode(errors="replace")

    def _create_buffer(self, kind: str, index: int, tensor_type: TensorType) -> c_void_p:
        """Return a buffer for an input or output, which is destroyed with the model."""
        requirements, buffer = c_void_p(), c_void_p()
        get_requirements = getattr(self._library, f"LiteRtGetCompiledModel{kind}BufferRequirements")
        get_requirements(self._compiled, 0, index, byref(requirements))
        self._library.LiteRtCreateManagedTensorBufferFromRequirements(
            _environment(self._library), byref(tensor_type), requirements, byref(buffer)
        )
        self._objects.append((self._library.LiteRtDestroyTensorBuffer, buffer))
        return buffer

    def _read(self, buffer: int | None) -> list[float]:
        with self._locked(buffer, READ) as (address, size):
            return (ctypes.c_float * (size // 4)).from_address(address)[:]

    @contextmanager
    def _locked(self, buffer: c_void_p | int | None, mode: int) -> Iterator[tuple[int, int]]:
        """Give the address and the size of a buffer's memory."""
        address, size = c_void_p(), c_size_t()
        self._library.LiteRtGetTensorBufferPackedSize(buffer, byref(size))
        self._library.LiteRtLockTensorBuffer(buffer, byref(address), mode)
        try:
            yield address.value or 0, size.value
        finally:
            self._library.LiteRtUnlockTensorBuffer(buffer)


def load_model(content: bytes, threads: int) -> Model:
    """Load a model in the quickest way that this system has: LiteRT's C library, or else its interpreter.

    Args:
        content: The model file.
        threads: How many threads a run may use.

    Raises:
        ValueError: If it cannot be loaded.
        RuntimeError: Likewise.
    """
    if library := load_library():
        return CompiledModel(library, content, threads)
    from shutterless.runtime.model.interpreter import InterpretedModel  # and NumPy

    return InterpretedModel(content, threads)


@contextmanager
def _cpu_options(library: ctypes.CDLL, threads: int) -> Iterator[c_void_p]:
    """Give the options of a compiled model: on the CPU, with so many threads.

    The CPU's own options have no functions in the library. They are a text in TOML, which it frees.
    """
    options, cpu_options = c_void_p(), c_void_p()
    library.LiteRtCreateOptions(byref(options))
    try:
        library.LiteRtSetOptionsHardwareAccelerators(options, CPU)
        libc = ctypes.CDLL(None)
        libc.strdup.restype = c_void_p
        text = libc.strdup(b"num_threads = %d\n" % threads)
        library.LiteRtCreateOpaqueOptions(CPU_OPTIONS, text, libc.free, byref(cpu_options))
        library.LiteRtAddOpaqueOptions(options, cpu_options)
        yield options
    finally:
        library.LiteRtDestroyOptions(options)


def _check_status(status: int, function: object, arguments: tuple[object, ...]) -> None:
    if status:
        raise RuntimeError(f"{getattr(function, '__name__', function)} returned the status {status}")
