"""LiteRT's Python interpreter, for systems whose LiteRT has no C library that loads."""

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter


class InterpretedModel:
    """A model in LiteRT's Python interpreter, used like `litert.CompiledModel`.

    Attributes:
        inputs: Types and shapes of its inputs, such as `uint8[1, 224, 224, 3]`.
        outputs: Types and shapes of its outputs.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        """Load a model.

        Args:
            content: The model file.
            threads: How many threads a run may use.

        Raises:
            ValueError: If it cannot be loaded.
            RuntimeError: If it cannot be prepared.
        """
        self._interpreter = Interpreter(model_content=content, num_threads=threads)
        self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self.inputs, self.outputs = (", ".join(map(_describe, tensors)) for tensors in (inputs, outputs))
        self._shape, self._input, self._output = inputs[0]["shape"], inputs[0]["index"], outputs[0]["index"]

    def run(self, pixels: bytes) -> list[float]:
        """Run the model; see `litert.CompiledModel.run`."""
        self._interpreter.set_tensor(self._input, np.frombuffer(pixels, np.uint8).reshape(self._shape))
        self._interpreter.invoke()
        scores: list[float] = self._interpreter.get_tensor(self._output).ravel().tolist()
        return scores

    def count_subgraphs(self) -> int:
        """Return the number of subgraphs: 1, or more with loops or branches."""
        count: int = self._interpreter.num_subgraphs()
        return count


def _describe(details: dict[str, npt.NDArray[np.int32]]) -> str:
    return f"{np.dtype(details['dtype']).name}{[int(side) for side in details['shape']]}"
