"""Errors that the project raises on purpose; `service/errors.py` adds the errors of the service.

Each message addresses the person who made the request: it states what is wrong and what to do.
"""


class ColorCNNError(Exception):
    """Base class of the project's errors."""


class BadImage(ColorCNNError):
    """The bytes are not a readable image: empty, not an image at all, truncated or damaged."""


class UnsupportedFormat(ColorCNNError):
    """The bytes are an image or a document of a format that is not accepted."""


class ImageTooLarge(ColorCNNError):
    """The image has more pixels, or the upload more bytes, than the limit allows."""


class BadOption(ColorCNNError):
    """An option is out of range or not a number."""


class UnknownModel(ColorCNNError):
    """No checkpoint of this name is available."""


class UnknownMethod(ColorCNNError):
    """No quantizer of this name is available."""


class CodecError(ColorCNNError):
    """The bytes are not a BPG file that the codec decodes correctly, or the image does not fit a BPG file."""


class NotFinite(ColorCNNError):
    """A network returned values that are not finite, so its weights or its device are damaged."""


class CorruptCheckpoint(ColorCNNError):
    """The content of a checkpoint file contradicts the manifest or the metadata of the file."""
