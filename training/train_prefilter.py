"""Training of the prefilter of photographs: frozen classifiers shall recognize the changed picture in few colors.

    python -m training.train_prefilter --data DATA/photographs --classifier imagenet-efficientnet-lite0 \\
        --also imagenet-efficientnet-lite1 --out runs/prefilter

No labels are needed: the targets are the answers of the classifiers for the original, see
training.loop.prefilter_objective. Each batch is mapped either with error diffusion at twice the view, or to the nearest
entries at the view's size, and one classifier looks at it, through a random view. The agreement on held-out photographs
is for the log alone: the last epoch is published.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.names import ModelKind
from models.networks.classifiers import Classifier
from models.networks.prefilter import Prefilter, PrefilterConfig, build_prefilter
from models.quantizers.learned.random_views import Region
from models.recognizer import Recognizer, load_recognizer
from models.zoo.registry import Registry
from training.cli import command_line
from training.cli.options import TrainerOptions, WorkersOptions
from training.cli.session import begin, registry_of
from training.data import workers
from training.data.datasets import DatasetError
from training.data.photograph_samples import Draw, batches, photograph_files
from training.loop.fit import Run, Session, fit, run_config
from training.loop.objective import parse_draw
from training.loop.prefilter_objective import Batch, Objective, PrefilterHyperparameters, whole
from training.loop.scoring import frozen_classifier
from training.train_colorcnn import adamw, trainable, warm_cosine

_LARGE = 2  # side of a large picture, in sides of the view
_SCORED = ((2, True), (4, True), (2, False), (4, False))  # K, and whether errors are diffused


class PrefilterOptions(PrefilterHyperparameters, TrainerOptions, WorkersOptions):
    """Train the prefilter of photographs against frozen classifiers."""

    imported: Path | None = None
    """Folder of models with further classifiers for --also, as training.import_classifier writes it."""


def main(argv: Sequence[str] | None = None) -> Prefilter:
    """Run the training of a command line; writes log.jsonl and state.pt to --out."""
    options = command_line.parse(PrefilterOptions, "training.train_prefilter", argv).located()
    torch.manual_seed(options.seed)  # draws the fresh weights
    encoder = frozen_classifier(Registry.open(options.models), options.classifier)
    names = dict.fromkeys((options.classifier, *options.also))
    if options.turns and len(options.turns) != len(names):
        raise DatasetError(f"--turns needs a number for --classifier and each of --also, {len(names)} in all")
    registries = {name: registry_of(options.models, options.imported, name) for name in names}
    files = photograph_files(options.folder)
    held_out = options.held_out or min(64, len(files) // 5)
    if len(files) - held_out < options.batch:
        raise DatasetError(
            f"{len(files)} photographs do not fill a batch of {options.batch} beside {held_out} for the log"
        )
    options = options.replace(held_out=held_out)
    network = around(encoder)
    session = begin(options)
    recognizers = {name: load_recognizer(registry, name, session.device) for name, registry in registries.items()}
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
    recognizers: Mapping[str, Recognizer],
    config: PrefilterHyperparameters,
    files: Sequence[Path],
    session: Session,
    pool: ProcessPoolExecutor,
) -> Mapping[str, float]:
    """Train the network, or resume; returns the agreement on held-out photographs.

    recognizers: those that look at the pictures, by name.
    """
    order = np.random.default_rng(config.seed).permutation(len(files))
    held_out, part = ([files[row] for row in rows] for rows in np.split(order, [config.held_out or 0]))
    network.to(device=session.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = adamw([{"params": trainable(network), "lr": config.lr}], config.weight_decay)
    steps = max(1, min(config.photographs, len(part)) // config.batch)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, warm_cosine(config.epochs * steps))
    objective = Objective(network, config)
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
    objective: Objective,
    recognizers: Mapping[str, Recognizer],
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
        batch = Batch(samples, size, session.device)
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
    recognizers: Mapping[str, Recognizer],
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
            batch = Batch(samples, size, session.device)
            with session.autocast():
                _, mapped = batch.changed(network)
                for name, recognizer in recognizers.items():
                    before, after, without = (
                        recognizer.network(whole(images).view(images, recognizer.views).clamp(0, 1)).argmax(1)
                        for images in (batch.originals, mapped, batch.mapped)
                    )
                    kept.setdefault(name, []).append(after == before)
                    kept.setdefault(f"{name}_unchanged", []).append(without == before)
        prefix = f"held_out_kept_{colors}_{side}"
        result |= {f"{prefix}_{which}": float(torch.cat(values).float().mean()) for which, values in kept.items()}
    return result


def _random_square(side: int, random: np.random.Generator) -> Region:
    """Return a random square of 0.8 to 1 sides of a picture."""
    part = round(random.uniform(0.8, 1) * side)
    top, left = random.integers(side - part + 1, size=2)
    return Region(int(top), int(left), part, part)


if __name__ == "__main__":
    command_line.run(main)
