"""The one tree of errors. Every message is written for the person who made the request: what is wrong, what to do."""


class ColorCNNError(Exception):
    """Base of every error that this project raises on purpose."""


class BadImage(ColorCNNError):
    """The bytes are not a readable image: empty, not an image at all, truncated or damaged."""


class UnsupportedFormat(ColorCNNError):
    """The bytes are an image or a document of a format that is not accepted."""


class ImageTooLarge(ColorCNNError):
    """The image has more pixels, or the upload more bytes, than the limit allows."""


class BadOption(ColorCNNError):
    """An option is out of its range or not a number."""


class UnknownModel(ColorCNNError):
    """No checkpoint of that name is available."""


class UnknownMethod(ColorCNNError):
    """No quantizer of that name is available."""


class CodecError(ColorCNNError):
    """The bytes are not a BPG file that is read correctly, or an image that no BPG can hold."""


class NotFinite(ColorCNNError):
    """A network gave values that are not finite: its weights or its device are damaged."""


class CorruptCheckpoint(ColorCNNError):
    """A checkpoint file does not hold what its manifest or its own metadata says."""
