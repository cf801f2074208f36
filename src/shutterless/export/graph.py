"""Read the graph of a .tflite file: which of its operators compute which outputs."""

from tensorflow.lite.python import schema_py_generated as schema

from shutterless.runtime.model.classifier import PROBABILITIES

_LAYERS = (
    schema.BuiltinOperator.CONV_2D,
    schema.BuiltinOperator.DEPTHWISE_CONV_2D,
    schema.BuiltinOperator.FULLY_CONNECTED,
)


class Graph:
    """The operators of a .tflite file, in the order in which they run; each is named by its first output."""

    def __init__(self, content: bytes) -> None:
        """Parse the content of a .tflite file with one subgraph."""
        model = schema.ModelT.InitFromPackedBuf(content)
        graph = model.subgraphs[0]
        codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
        self._operators, self._tensors = graph.operators, graph.tensors
        self._codes = [codes[operator.opcodeIndex] for operator in graph.operators]
        signature = model.signatureDefs[0].outputs
        outputs = {output.name.decode(): output.tensorIndex for output in signature}
        # A model with one output may have any name for it.
        tensor = outputs.get(PROBABILITIES, next(iter(outputs.values())))
        self._classifier = self._ancestors(tensor)

    def outer_layers(self) -> set[str]:
        """Return the operators up to the classifier's first layer, and from its last layer on."""
        places = [place for place in self._classifier if self._codes[place] in _LAYERS]
        outer = (
            *self._classifier[: self._classifier.index(places[0]) + 1],
            *self._classifier[self._classifier.index(places[-1]) :],
        )
        return {self._name(place) for place in outer}

    def novelty_branch(self) -> set[str]:
        """Return the operators that the probabilities do not need, and the averages that they share."""
        branch = set(range(len(self._operators))) - set(self._classifier)
        inputs = {tensor for place in branch for tensor in self._operators[place].inputs}
        averages = {
            place
            for place in self._classifier
            if self._codes[place] == schema.BuiltinOperator.MEAN
            and inputs.intersection(self._operators[place].outputs)
        }
        return {self._name(place) for place in branch | averages}

    def _ancestors(self, output: int) -> list[int]:
        """Return the places of the operators that a tensor is computed by, in their order."""
        tensors, places = {output}, []
        for place in reversed(range(len(self._operators))):
            if tensors.intersection(self._operators[place].outputs):
                tensors.update(self._operators[place].inputs)
                places.append(place)
        return places[::-1]

    def _name(self, place: int) -> str:
        name: bytes = self._tensors[self._operators[place].outputs[0]].name
        return name.decode()
