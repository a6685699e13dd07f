"""Packages of the extra `training`, which the service does not need. Without them a command ends with one sentence.

Modules of training/ import these packages from here, so that the sentence comes before any other import can fail.
"""

from types import ModuleType

_INSTALL = 'pip install --editable ".[training]"'


def _missing(error: ModuleNotFoundError) -> SystemExit:
    return SystemExit(f"error: the package {error.name} is not installed; install what training needs: {_INSTALL}")


try:
    import rich as rich
    import rich.console
    import rich.progress
    import rich.table  # noqa: F401
    import tyro as tyro
    import tyro.constructors  # noqa: F401
except ModuleNotFoundError as error:
    raise _missing(error) from None


def pyarrow() -> ModuleType:
    """Return the package pyarrow with its module `parquet`; raises SystemExit where it is not installed."""
    # Imported at the first use, since only the Parquet layout needs it.
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise _missing(error) from None
    module: ModuleType = pyarrow
    return module
