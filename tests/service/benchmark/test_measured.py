"""Measurements that ship with the service belong to the shipped weights alone."""

from dataclasses import replace

from models.zoo.registry import Registry
from service.benchmark import measured


def test_every_measurement_is_about_the_shipped_weights() -> None:
    entries = Registry.open().available()

    assert len(list(measured.dataset_reports(entries))) == len(measured.DATASETS)
    assert len(list(measured.photograph_reports(entries))) == 1


def test_measurements_of_other_weights_are_left_out() -> None:
    entries = [replace(entry, sha256="0" * 64) for entry in Registry.open().available()]

    assert list(measured.dataset_reports(entries)) == list(measured.photograph_reports(entries)) == []
