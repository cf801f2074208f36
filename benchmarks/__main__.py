"""All benchmarks of ratios in one run: python benchmarks.

    python benchmarks [--run RUN] [--photos DATASET] [--rounds N] [--quick]

Each figure is measured beside what it is compared with, in turn, in rounds; a ratio is ours by theirs, the
median of the rounds' ratios, with the least and the most of them. Less is better. What cannot run here is
said, and the rest goes on. The table, its JSON and its chart are written to build/bench.
"""

import container
import conversion
import handler
import training
from reporting import main

main(
    {
        "handler": handler.rows,
        "container": container.rows,
        "conversion": conversion.rows,
        "training": training.rows,
    },
    __doc__,
)
