"""Several results of /quantize in one response: a ZIP file, multipart/mixed, or JSON."""

from __future__ import annotations

import io
import json
import secrets
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from service.api.model_headers import model_headers
from service.api.quantize_responses import file_headers, file_name, quantize_report
from service.api.responses import json_response
from service.http.disposition import content_disposition
from service.http.problems import problem_body
from service.inference.quantization import Quantized
from service.inference.several import Failed
from service.schemas.media_types import JSON, MEDIA_TYPES, MIXED, ZIP
from service.schemas.problems import MEDIA_TYPE as PROBLEM
from service.schemas.reports import ProblemReport, QuantizedFileReport, QuantizeFilesReport

_BUNDLE_NAME = "quantized.zip"
_READABLE = 0o644  # permissions of an unpacked file; Python's default lets its owner alone read it

Result = Quantized | Failed


def bundle_response(
    results: Sequence[Result], media_type: str, request_id: str, *, skip_if_larger: bool = False
) -> Response:
    """Return the files of several images, or the reports on them; an image that failed has its problem instead.

    skip_if_larger: whether files that are no smaller than their uploads are left out.
    """
    done = [result for result in results if isinstance(result, Quantized)]
    failed = len(results) - len(done)
    headers = {"Vary": "Accept", "X-Images": str(len(results)), "X-Images-Failed": str(failed)}
    if done:
        headers |= model_headers([result.selection.model for result in done], done[0].sha256)
    if media_type == JSON:
        reports = [_report(result, request_id) for result in results]
        embedded = sum(len(each.report.png) for each in reports if each.report)
        return json_response(QuantizeFilesReport(images=reports), headers, embedded=embedded)
    kept = [each for each in results if isinstance(each, Failed) or not (skip_if_larger and each.is_larger)]
    parts = list(_parts(kept, request_id))
    if media_type == ZIP:
        headers["Content-Disposition"] = content_disposition(_BUNDLE_NAME, kind="attachment")
        return Response(_zip(parts), headers=headers, media_type=ZIP)
    boundary = secrets.token_hex(16)
    return Response(_mixed(parts, boundary), headers=headers, media_type=f"{MIXED}; boundary={boundary}")


@dataclass(frozen=True)
class _Part:
    """One file of a bundle, with the headers that describe it in multipart/mixed."""

    name: str
    media_type: str
    data: bytes
    headers: Mapping[str, str]


def _parts(results: Sequence[Result], request_id: str) -> Iterator[_Part]:
    """Yield the files in order, each with a name of its own."""
    taken: set[str] = set()
    for position, result in enumerate(results, 1):
        if isinstance(result, Failed):
            name = f"{result.name or f'image-{position}'}.problem.json"
            data = json.dumps(problem_body(result.error, request_id)).encode()
            yield _Part(_unique(_flat(name), taken), PROBLEM, data, {})
        else:
            name = _unique(file_name(result), taken)
            yield _Part(name, MEDIA_TYPES[result.format], result.file, file_headers(result))


def _flat(name: str) -> str:
    """Return the last part of a path, so that no ZIP file writes outside its folder."""
    return name.replace("\\", "/").rpartition("/")[2].lstrip(".") or "image.problem.json"


def _unique(name: str, taken: set[str]) -> str:
    """Return the name, with a number before its extension where an earlier file has it; add it to `taken`."""
    stem, dot, extension = name.rpartition(".")
    number, unique = 1, name
    while unique.lower() in taken:
        number += 1
        unique = f"{stem}-{number}{dot}{extension}"
    taken.add(unique.lower())
    return unique


def _zip(parts: Sequence[_Part]) -> bytes:
    """Return a ZIP file; images are stored as they are, because they are compressed already."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for part in parts:
            entry = zipfile.ZipInfo(part.name)  # without a time, so equal requests get equal files
            entry.external_attr = _READABLE << 16
            archive.writestr(entry, part.data)
    return buffer.getvalue()


def _mixed(parts: Sequence[_Part], boundary: str) -> bytes:
    """Return the body of multipart/mixed (RFC 2046, section 5.1.3)."""
    lines: list[bytes] = []
    for part in parts:
        headers = {
            "Content-Type": part.media_type,
            "Content-Disposition": content_disposition(part.name, kind="attachment"),
            **part.headers,
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        lines.append(f"--{boundary}\r\n{head}\r\n".encode() + part.data + b"\r\n")
    return b"".join(lines) + f"--{boundary}--\r\n".encode()


def _report(result: Result, request_id: str) -> QuantizedFileReport:
    if isinstance(result, Failed):
        problem = ProblemReport.model_validate(problem_body(result.error, request_id))
        return QuantizedFileReport(name=result.name, report=None, error=problem)
    return QuantizedFileReport(name=result.upload_name, report=quantize_report(result), error=None)
