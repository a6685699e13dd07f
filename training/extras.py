"""Packages of the extras `training` and `ray`, which the service does not need. Without them a command ends with one
sentence.

Modules of training/ import these packages from here, so that the sentence comes before any other import can fail.
"""

import os
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


def ray_data() -> ModuleType:
    """Return the package ray with its module `data`; raises SystemExit where it is not installed."""
    # Ray reads this when it starts. It reports its use to its authors only if the user asks for that.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise SystemExit(
            f"error: the package {error.name} is not installed; --engine ray needs it: pip install "
            "'colorcnn-service[ray]'"
        ) from None
    module: ModuleType = ray
    return module
