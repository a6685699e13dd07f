"""Training of the prefilter of photographs: frozen classifiers shall recognize the changed picture in few colors.

    python -m training.train_prefilter --data DATA/photographs --classifier imagenet-efficientnet-lite0 \\
        --also imagenet-efficientnet-lite1 --out runs/prefilter

No labels are needed: the targets are the answers of the classifiers for the original (distillation, Hinton et al.,
2015), as in `models.quantizers.learned.descent`, whose cost this is, averaged over photographs. Each batch is mapped
either with error diffusion at twice the view, or to the nearest entries at the view's size, and one classifier looks at
it, through a random view. The mapping is exact; its gradient passes straight through. The agreement on held-out
photographs is for the log alone: the last epoch is published.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as NameMapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from models.names import ModelKind
from models.networks.classifiers import Classifier
from models.networks.prefilter import Prefilter, PrefilterConfig, build_prefilter
from models.quantizers.classical.gamut import Gamut
from models.quantizers.learned.mapping import Diffusion, Mapping
from models.quantizers.learned.random_views import Region
from models.recognizer import Recognizer, load_recognizer
from models.rgb import Pixels
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import TrainerOptions, WorkersOptions
from training.cli.session import begin
from training.data import workers
from training.data.datasets import DatasetError
from training.data.photograph_samples import Draw, PhotographSample, batches, photograph_files
from training.loop.fit import Run, Session, fit, run_config
from training.loop.hyperparameters import Hyperparameters
from training.loop.objective import Draw as ColorsDraw
from training.loop.objective import parse_draw
from training.loop.scoring import frozen_classifier
from training.options import Count, Fraction, Weight
from training.train_colorcnn import adamw, trainable, warm_cosine

_SHARPNESS = 3.0  # as in the descent
_LARGE = 2  # side of a large picture, in sides of the view
_SCORED = ((2, True), (4, True), (2, False), (4, False))  # K, and whether errors are diffused
_COLORS = ("2:8", "3:1", "4:5", "6:1", "8:2", "16:3", "32:1", "64:0.3", "256:0.1")


class PrefilterHyperparameters(Hyperparameters):
    """Hyper-parameters of the prefilter."""

    classifier: str
    """Published classifier whose stages are the encoder; also the first classifier that looks at the pictures."""
    also: tuple[str, ...] = ()
    """Further classifiers that look at the pictures."""
    turns: tuple[Weight, ...] = ()
    """Relative frequencies of batches for --classifier and each of --also; equal by default."""
    photographs: Count = 2000
    """Photographs of an epoch, drawn without repetition."""
    lr: Weight = 2e-3
    """Peak learning rate of AdamW."""
    weight_decay: Weight = 1e-4
    """Weight decay of AdamW."""
    colors: Annotated[tuple[ColorsDraw, ...], Field(min_length=1)] = _COLORS
    """Numbers of colors and their relative frequencies among pictures, as K:WEIGHT."""
    large: Fraction = 0.6
    """Part of the batches with pictures of twice the view, mapped with error diffusion."""
    change: Weight = 90.0
    """Nats for a mean squared change of 1 in the view of a picture of twice the view, where 1 is white."""
    small_change: Weight = 50.0
    """The same of a picture of the view's size."""


class PrefilterOptions(PrefilterHyperparameters, TrainerOptions, WorkersOptions):
    """Train the prefilter of photographs against frozen classifiers."""

    imported: Path | None = None
    """Folder of models with further classifiers for --also, as training.import_classifier writes it."""


@dataclass(frozen=True, eq=False)
class _Objective:
    """Cost of a batch for one recognizer, which looks at a random view of the mapped pictures."""

    network: Prefilter
    config: PrefilterHyperparameters

    def __call__(self, batch: "_Batch", recognizer: Recognizer, region: Region) -> tuple[Tensor, Tensor]:
        """Return the cost, and which pictures the recognizer recognizes: (), (B,) bool."""
        picture, mapped = batch.changed(self.network)
        shown = mapped + batch.mobility(picture) * (picture - picture.detach())
        view = region.view(shown, recognizer.views)
        with torch.no_grad():
            answers = recognizer.network(_whole(batch.originals).view(batch.originals, recognizer.views)).float()
        output = recognizer.network(view.clamp(0, 1).contiguous(memory_format=torch.channels_last)).float()
        sharp = (_SHARPNESS * answers).log_softmax(1)
        divergence = F.kl_div(output.log_softmax(1), sharp, reduction="batchmean", log_target=True)
        # Not the error of the mapped picture: no change removes what the palette lacks, but the gradient asks for one.
        change = region.view(picture - batch.reachable, recognizer.views)
        weight = self.config.change if batch.diffused else self.config.small_change
        return divergence + weight * change.square().mean(), output.argmax(1) == answers.argmax(1)


