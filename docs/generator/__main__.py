"""Command that writes or checks the generated parts of the documents.

python -m docs.generator
python -m docs.generator --check
"""

import argparse
import sys
from collections.abc import Sequence

from docs.generator.documents import stale, write
from docs.generator.reports import ROOT


def main(argv: Sequence[str] | None = None) -> int:
    """Write the generated parts, or with --check report the stale parts; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.generator", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is stale")
    if not parser.parse_args(argv).check:
        try:
            print("\n".join(f"wrote {file.relative_to(ROOT)}" for file in write()))
        except ValueError as error:
            return _failed([str(error)])
        return 0
    if found := stale():
        return _failed([*found, "run `make docs`"])
    print("the documents are fresh")
    return 0


def _failed(lines: Sequence[str]) -> int:
    print("\n".join(lines), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
