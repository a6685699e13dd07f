"""Table of `training.evaluate.robustness`: top-1 without and under attack."""

from models.evaluation.report_rows import RobustnessRow
from models.evaluation.reports import RobustnessReport
from models.names import BIT_DEPTH, UNQUANTIZED, method_name
from training.report.markdown import NONE, table


def tables(report: RobustnessReport) -> dict[str, str]:
    """Return the table by its title: a line for each path, three columns for each epsilon."""
    heading = ["path", "K", "no attack"]
    for epsilon in report.epsilons:
        heading += [f"{epsilon}/255: transfer", "identity", "all attacks"]
    return {"Top-1 in % under attack": table(heading, [_line(report, row) for row in report.rows])}


def _line(report: RobustnessReport, row: RobustnessRow) -> list[str]:
    shares = [row.top1]
    for epsilon in report.epsilons:
        shares += [row.transfer[epsilon], row.identity[epsilon], row.resists[epsilon]]
    return [_path(row.method), str(row.colors or NONE), *(f"{100 * share:.1f}" for share in shares)]


def _path(method: str) -> str:
    """Return the name of a path for people."""
    if method == UNQUANTIZED:
        return "no quantizer"
    if method.startswith(BIT_DEPTH):
        bits = method.removeprefix(f"{BIT_DEPTH}_")
        return f"{bits} {'bit' if bits == '1' else 'bits'} per channel"
    return method_name(method)
