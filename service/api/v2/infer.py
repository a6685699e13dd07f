"""The work for an inference request of the Open Inference Protocol, through the pipeline of /quantize and /classify."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from models.errors import BadOption
from service.api.model_headers import model_headers
from service.api.v2.models import ServedModel
from service.api.v2.outputs import CLASSIFY_OUTPUTS, QUANTIZE_OUTPUTS
from service.api.v2.requests import InferenceCall
from service.api.v2.tensors import Tensor
from service.inference.several import options_of_each
from service.inference.together import images_at_once, run_together
from service.lifecycle import Service
from service.runtime.timing import Timings
from service.schemas.media_types import FileFormat
from service.schemas.options import ClassifyOptions, QuantizeOptions
from service.schemas.text_options import Options, read_options
from service.schemas.upload import UploadedFile

_FILE_FORMATS: Mapping[str | None, FileFormat] = {
    None: "png",
    "png": "png",
    "webp": "webp",
    "raw": "raw",
    "packed": "packed",
}
_RECOGNITION = ("label_before", "probability_before", "label_after", "probability_after")


@dataclass(frozen=True)
class Inferred:
    """Result of an inference request.

    headers: name the networks that ran and their checkpoints. timings: of each image.
    """

    tensors: tuple[Tensor, ...]
    headers: Mapping[str, str]
    timings: tuple[Timings, ...]


async def infer(service: Service, call: InferenceCall, model: ServedModel) -> Inferred:
    """Return the outputs that `call` asks `model` for.

    Raises the errors of options and of the pipeline; where there are several images, that of an image names its
    position.
    """
    return await (_quantize if model.task == "quantize" else _classify)(service, call, model)


async def _quantize(service: Service, call: InferenceCall, model: ServedModel) -> Inferred:
    options = _options(call, model, QuantizeOptions)
    if options.format not in _FILE_FORMATS:
        raise BadOption(f"format={options.format} holds no single image; ask for png, webp, raw or packed.")
    absent = {} if options.recognize else dict.fromkeys(_RECOGNITION, "leave out recognize=false")
    if options.share_to_keep is None and options.max_bytes is None:
        absent["goals_met"] = "give a goal, `keep` or `max_bytes`"
    wanted = _wanted(call, model, absent)
    uploads = [UploadedFile(file) for file in call.files]
    options = await options_of_each(service.pipeline, uploads, options)
    work = partial(service.pipeline.quantize, options=options, format=_FILE_FORMATS[options.format])
    results = await run_together(uploads, work, images_at_once(service.settings))
    tensors = {output.name: output.of(results) for output in QUANTIZE_OUTPUTS if output.name in wanted}
    if options.skip_if_larger and "image" in wanted:
        files = (b"" if result.is_larger else result.file for result in results)
        tensors["image"] = replace(tensors["image"], values=tuple(files))
    headers = model_headers([result.selection.model for result in results], service.engine.catalog.sha256)
    return Inferred(tuple(tensors[name] for name in wanted), headers, tuple(result.timings for result in results))


async def _classify(service: Service, call: InferenceCall, model: ServedModel) -> Inferred:
    options = _options(call, model, ClassifyOptions)
    if options.format is not None:
        raise BadOption("Outputs of a classifier have no `format`; leave it out. The output `cam` is a picture.")
    wanted = _wanted(call, model, {} if options.cam is not None else {"cam": "give the option `cam`"})
    work = partial(service.pipeline.classify, options=options)
    results = await run_together(call.files, work, images_at_once(service.settings))
    tensors = {output.name: output.of(results) for output in CLASSIFY_OUTPUTS if output.name in wanted}
    headers = model_headers([result.model for result in results], service.engine.catalog.sha256)
    return Inferred(tuple(tensors[name] for name in wanted), headers, tuple(result.timings for result in results))


def _options(call: InferenceCall, model: ServedModel, kind: type[Options]) -> Options:
    """Return the validated options. Raises BadOption, also for an option that the model decides."""
    for name, _ in call.options:
        if name in model.fixed:
            raise BadOption(
                f"The model {model.name!r} decides the option `{name}`; leave it out, or ask the model {model.task!r}."
            )
    return read_options((*model.fixed.items(), *call.options), kind)


def _wanted(call: InferenceCall, model: ServedModel, absent: Mapping[str, str]) -> Collection[str]:
    """Return the names of the outputs of the response, in order.

    absent: outputs that the options rule out, and what a request must change to get them.
    """
    if call.outputs is None:
        return [name for name in model.outputs if name not in absent]
    for name in call.outputs:
        if name in absent:
            raise BadOption(f"These options rule out the output {name!r}; {absent[name]}, or leave that output out.")
    return list(call.outputs)
