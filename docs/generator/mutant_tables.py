"""Tables of the mutants of the code: how many the tests noticed, and why each of the others survived."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from docs.generator.reports import report_of
from training.report.markdown import table

_SAMPLES = {"mutants-before": "before", "mutants": "after"}


def mutants() -> str:
    """Return the number of mutants of both samples, and how many the tests noticed."""
    lines = [_counts(when, report_of(name)) for name, when in _SAMPLES.items()]
    heading = ["tests", "seed", "mutants", "noticed by the mirrored file", "by others of its folder", "survived"]
    return table([*heading, "noticed", "noticed of those that change behavior"], lines)


def _counts(when: str, report: Mapping[str, Any]) -> list[str]:
    total, killed = len(report["mutants"]), report["killed"]
    parts = [report["killed_by"].get(name, 0) for name in ("mirrored", "folder")] + [report["survived"]]
    survivors = [row for row in report["mutants"] if row["killed_by"] is None]
    equivalent = sum(bool(_reading(row)["equivalent"]) for row in survivors)
    shares = [f"{100 * killed / of:.0f} %" for of in (total, total - equivalent)]
    return [when, str(report["seed"]), str(total), *map(str, parts), *shares]


def survivors(name: str) -> str:
    """Return the mutants of a sample that survived, with what was done about each; ValueError for one not explained."""
    lines = [
        [
            f"`{row['module']}:{row['line']}`",
            _code(row["before"]),
            _change(row["before"], row["after"]),
            _reading(row)["why"],
        ]
        for row in sorted(report_of(name)["mutants"], key=lambda row: (row["module"], row["line"]))
        if row["killed_by"] is None
    ]
    return table(["place", "code", "change", "what was done"], lines)


def _reading(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what was found out about a survivor; ValueError if nothing was."""
    known: Sequence[Mapping[str, Any]] = report_of("mutants-explained")["rows"]
    same = ("module", "before", "after")
    found = [each for each in known if all(each[key] == row[key] for key in same)]
    if not found:
        raise ValueError(f"the survivor {row['module']}:{row['line']} has no explanation in mutants-explained.json")
    return found[0]


def _change(before: str, after: str) -> str:
    """Return the tokens that differ between two lines, from each."""
    old, new = (re.findall(r"\d+\.\d+|\w+|[<>=!*/%&|^+~-]+|[^\w\s]", line) for line in (before, after))
    same = [one == other for one, other in zip(old, new, strict=False)]
    first = same.index(False) if False in same else len(same)  # one line goes on where the other ends
    last = next(at for at in range(min(len(old), len(new)) + 1) if at and old[-at] != new[-at]) - 1
    parts = (" ".join(tokens[first : len(tokens) - last]) for tokens in (old, new))
    return " to ".join(_code(part) if part else "nothing" for part in parts)


def _code(line: str) -> str:
    text = line.split("  # ")[0].replace("|", "\\|")
    return f"`` {text} ``" if "`" in text else f"`{text}`"
