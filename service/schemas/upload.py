"""Content of a request: images and options."""

from dataclasses import dataclass


@dataclass(frozen=True)
class UploadedFile:
    """One image: bytes, and the file name from the client, which may contain anything; empty if there was none."""

    data: bytes
    name: str = ""


@dataclass(frozen=True)
class Upload:
    """Images of a request, one or more, and options as (name, value) in the order of the request."""

    files: tuple[UploadedFile, ...]
    form_options: tuple[tuple[str, str], ...] = ()
    query_options: tuple[tuple[str, str], ...] = ()

    @property
    def image(self) -> bytes:
        """Bytes of the first image, for endpoints that accept one."""
        return self.files[0].data
