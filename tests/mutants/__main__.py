"""A random sample of one-token mutants of `models` and `service`, each run against the tests of its folder.

    python -m tests.mutants --count 120 --seed 4 --out docs/results/data/mutants.json

The mutants are of the last commit, in a copy of the repository outside of the working tree. First the test file that
mirrors the module runs, then the other tests of its folder. The JSON file is written after each mutant; the same
command continues an incomplete file, at its commit. Needs the packages of the extra `mutants`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.evaluation.report_kinds import Kind
from tests.benchmarks.reporting import write_report
from tests.mutants.mutants import sample
from tests.mutants.runner import SLOW, Runner

ROOT = Path(__file__).resolve().parents[2]


def main(argv: Sequence[str] | None = None, repository: Path = ROOT, slow: Sequence[str] = SLOW) -> int:
    """Parse flags, try the mutants that the file does not have yet, and print the survivors.

    repository: the one whose last commit is mutated. slow: modules that its tests import and that take long.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=120, help="number of mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=4, help="seed of the sample (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write, or to continue")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        copy, known = Path(folder) / "copy", _known(args)
        _git(repository, "clone", "--quiet", "--shared", ".", str(copy))
        _git(copy, "checkout", "--quiet", known.get("commit", "HEAD"))
        with Runner.of(copy, slow) as runner:
            report = run(runner, args, known.get("mutants", []))
    for row in report["mutants"]:
        if row["killed_by"] is None:
            print(f"{row['module']}:{row['line']}: {row['before']}  ->  {row['after']}")
    print(f"{report['killed']} of {len(report['mutants'])} mutants were noticed")
    return 0


def run(runner: Runner, args: argparse.Namespace, known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Try the mutants of the sample behind those whose rows are known; returns the whole report."""
    mutants = sample(runner.root, args.count, args.seed)
    commit = _git(runner.root, "rev-parse", "HEAD")
    head = {"commit": commit, "seed": args.seed, "count": args.count, "drawn": len(mutants)}
    rows = list(known)
    for number, mutant in enumerate(mutants[len(rows) :], len(rows) + 1):
        rows.append(runner.trial(mutant))
        write(args, head, rows)
        print(f"{number}/{len(mutants)} {mutant.module}:{mutant.line} {rows[-1]['killed_by']}", file=sys.stderr)
    runner.check(rows)
    return write(args, head, rows)


def write(args: argparse.Namespace, head: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the report with the mutants tried so far and return it."""
    noticed = Counter(row["killed_by"] for row in rows)
    survived = noticed.pop(None, 0)
    share = round(noticed.total() / max(1, len(rows)), 4)
    counts = {"killed": noticed.total(), "killed_share": share, "killed_by": dict(noticed), "survived": survived}
    command = f"tests.mutants --count {args.count} --seed {args.seed} --out {args.out}"
    return write_report(args.out, Kind.MUTANTS, command, head | counts | {"mutants": rows})


def _known(args: argparse.Namespace) -> dict[str, Any]:
    """Return the report that these arguments continue; empty if the file is missing, complete or of another sample."""
    report: dict[str, Any] = json.loads(args.out.read_text()) if args.out.is_file() else {}
    same = (report.get("seed"), report.get("count")) == (args.seed, args.count)
    return report if same and len(report["mutants"]) < report.get("drawn", args.count) else {}


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
