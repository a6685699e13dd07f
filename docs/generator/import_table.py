"""Table of the folders and their allowed imports, from tests/import_rules.py."""

from collections.abc import Iterable

from tests.import_rules import GROUND, MAY_IMPORT
from training.report.markdown import table

_GROUND_NAME = "ground"


def imports() -> str:
    """Return the table of every folder and the other folders that it may import."""
    others = [unit for unit in MAY_IMPORT if unit not in GROUND]
    rows = [[f"{_GROUND_NAME}: {_names(GROUND)}", "each other"]]
    return table(["folder", "may import"], rows + [[_name(unit), _imported(unit)] for unit in others])


def _imported(unit: str) -> str:
    units = [each for each in MAY_IMPORT[unit] if each != unit]
    if not units:
        return "nothing"
    ground = [_GROUND_NAME] if set(units) >= set(GROUND) else []
    rest = [each for each in units if not (ground and each in GROUND)]
    return ", ".join([*ground, *map(_name, rest)])


def _names(units: Iterable[str]) -> str:
    return ", ".join(map(_name, units))


def _name(unit: str) -> str:
    """Return a folder or module as a path; `training` alone means the modules that lie in no folder below it."""
    return f"`{unit.replace('.', '/')}`" if unit != "training" else "`training/*.py`"
