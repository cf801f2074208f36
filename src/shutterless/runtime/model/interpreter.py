"""LiteRT's Python interpreter, for systems whose LiteRT has no C library that loads."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter

Details = dict[str, npt.NDArray[np.int32]]


class InterpretedModel:
    """A model in LiteRT's Python interpreter, used like `litert.CompiledModel`.

    Attributes:
        inputs: Types and shapes of its inputs, such as `uint8[1, 224, 224, 3]`.
        outputs: Name → type and shape of its outputs.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        """Load a model.

        Args:
            content: The model file.
            threads: How many threads a run may use.

        Raises:
            ValueError: If it cannot be loaded.
            RuntimeError: If it cannot be prepared, has no input or output, or two outputs of the same name.
        """
        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._output_details()
        if not inputs or not outputs:
            raise RuntimeError("the model has no input or no output")
        self.inputs = ", ".join(map(_describe, inputs))
        self.outputs = {name: _describe(details) for name, details in outputs.items()}
        self._shape, self._input = inputs[0]["shape"], inputs[0]["index"]
        self._output_indices = {name: details["index"] for name, details in outputs.items()}

    def run(self, pixels: bytes, outputs: Sequence[str]) -> list[list[float]]:
        """Run the model; see `litert.CompiledModel.run`."""
        self._interpreter.set_tensor(self._input, np.frombuffer(pixels, np.uint8).reshape(self._shape))
        self._interpreter.invoke()
        tensors = (self._interpreter.get_tensor(self._output_indices[name]) for name in outputs)
        return [tensor.ravel().tolist() for tensor in tensors]

    def count_subgraphs(self) -> int:
        """Return the number of subgraphs: 1, or more with loops or branches."""
        count: int = self._interpreter.num_subgraphs()
        return count

    def _output_details(self) -> dict[str, Details]:
        """Return the details of each output by its name in the first signature, or else its tensor's name."""
        tensors = self._interpreter.get_output_details()
        if signatures := self._interpreter.get_signature_list():
            outputs = self._interpreter.get_signature_runner(next(iter(signatures))).get_output_details()
        else:
            outputs = {tensor["name"]: tensor for tensor in tensors}
        if len(outputs) < len(tensors):
            raise RuntimeError("two outputs of the model have the same name")
        return dict(outputs)


def _describe(details: Details) -> str:
    return f"{np.dtype(details['dtype']).name}{[int(side) for side in details['shape']]}"
