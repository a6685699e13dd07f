"""The part of GET /models about methods: what each does and supports, and which are the defaults."""

from __future__ import annotations

import sys

from models.names import method_name
from service.inference.catalog import Catalog
from service.inference.selection import Selection
from service.schemas.methods import METHODS
from service.schemas.model_reports import DefaultReport, DefaultsReport, MethodReport

_ANY_COLORS = 4  # the default method needs no network for one number of colors


def method_reports(catalog: Catalog) -> list[MethodReport]:
    """Return a report on each method of `catalog`, in its order."""
    known = {name: METHODS[name] for name in catalog.methods()}
    return [
        MethodReport(name=name, title=method_name(name), description=method.line, options=list(method.options))
        for name, method in known.items()
    ]


def defaults_report(catalog: Catalog) -> DefaultsReport:
    """Return the defaults of `catalog` by the size of the image."""
    selections = catalog.select_by_picture(None, None, _ANY_COLORS)
    classifiers = catalog.classifier_by_picture(None)
    side = selections.largest_side
    return DefaultsReport(
        small=_default(selections.small, classifiers.small.name) if side else None,
        photograph=_default(selections.photograph, classifiers.photograph.name) if side < sys.maxsize else None,
        largest_small_side=side if side < sys.maxsize else None,
    )


def _default(selection: Selection, classify: str) -> DefaultReport:
    return DefaultReport(
        method=selection.method, model=selection.model, classifier=selection.classifier, classify=classify
    )