class _Batch:
    """Pictures of one size, which are all mapped with error diffusion or all without."""

    def __init__(self, samples: Sequence[PhotographSample], size: int) -> None:
        self.samples = samples
        self.diffused = samples[0].draw.diffused
        self.originals = _tensor([sample.pixels for sample in samples])
        self._size = size
        self.mapped = _tensor([sample.mapped for sample in samples])
        self.reachable = self._within(self.originals)

    def changed(self, network: Prefilter) -> tuple[Tensor, Tensor]:
        """Return the changed pictures, with their gradient, and their mapping, (B, 3, H, W) both."""
        colors = torch.tensor([sample.draw.colors for sample in self.samples])
        diffused = torch.full((len(self.samples),), float(self.diffused))
        change = network(self._scaled(self.originals), self._scaled(self.mapped), colors, diffused)
        change = F.interpolate(change, self.originals.shape[2:], mode="bilinear", align_corners=False)
        picture = self._within(self.originals + change)
        return picture, _tensor([s.mapping.map(p).render() for s, p in self._rounded(picture)])

    def _within(self, pictures: Tensor) -> Tensor:
        """Move pictures into the gamuts of their palettes, if errors are diffused."""
        pairs = zip(pictures, self.samples, strict=True)
        return torch.stack([_within(one, sample.mapping) for one, sample in pairs]) if self.diffused else pictures

    def mobility(self, picture: Tensor) -> Tensor:
        """Return how far each pixel follows its gradient, (B, 1, H, W) or a single 1."""
        values = [sample.mapping.mobility(pixels) for sample, pixels in self._rounded(picture)]
        known = [value for value in values if value is not None]
        return torch.from_numpy(np.stack(known))[:, None] if known else torch.ones(())

    def _rounded(self, picture: Tensor) -> Iterator[tuple[PhotographSample, Pixels]]:
        rounded = picture.detach().mul(255).round_().clamp_(0, 255).byte().permute(0, 2, 3, 1).contiguous().numpy()
        return zip(self.samples, rounded, strict=True)

    def _scaled(self, images: Tensor) -> Tensor:
        if images.shape[-1] == self._size:
            return images
        size = (self._size, self._size)
        return F.interpolate(images, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)


