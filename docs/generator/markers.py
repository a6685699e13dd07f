"""Generated parts of a Markdown document, between HTML comments.

A block stands on lines of its own; a value stands inside a sentence:

    <!-- begin: table cifar10 "Top-1 in %" -->
    ...
    <!-- end -->

    Two colors keep <!-- value: percent cifar10:colorcnn@2.top1 -->89.0 %<!-- end --> of the images.

The words after the colon are split as a shell splits them. Code blocks and code spans are left alone.
"""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_CODE = r"^```.*?^```|`[^`\n]*`"
_BLOCK = r"<!-- begin: (?P<block>[^\n]*?) -->\n(?P<body>.*?)<!-- end -->"
_VALUE = r"<!-- value: (?P<value>[^\n]*?) -->(?P<text>[^\n]*?)<!-- end -->"
_PARTS = re.compile(f"{_CODE}|{_BLOCK}|{_VALUE}", re.DOTALL | re.MULTILINE)
_MARKER = re.compile(r"<!-- (begin|value|end)\b")


class MarkerError(ValueError):
    """Error for a marker without a counterpart, or for a value that opens a line, which Markdown treats as a block."""


@dataclass(frozen=True)
class Marker:
    """Content of a marker. inline: whether the result stands inside a sentence."""

    words: tuple[str, ...]
    inline: bool


def markers_of(text: str) -> list[Marker]:
    """Return every marker of a document, in order."""
    return [marker for match in _PARTS.finditer(text) if (marker := _marker(match))]


def fill(text: str, write: Callable[[Marker], str]) -> str:
    """Return the document with every generated part replaced by what `write` returns for its marker.

    Raises MarkerError for a marker without its counterpart or a value at the beginning of a line.
    """
    _check(text)
    return _PARTS.sub(lambda match: _replaced(match, write), text)


def prose(text: str) -> str:
    """Return the document without code and without generated parts."""
    return _PARTS.sub("", text)


def _marker(match: re.Match[str]) -> Marker | None:
    inline = match["value"] is not None
    words: Sequence[str] = shlex.split(match["value"] or match["block"] or "")
    return Marker(tuple(words), inline) if words else None


def _replaced(match: re.Match[str], write: Callable[[Marker], str]) -> str:
    marker = _marker(match)
    if marker is None:
        return match[0]
    if marker.inline:
        return f"<!-- value: {match['value']} -->{write(marker)}<!-- end -->"
    return f"<!-- begin: {match['block']} -->\n\n{write(marker)}\n\n<!-- end -->"


def _check(text: str) -> None:
    if stray := _MARKER.search(prose(text)):
        raise MarkerError(f"a marker has no counterpart, near {prose(text)[stray.start() : stray.end() + 40]!r}")
    for match in _PARTS.finditer(text):
        if match["value"] is not None and text[: match.start()].rpartition("\n")[2].strip(" ") == "":
            raise MarkerError(f"a line may not begin with a value, which Markdown treats as a block: {match[0]!r}")
