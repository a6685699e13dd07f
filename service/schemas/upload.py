"""What a request carries: images and options."""

from dataclasses import dataclass


@dataclass(frozen=True)
class UploadedFile:
    """One image: its bytes, and the name that the client gave it, which may hold anything; empty where it gave none."""

    data: bytes
    name: str = ""


@dataclass(frozen=True)
class Upload:
    """What a request carried: its images, one or more, and its options as (name, value) in the order they came."""

    files: tuple[UploadedFile, ...]
    form_options: tuple[tuple[str, str], ...] = ()
    query_options: tuple[tuple[str, str], ...] = ()

    @property
    def image(self) -> bytes:
        """The bytes of the first image, for endpoints that take one."""
        return self.files[0].data