def main(argv: Sequence[str] | None = None) -> Prefilter:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(PrefilterOptions, "training.train_prefilter", argv).located()
    torch.manual_seed(options.seed)  # draws the fresh weights
    registry = Registry.open(options.models)
    encoder = frozen_classifier(registry, options.classifier)
    folders = [registry, *([Registry.open(options.imported)] if options.imported else [])]
    cpu = torch.device("cpu")
    names = dict.fromkeys((options.classifier, *options.also))
    recognizers = {name: load_recognizer(_holder(folders, name), name, cpu) for name in names}
    if options.turns and len(options.turns) != len(names):
        raise DatasetError(f"--turns needs a number for --classifier and each of --also, {len(names)} in all")
    files = photograph_files(options.folder)
    held_out = options.held_out or min(64, len(files) // 5)
    if len(files) - held_out < options.batch:
        raise DatasetError(
            f"{len(files)} photographs do not fill a batch of {options.batch} beside {held_out} for the log"
        )
    options = options.replace(held_out=held_out)
    network = around(encoder)
    session = begin(options)
    with workers.worker_pool(options.workers) as pool:
        train(network, recognizers, options, files, session, pool)
    return network.eval()


def around(classifier: Classifier) -> Prefilter:
    """Return a fresh prefilter whose encoder is a copy of `classifier`; torch's global generator draws the rest.

    Raises SystemExit for a classifier whose stages do not suit.
    """
    try:
        network = build_prefilter(PrefilterConfig(encoder=classifier.config))
    except ValueError as error:
        raise SystemExit(f"--classifier: {error}") from None
    network.encoder.load_state_dict(classifier.state_dict())
    return network


def train(
    network: Prefilter,
    recognizers: NameMapping[str, Recognizer],
    config: PrefilterHyperparameters,
    files: Sequence[Path],
    session: Session,
    pool: ProcessPoolExecutor,
) -> NameMapping[str, float]:
    """Train the network, or resume; returns the agreement on held-out photographs.

    recognizers: those that look at the pictures, by name.
    """
    order = np.random.default_rng(config.seed).permutation(len(files))
    held_out, part = ([files[row] for row in rows] for rows in np.split(order, [config.held_out or 0]))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw([{"params": trainable(network), "lr": config.lr}], config.weight_decay)
    steps = max(1, min(config.photographs, len(part)) // config.batch)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(config.epochs * steps))
    objective = _Objective(network, config)
    run = Run(
        config.epochs,
        run_config(ModelKind.PREFILTER, network.config, config.only(PrefilterHyperparameters), ()),
        {"weights": network, "optimizer": optimizer, "scheduler": scheduler},
        train_epoch=lambda epoch: _train_epoch(
            objective, recognizers, optimizer, scheduler, part, epoch, session, pool
        ),
        score=lambda: _score(network.eval(), recognizers, held_out, config, pool, session),
    )
    return fit(run, session)


def _train_epoch(
    objective: _Objective,
    recognizers: NameMapping[str, Recognizer],
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler,
    files: Sequence[Path],
    epoch: int,
    session: Session,
    pool: ProcessPoolExecutor,
) -> dict[str, float]:
    """Train one epoch, numbered from 0; returns mean cost and agreement for the log."""
    config, size = objective.config, objective.network.encoder.size
    objective.network.train()
    random = np.random.default_rng((config.seed, epoch))
    order = list(recognizers.values())
    turns = np.array(config.turns or [1.0] * len(order))
    draws = list(_draws(config, files, size, random))
    costs, kept = [], []
    for samples in session.log.track(batches(pool, draws), f"epoch {epoch + 1}/{config.epochs}", len(draws)):
        batch = _Batch(samples, size)
        recognizer = order[random.choice(len(order), p=turns / turns.sum())]
        with session.autocast():
            cost, agrees = objective(batch, recognizer, _random_square(batch.originals.shape[-1], random))
        optimizer.zero_grad()
        cost.backward()
        torch.nn.utils.clip_grad_norm_(trainable(objective.network), 1.0)
        optimizer.step()
        scheduler.step()
        costs.append(cost.item())
        kept.append(agrees.float().mean().item())
    return {"cost": float(np.mean(costs)), "kept": float(np.mean(kept))}


def _draws(
    config: PrefilterHyperparameters, files: Sequence[Path], size: int, random: np.random.Generator
) -> Iterator[list[Draw]]:
    """Yield the draws of each batch of an epoch."""
    colors, weights = zip(*map(parse_draw, config.colors), strict=True)
    chosen = random.permutation(len(files))[: config.photographs]
    for rows in chosen[: len(chosen) // config.batch * config.batch].reshape(-1, config.batch):
        diffused = bool(random.random() < config.large)
        side = _LARGE * size if diffused else size
        drawn = random.choice(colors, len(rows), p=np.array(weights) / sum(weights))
        seeds = random.integers(1 << 31, size=len(rows))
        yield [Draw(files[row], int(k), side, diffused, int(s)) for row, k, s in zip(rows, drawn, seeds, strict=True)]


@torch.inference_mode()
def _score(
    network: Prefilter,
    recognizers: NameMapping[str, Recognizer],
    files: Sequence[Path],
    config: PrefilterHyperparameters,
    pool: ProcessPoolExecutor,
    session: Session,
) -> dict[str, float]:
    """Return the part of held-out photographs that each recognizer recognizes, by K and size, and without a change."""
    size, result = network.encoder.size, dict[str, float]()
    for colors, diffused in _SCORED:
        side = _LARGE * size if diffused else size
        draws = [Draw(file, colors, side, diffused, seed) for seed, file in enumerate(files)]
        groups = [draws[start : start + config.batch] for start in range(0, len(draws), config.batch)]
        kept: dict[str, list[Tensor]] = {}
        for samples in batches(pool, groups):
            batch = _Batch(samples, size)
            with session.autocast():
                _, mapped = batch.changed(network)
                for name, recognizer in recognizers.items():
                    before, after, without = (
                        recognizer.network(_whole(images).view(images, recognizer.views).clamp(0, 1)).argmax(1)
                        for images in (batch.originals, mapped, batch.mapped)
                    )
                    kept.setdefault(name, []).append(after == before)
                    kept.setdefault(f"{name}_unchanged", []).append(without == before)
        prefix = f"held_out_kept_{colors}_{side}"
        result |= {f"{prefix}_{which}": float(torch.cat(values).float().mean()) for which, values in kept.items()}
    return result


def _within(picture: Tensor, mapping: Mapping) -> Tensor:
    """Move each pixel of a (3, H, W) picture into the gamut of its palette, as error diffusion does, with gradients."""
    assert isinstance(mapping, Diffusion)
    gamut = Gamut.of(mapping.palette)
    center, axes, low, high = (torch.from_numpy(part) for part in (gamut.center, gamut.axes, gamut.low, gamut.high))
    places = (255 * picture.permute(1, 2, 0) - center) @ axes.T
    return ((places.clamp(low, high) @ axes + center) / 255).permute(2, 0, 1)


def _random_square(side: int, random: np.random.Generator) -> Region:
    """Return a random square of 0.8 to 1 sides of a picture."""
    part = round(random.uniform(0.8, 1) * side)
    top, left = random.integers(side - part + 1, size=2)
    return Region(int(top), int(left), part, part)


def _whole(images: Tensor) -> Region:
    return Region(0, 0, *images.shape[2:])


def _tensor(images: Sequence[Pixels]) -> Tensor:
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(255)
    return stacked.contiguous(memory_format=torch.channels_last)


def _holder(folders: Sequence[Registry], name: str) -> Registry:
    """Return the first folder of models that has one of that name, else the first folder, which then reports it."""
    return next((each for each in folders if any(entry.name == name for entry in each.available())), folders[0])


if __name__ == "__main__":
    command_line.run(main)
