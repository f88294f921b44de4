"""How many lines broken on purpose the tests notice. In: [tool.mutmut] of pyproject.toml. Out: the share of each module.

mutmut turns `<` into `<=`, drops an argument, adds one to a number, and so on, one at a time, and runs the tests that reach
the line. `make mutants` calls this with the interpreter that has it. What was found is kept in mutants/: stopped at any
moment, the next call goes on from there; a function that changed is tried anew.

    make mutants                                    # all that have not been tried
    make mutants ARGS="--again"                     # those that lived once more: after tests were added
    make mutants ARGS="--again tellapart.data.*"    # those of some modules only
    .venv-mutants/bin/mutmut show NAME              # what was broken
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

MUTMUT = Path(sys.executable).with_name("mutmut")
NOTICED = {"killed", "timeout", "segfault", "caught by type check"}  # a timeout: the test would have waited for ever
LIVED = {"survived", "no tests", "suspicious"}  # the rest was not tried


def outcomes() -> dict[str, str]:
    """What became of each mutant, by its name; none before the first run."""
    if not Path("mutants").is_dir():
        return {}
    done = subprocess.run([MUTMUT, "results", "--all", "true"], capture_output=True, text=True, check=True)
    pairs = (line.strip().rpartition(": ") for line in done.stdout.splitlines() if ": " in line)
    return {name: status for name, _, status in pairs}


def table(found: dict[str, str]) -> str:
    """A row of Markdown a module, and one for all of them."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name, status in found.items():
        kind = "noticed" if status in NOTICED else "lived" if status in LIVED else "left"
        # tellapart.data.split.x_assign_splits__mutmut_1, or ... .xǁGroupǁmethod__mutmut_1
        for row in (name.rpartition(".")[0].removeprefix("tellapart."), "all of them"):
            counts[row][kind] += 1
    lines = ["| module | mutants | noticed | share | not tried |", "|---|---|---|---|---|"]
    for row in sorted(counts, key=lambda row: (row == "all of them", row)):
        tried = counts[row]["noticed"] + counts[row]["lived"]
        share = f"{100 * counts[row]['noticed'] / tried:.1f} %" if tried else ""
        lines.append(f"| {row} | {counts[row].total()} | {counts[row]['noticed']} | {share} | {counts[row]['left']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--again", action="store_true", help="try those that lived once more")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("patterns", nargs="*", help="names of mutants, such as 'tellapart.data.*'")
    arguments = parser.parse_args()
    chosen: list[str] = arguments.patterns
    if arguments.again:
        alive = [name for name, status in outcomes().items() if status in LIVED]
        chosen = [name for name in alive if any(fnmatch.fnmatch(name, one) for one in chosen or ["*"])]
    if chosen or not arguments.again:
        shutil.rmtree("mutants/tests", ignore_errors=True)  # a copy, which would keep tests that are gone
        _renew_data()
        # A process a mutant: plugins that no test of these needs would take a third of its time.
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
        command = [MUTMUT, "run", "--max-children", str(arguments.processes), *chosen]
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode:
            sys.exit(done.returncode)
    print(table(outcomes()))


def _renew_data() -> None:
    """What is no code, as it is now: mutmut copies phrases, templates and graphs once, and the tests would meet old ones."""
    for path in Path("src").rglob("*") if Path("mutants/src").is_dir() else ():
        if path.is_file() and path.suffix not in (".py", ".pyc"):
            copy = Path("mutants") / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)


if __name__ == "__main__":
    main()
