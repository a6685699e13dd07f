"""Classes as requests name them: by a label or an index."""

from __future__ import annotations

from models.errors import BadOption

TOP = "top"


def find_class(cam: str | None, classes: tuple[str, ...]) -> int | None:
    """Return the index of the class that the option `cam` names by a label or an index; None for `top` or no option.

    Raises:
        BadOption: the option names no class.
    """
    return None if cam is None or cam == TOP else class_index("cam", cam, classes, also=f"`{TOP}`, ")


def class_index(option: str, text: str, classes: tuple[str, ...], also: str = "") -> int:
    """Return the index of the class that `text`, the value of `option`, names by a label or an index.

    Raises:
        BadOption: `text` names no class; the message lists the allowed values, beginning with `also`.
    """
    if text in classes:
        return classes.index(text)
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(classes):
        return int(text)
    known = ", ".join(classes[:20]) + (", ..." if len(classes) > 20 else "")
    last = len(classes) - 1
    raise BadOption(f"{option} {text!r:.80} is no class; give {also}an index from 0 to {last} or one of {known}.")
