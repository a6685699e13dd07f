"""What an exported program does not say: the size of its input, how an image is scaled to it, and its classes.

A TOML or JSON file, for instance:

    size = 224                # side of the square input, in pixels
    resize = "crop"           # "crop": the central square; "squeeze": the whole image
    crop = 0.875              # side of that square as a share of the shorter side
    interpolation = "bicubic"
    mean = [0.485, 0.456, 0.406]
    std = [0.229, 0.224, 0.225]
    classes = "names.txt"     # a file with one name a line, or a list of names
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from models.rgb import Interpolation
from training.importing.graph import Rejected
from training.options import explain

Channels = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]

_MOST_NAME_BYTES = 1 << 24


class Description(BaseModel):
    """Preprocessing and classes of a classifier. None stands for what nobody stated yet.

    mean, std: statistics that normalize the input, in [0, 1] units. dataset: name of the training set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size: Annotated[int, Field(ge=8, le=2048)] | None = None
    resize: Literal["crop", "squeeze"] | None = None
    crop: Annotated[float, Field(gt=0, le=1)] | None = None
    interpolation: Interpolation | None = None
    mean: Channels | None = None
    std: tuple[Positive, Positive, Positive] | None = None
    classes: tuple[str, ...] | None = None
    dataset: Annotated[str, Field(min_length=1, max_length=100)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.resize == "squeeze" and self.crop is not None:
            raise ValueError('`crop` goes with resize = "crop"; an image that is squeezed is seen whole')
        return self

    def over(self, others: "Description") -> "Description":
        """Return this description, completed by the fields of `others`."""
        stated = {name: value for name, value in self if value is not None}
        if stated.get("resize") == "squeeze":
            others = others.model_copy(update={"crop": None})
        return Description(**(dict(others) | stated))

    def complete(self, what: str) -> "Complete":
        """Return the description without gaps. Raises Rejected where a field that `what` needs is missing."""
        if self.size and self.resize and self.interpolation and self.mean and self.std and self.classes is not None:
            crop = (self.crop or 1.0) if self.resize == "crop" else None
            return Complete(
                self.size, crop, self.interpolation, self.mean, self.std, self.classes, self.dataset or "unknown"
            )
        needed = ("size", "resize", "interpolation", "mean", "std", "classes")
        missing = ", ".join(name for name in needed if getattr(self, name) is None)
        raise Rejected(f"{what} needs {missing}: state them in a file and give it as --description")


@dataclass(frozen=True)
class Complete:
    """A description without gaps. crop: None where the whole image is squeezed."""

    size: int
    crop: float | None
    interpolation: Interpolation
    mean: Channels
    std: Channels
    classes: tuple[str, ...]
    dataset: str


def read_description(file: Path) -> Description:
    """Return the description in a TOML or JSON file; `classes` may name a file beside it. Raises Rejected."""
    try:
        data = file.read_bytes()
        values = json.loads(data) if _is_json(file) else tomllib.loads(data.decode())
    except OSError as error:
        raise Rejected(f"{file} cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise Rejected(
            f"{file} is not valid {'JSON' if file.suffix.lower() == '.json' else 'TOML'} ({error})"
        ) from error
    if not isinstance(values, dict):
        raise Rejected(f"{file} holds no table of options")
    if isinstance(values.get("classes"), str):
        values["classes"] = read_classes(file.parent / values["classes"])
    return _validated(values, file)


def read_classes(file: Path) -> tuple[str, ...]:
    """Return the class names of a file, one a line, in the order of the logits. Raises Rejected."""
    try:
        if file.stat().st_size > _MOST_NAME_BYTES:
            raise Rejected(f"{file} is too large for a list of class names")
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Rejected(f"{file} cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError:
        raise Rejected(f"{file} is not text in UTF-8; give a file with one class name a line") from None
    return tuple(line.strip() for line in lines if line.strip())


def check_classes(classes: tuple[str, ...], logits: int) -> None:
    """Raise Rejected unless there is a different, printable name for each logit."""
    if len(classes) != logits:
        raise Rejected(f"there are {len(classes)} class names, but the network has {logits} classes")
    repeated = next((name for position, name in enumerate(classes) if name in classes[:position]), None)
    if repeated is not None:
        raise Rejected(f"the class name {repeated!r:.60} is given twice; predictions need different names")
    if not all(name.isprintable() and name.strip() for name in classes):
        raise Rejected("class names must be printable text of one line")


def _is_json(file: Path) -> bool:
    return file.suffix.lower() == ".json"


def _validated(values: Mapping[str, Any], file: Path) -> Description:
    try:
        return Description(**values)
    except ValidationError as error:
        raise Rejected(f"{file}: {explain(error)}") from None
