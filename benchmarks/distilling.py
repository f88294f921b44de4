"""What a teacher is worth. In: a run, a teacher's run. Out: before and after, as one JSON line.

`tellapart compress --distill` trains a run's network on under the teacher; for comparison the same epochs without one (`--alone`:
the share of the teacher is 0). Seconds are processor time of this process.

    python benchmarks/distilling.py --run runs/plain --teacher runs/eight-views --epochs 8
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from tellapart.cli.console import make_reporter
from tellapart.features.caching import open_cache
from tellapart.workflows.compressing.compressible import open_compressible
from tellapart.workflows.compressing.concluding import conclude
from tellapart.workflows.compressing.distilled import DistillTerms, to_distilled


def main() -> None:
    usual = DistillTerms(teacher=Path())
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--run", type=Path, required=True, help="the network that learns")
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--unlabelled", action="append", default=[])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=None)
    parser.add_argument("--temperature", type=float, default=usual.temperature)
    parser.add_argument("--share", type=float, default=usual.share)
    parser.add_argument("--embedding", type=float, default=usual.embedding)
    parser.add_argument("--mixed", type=float, default=usual.mixed)
    parser.add_argument("--alone", action="store_true", help="the same training by the labels alone")
    parser.add_argument("--out", type=Path, required=True, help="the new run")
    arguments = parser.parse_args()
    reporter, began = make_reporter(quiet=False), time.process_time()
    share, embedding = (0.0, 0.0) if arguments.alone else (arguments.share, arguments.embedding)
    terms = DistillTerms(
        teacher=arguments.teacher,
        unlabelled=tuple(arguments.unlabelled),
        epochs=arguments.epochs,
        learning_rate=arguments.learning_rate,
        temperature=arguments.temperature,
        share=share,
        embedding=embedding,
        mixed=0.0 if arguments.alone else arguments.mixed,
    )
    with tempfile.TemporaryDirectory() as work, open_cache(reporter) as cache:
        opened = open_compressible(arguments.run, Path(work), reporter)
        made = to_distilled(opened, terms, arguments.out.with_name(f".{arguments.out.name}-unfinished"), cache)
        found = conclude(made, arguments.out)
    print(json.dumps({"processor_seconds": time.process_time() - began, **found.as_json()}, ensure_ascii=False))


if __name__ == "__main__":
    main()
