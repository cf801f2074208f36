"""The outputs of a bundle's model: their names and shapes."""

from collections.abc import Mapping

from shutterless.errors import BundleError
from shutterless.runtime.model.bundle import Bundle
from shutterless.runtime.model.familiarity import MAX_DISTANCES

PROBABILITIES, EMBEDDING, NOVELTY = "probabilities", "embedding", "novelty"
MAX_EMBEDDING = 4096
MAX_NAME = 100  # characters of a name in a message


def check_tensors(inputs: str, outputs: Mapping[str, str], bundle: Bundle) -> dict[str, int]:
    """Check that a model's input and outputs are what its bundle says.

    Args:
        inputs: Types and shapes of the model's inputs.
        outputs: Name → type and shape of its outputs. A single one may have any name.
        bundle: The bundle.

    Returns:
        Name → length of the outputs.

    Raises:
        BundleError: `mismatched-model` if they are not.
    """
    spec = bundle.input
    lengths = {name: _length(tensor) for name, tensor in outputs.items()}
    if len(lengths) == 1:
        lengths = dict.fromkeys([PROBABILITIES], *lengths.values())
    input_type = f"uint8[1, {spec.height}, {spec.width}, 3]"
    distances = len(bundle.familiarity.weights) if bundle.familiarity else 0
    is_valid = inputs == input_type and lengths.get(PROBABILITIES) == len(bundle.labels)
    if distances or len(lengths) > 1:
        is_valid = (
            is_valid
            and lengths.keys() == {PROBABILITIES, EMBEDDING, NOVELTY}
            and 1 <= lengths[EMBEDDING] <= MAX_EMBEDDING
            and 1 <= lengths[NOVELTY] <= MAX_DISTANCES
            and distances in (0, lengths[NOVELTY])
        )
    if is_valid:
        return lengths
    described = ", ".join(f"{name[:MAX_NAME]} {tensor}" for name, tensor in outputs.items())
    raise BundleError(
        "mismatched-model",
        f"The model of {bundle.folder} maps {inputs} to {described}, but its bundle says "
        f"{input_type} to probabilities float32[1, {len(bundle.labels)}]"
        + (f", embedding, and novelty float32[1, {distances}]" if distances else ""),
        "Convert the run again.",
    )


def _length(tensor: str) -> int:
    """Return n for a tensor float32[1, n], and 0 for any other."""
    digits = tensor.removeprefix("float32[1, ").removesuffix("]")
    return int(digits) if digits.isdecimal() else 0
