"""Selection of models and methods by the names that requests use. No network is needed to select one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Unpack

from models.errors import BadOption, UnknownMethod, UnknownModel
from models.names import (
    HALFTONE,
    LEARNED_METHOD,
    LEARNED_METHODS,
    NEAREST,
    PHOTOGRAPH_METHODS,
    PUBLISHED_METHOD,
    REFINED_IN_ONE_PASS,
    REFINED_QUICKLY,
    ModelKind,
)
from models.quantizers.classical.catalog import CLASSICAL
from models.zoo.manifest import ModelEntry
from service.inference.by_picture import ByPicture
from service.inference.fingerprint import fingerprint
from service.inference.selection import MethodOptions, Selection
from service.schemas.fields import Rgb
from service.schemas.methods import DITHER, FIDELITY, METHODS, MODEL, PALETTE, TRANSFERABLE, one_of, supporting

_PHOTOGRAPH_SIDES = 2  # native sizes of the default network that the shorter side of a small image spans at most
_MOST_REMEMBERED = 256  # choices; one with a palette takes some 20 kB


@dataclass(frozen=True)
class Catalog:
    """The models that are loaded, the default ones, and what a request may select among them.

    entries: models in the order of the manifest. defaults: for each kind, the name of the model that serves requests
    without a model. supporting_fidelity: names of the networks that support a fidelity above 0. photographs: whether
    photographs have a default method and a default classifier of their own. photograph_classifier: name of that
    classifier; None for the default classifier. transfer_classifiers: names of the classifiers that a refined image is
    optimized for beside the chosen one.

    Raises UnknownModel where a default names no model of its kind.
    """

    entries: tuple[ModelEntry, ...] = ()
    defaults: Mapping[ModelKind, str] = field(default_factory=lambda: MappingProxyType({}))
    supporting_fidelity: frozenset[str] = frozenset()
    photographs: bool = False
    photograph_classifier: str | None = None
    transfer_classifiers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for kind, name in self.defaults.items():
            self._entry(kind, name)
        if self.photograph_classifier is not None:
            self.classifier(self.photograph_classifier)
        for name in self.transfer_classifiers:
            self.classifier(name)

    @cached_property
    def sha256(self) -> Mapping[str, str]:
        """SHA-256 of each checkpoint, 64 hexadecimal digits, by the name of its model."""
        return MappingProxyType({entry.name: entry.sha256 for entry in self.entries})

    @cached_property
    def digest(self) -> str:
        """16 hexadecimal digits; catalogs with other weights or other defaults have another digest."""
        photographs = [self.photographs, self.photograph_classifier, *self.transfer_classifiers]
        return fingerprint(self.entries, dict(self.defaults), photographs)

    def methods(self) -> tuple[str, ...]:
        """Return the names of the quantization methods, the default one for small images first.

        The methods of a network need one of its kind; the others need none.
        """
        needed = {
            **dict.fromkeys(LEARNED_METHODS, ModelKind.COLORCNN),
            PUBLISHED_METHOD: ModelKind.COLORCNN_PUBLISHED,
            REFINED_IN_ONE_PASS: ModelKind.PREFILTER,
        }
        names = (self.default_method, *LEARNED_METHODS, *PHOTOGRAPH_METHODS, PUBLISHED_METHOD, *CLASSICAL, NEAREST)
        return tuple(name for name in dict.fromkeys(names) if name not in needed or self._of_kind(needed[name]))

    @property
    def default_method(self) -> str:
        """Method of requests that name none, for small images: the network or, without one, that of photographs."""
        if ModelKind.COLORCNN in self.defaults:
            return LEARNED_METHOD
        return REFINED_QUICKLY if self.photographs else HALFTONE

    def classifier(self, name: str | None) -> ModelEntry:
        """Return the classifier of that name, or for None the default one. Raises UnknownModel."""
        return self._entry(ModelKind.CLASSIFIER, name)

    def classifier_by_picture(self, name: str | None) -> ByPicture[ModelEntry]:
        """Return the classifier of that name, or for None the default ones. Raises UnknownModel."""
        small = self.classifier(name)
        photograph = small if name else self.classifier(self.photograph_classifier)
        return ByPicture(small, photograph, self.largest_small_side)

    def is_default(self, name: str) -> bool:
        """Return whether requests without a model get this one."""
        return name in self.defaults.values() or (self.photographs and name == self.photograph_classifier)

    def select(
        self,
        method: str,
        model: str | None,
        colors: int,
        classifier: str | None = None,
        **options: Unpack[MethodOptions],
    ) -> Selection:
        """Check the names of a request and fill in the defaults.

        Args:
            method: one of `methods`.
            model: name of a network for the method, or of a classifier for a refined method; None for the default one.
            colors: number of colors, which decides among the published networks.
            classifier: name of the classifier that a published network was trained against; None for the classifier of
                the default quantizer.
            options: see `MethodOptions`.

        Raises:
            UnknownMethod, UnknownModel: nothing has that name.
            BadOption: the method or the network does not support the model, the colors or another option.
        """
        if method not in self.methods():
            raise UnknownMethod(f"There is no method {method!r:.80}; the methods are {', '.join(self.methods())}.")
        self._check_support(method, _given(options))
        if method in PHOTOGRAPH_METHODS:
            return self._select_refined(method, model, options)
        if method in LEARNED_METHODS:
            return self._select_learned(method, model, options.get("fidelity", 0.0))
        if method == PUBLISHED_METHOD:
            return self._select_published(model, colors, classifier)
        return self._select_classical(method, model, options.get("palette"))

    def select_by_picture(
        self,
        method: str | None,
        model: str | None,
        colors: int,
        **options: Unpack[MethodOptions],
    ) -> ByPicture[Selection]:
        """Check the names of a request as `select` does, where None stands for the default method.

        The default is `default_method`. Where photographs have defaults of their own, it is `refined_fast` for an image
        whose shorter side is more than twice the native size of the default network, whose structure is too coarse for
        such an image. A request that names a network still gets `colorcnn`. One that names a classifier, or an option
        of the refined methods alone, gets `refined_fast` for an image of any size. The classifier of photographs then
        classifies the photographs that no network quantizes.
        """
        return self._remembered_by_picture(method, model, colors, **options)

    @cached_property
    def _remembered_by_picture(self) -> Callable[..., ByPicture[Selection]]:  # most requests name the same options
        return lru_cache(_MOST_REMEMBERED)(self._select_by_picture)

    def _select_by_picture(
        self, method: str | None, model: str | None, colors: int, **options: Unpack[MethodOptions]
    ) -> ByPicture[Selection]:
        refined_alone = model is None and not {TRANSFERABLE, DITHER, PALETTE}.isdisjoint(_given(options))
        if method is None and (refined_alone or self._is_classifier(model)):
            method = REFINED_QUICKLY
        name = method or self._default_method(model, options.get("fidelity", 0.0))
        small = self.select(name, model, colors, **options)
        photograph = small
        if not method and not model and self.photographs:
            photograph = self.select(REFINED_QUICKLY, None, colors, **options)
        if not photograph.on_device:
            photograph = replace(photograph, classifier=self.classifier(self.photograph_classifier).name)
        return ByPicture(small, photograph, self.largest_small_side)

    def _default_method(self, model: str | None, fidelity: float) -> str:
        """Return the default method of a small image: `refined_fast` for a fidelity that the network lacks."""
        supported = model is not None or self.defaults.get(ModelKind.COLORCNN) in self.supporting_fidelity
        return REFINED_QUICKLY if fidelity and self.photographs and not supported else self.default_method

    def _is_classifier(self, name: str | None) -> bool:
        return any(entry.name == name for entry in self._of_kind(ModelKind.CLASSIFIER))

    @property
    def largest_small_side(self) -> int:
        """Longest shorter side, in pixels, of an image that is no photograph."""
        if not self.photographs:
            return sys.maxsize
        if ModelKind.COLORCNN not in self.defaults:
            return 0
        return _PHOTOGRAPH_SIDES * self._entry(ModelKind.COLORCNN, None).size

    def _check_support(self, method: str, options: Iterable[str]) -> None:
        """Raise BadOption for the first of the given options that the method does not support."""
        for option in options:
            if option not in METHODS[method].options:
                others = one_of(name for name in supporting(option) if name in self.methods())
                raise BadOption(
                    f"The method {method!r} does not support `{option}`; leave it out, or ask for {others}."
                )

    def _select_learned(self, method: str, model: str | None, fidelity: float) -> Selection:
        entry = self._entry(ModelKind.COLORCNN, model)
        if fidelity and entry.name not in self.supporting_fidelity:
            known = _names(entry for entry in self.entries if entry.name in self.supporting_fidelity)
            raise BadOption(
                f"The model {entry.name!r} does not support `fidelity`; leave it out. Models that do: {known}."
            )
        return Selection(method, entry.name, self._classifier_of(entry), fidelity)

    def _select_published(self, model: str | None, colors: int, classifier: str | None) -> Selection:
        """Select the network of that name, or the one trained against `classifier`; either must be for `colors`."""
        candidates = [self._entry(ModelKind.COLORCNN_PUBLISHED, model)] if model else self._trained_against(classifier)
        for entry in candidates:
            if entry.colors == (colors, colors):
                return Selection(PUBLISHED_METHOD, entry.name, self._classifier_of(entry))
        known = ", ".join(f"{entry.colors[0]}" for entry in candidates if entry.colors) or "none"
        raise BadOption(f"{PUBLISHED_METHOD} needs a network for each number of colors; there is one for {known}.")

    def _select_refined(self, method: str, model: str | None, options: MethodOptions) -> Selection:
        """Select the classifier of that name, for None that of photographs, and the transfer classifiers beside it.

        In one pass, the prefilter of the classifier takes the place of the transfer classifiers.
        """
        chosen = self.classifier(model or self.photograph_classifier).name
        one_pass = method == REFINED_IN_ONE_PASS
        others = self.transfer_classifiers if options.get("transferable", True) and not one_pass else ()
        return Selection(
            method,
            chosen,
            chosen,
            options.get("fidelity", 0.0),
            tuple(dict.fromkeys((chosen, *others))),
            options.get("dither"),
            self._prefilter_of(chosen) if one_pass else None,
            options.get("palette"),
        )

    def _prefilter_of(self, classifier: str) -> str:
        known = {entry.classifier: entry.name for entry in self._of_kind(ModelKind.PREFILTER)}
        if classifier not in known:
            raise BadOption(
                f"The classifier {classifier!r} has no prefilter, which {REFINED_IN_ONE_PASS!r} needs; ask for "
                f"{REFINED_QUICKLY!r}, or for one of these classifiers: {', '.join(map(str, known))}."
            )
        return known[classifier]

    def _select_classical(self, method: str, model: str | None, palette: tuple[Rgb, ...] | None) -> Selection:
        if model is not None:
            if not any(entry.name == model for entry in self.entries):
                raise UnknownModel(f"There is no model {model!r:.80}; loaded are {_names(self.entries)}.")
            self._check_support(method, [MODEL])
        if method == NEAREST and palette is None:
            raise BadOption(f"The method {method!r} needs `palette`; give it colors such as #000,#fff, or a name.")
        return Selection(method, None, self.classifier(None).name, palette=palette)

    def _trained_against(self, classifier: str | None) -> list[ModelEntry]:
        classifier = classifier or self._entry(ModelKind.COLORCNN, None).classifier
        return [entry for entry in self._of_kind(ModelKind.COLORCNN_PUBLISHED) if entry.classifier == classifier]

    def _classifier_of(self, quantizer: ModelEntry) -> str:
        return quantizer.classifier or self.classifier(None).name

    def _of_kind(self, kind: ModelKind) -> list[ModelEntry]:
        return [entry for entry in self.entries if entry.kind == kind]

    def _entry(self, kind: ModelKind, name: str | None) -> ModelEntry:
        if name is None and kind not in self.defaults:
            raise UnknownModel(f"There is no default {kind} model.")
        name = name or self.defaults[kind]
        known = self._of_kind(kind)
        for entry in known:
            if entry.name == name:
                return entry
        raise UnknownModel(f"There is no {kind} model {name!r:.80}; loaded are {_names(known)}.")


def no_maps(classifier: str) -> BadOption:
    """Return the error for activation maps of a classifier that has none."""
    return BadOption(
        f"The classifier {classifier!r} has no activation maps, because it pools no features of a height and a width; "
        "leave out `cam`, and ask for JSON."
    )


def _names(entries: Iterable[ModelEntry]) -> str:
    return ", ".join(entry.name for entry in entries) or "none"


def _given(options: MethodOptions) -> list[str]:
    """Return the names of the options that differ from their defaults."""
    given = {
        FIDELITY: options.get("fidelity", 0.0) != 0,
        TRANSFERABLE: not options.get("transferable", True),
        DITHER: options.get("dither") is not None,
        PALETTE: options.get("palette") is not None,
    }
    return [name for name, is_given in given.items() if is_given]
