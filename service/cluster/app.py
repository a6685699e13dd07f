"""Application builder for `serve run` and `serve deploy`: `import_path: service.cluster.app:build`."""

# Without `from __future__ import annotations`, since Ray reads the type of the argument to check a configuration.

from ray import serve

from service.app import build_service
from service.cluster.options import ClusterOptions
from service.cluster.replica import deployment
from service.cluster.weights import digest


def build(options: ClusterOptions) -> serve.Application:
    """Return the service with the models that its settings name as an application of Ray Serve.

    Raises:
        CorruptCheckpoint: the folder of models has no readable manifest.
    """
    return deployment(options, build_service, digest(options.service_settings().models_folder))
