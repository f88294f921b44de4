"""`python -m tellapart`, where the command is not on the path. In: arguments. Out: an exit code. Next: cli/main.py."""

from __future__ import annotations

from tellapart.cli.main import run

if __name__ == "__main__":
    run()
