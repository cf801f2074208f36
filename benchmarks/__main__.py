"""Run all benchmarks: python -m benchmarks.

    python -m benchmarks [--run RUN] [--photos DATASET] [--rounds N] [--quick]

Each figure is measured interleaved with the one that it is compared with. A ratio is ours ÷ theirs, the
median of the rounds' ratios; lower is better. What cannot run on this machine is reported and skipped. The
table, its JSON and its chart are written to build/bench.
"""

from benchmarks import container, conversion, function, handler, novelty, training_step
from benchmarks.report import main

main(
    {
        "handler": handler.rows,
        "container": container.rows,
        "function": function.rows,
        "conversion": conversion.rows,
        "novelty": novelty.rows,
        "training": training_step.rows,
    },
    __doc__,
)
