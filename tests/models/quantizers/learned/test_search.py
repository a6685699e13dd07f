"""models/quantizers/learned/search.py: each image gets the structure with which the classifier sees it best."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.errors import NotFinite
from models.networks.colorcnn import ColorCNN, Description
from models.networks.palette import hard_palette
from models.networks.plan import Plan
from models.quantizers.learned import search
from models.quantizers.learned.colorcnn import LearnedQuantizer
from models.quantizers.learned.search import Candidates, select_structure
from models.quantizers.learned.shifts import towards_corners
from tests.models.small_networks import make_8bit_images, make_plan, make_structured_colorcnn, structure_of

SCALES = (0.0, 0.5, 1.0, 4.0)
SHIFTS = (2, 3)
SHIFTED_SCALES = (1.0, 2.0)
UNTIL_THE_LAST = [6] * len(SCALES) + [60, 60, 60, 12]  # ten of 32 structures of views at a time


def rendered(view: Tensor, plan: Plan) -> Tensor:
    """Quantize one image by its plan, (1, 3, 16, 16)."""
    logits = plan.index_logits(view)
    palette = hard_palette(view, logits.argmax(1), logits.shape[1]).palette.mul(255).round() / 255
    return palette[0][logits.argmax(1)].permute(0, 3, 1, 2)


@torch.inference_mode()
def best_of(
    network: ColorCNN,
    view: Tensor,
    colors: int,
    fidelity: float,
    *,
    floor: float = 0.05,
    margin: float = 0.5,
    share: float = 0.5,
) -> tuple[str, Plan]:
    """Return the candidate that the search should select and its plan, computed one candidate after the other."""
    target = network.encoder(view).softmax(1)
    likely, other = target[0].sort(descending=True).values[:2].log().tolist()
    costs: dict[str, tuple[bool, float]] = {}
    candidates = candidates_of(network, view, colors, with_shifts=not fidelity)
    for name, plan in candidates.items():
        image = rendered(view, plan)
        output = network.encoder(image).softmax(1)
        first, second = output[0].sort(descending=True).values[:2].log().tolist()
        kept = int(output.argmax()) == int(target.argmax())
        if not fidelity and kept and first - second >= min(margin, share * (likely - other)):
            return name, plan
        divergence = (target * (target.log() - output.log())).sum().item()
        error = (image - view).square().mean().item()
        costs[name] = (not (kept or fidelity), (1 - fidelity) * divergence + 100 * (fidelity + floor) * error)
    least = min(costs, key=lambda name: costs[name])
    return least, candidates[least]


def candidates_of(network: ColorCNN, view: Tensor, colors: int, *, with_shifts: bool) -> dict[str, Plan]:
    """Return the plans that the search tries for one image, in its order."""
    plan = make_plan(network, view, colors)
    found = {f"scale {scale}": plan.scale_structure(scale) for scale in search.order_scales(SCALES)}
    for shift in towards_corners(SHIFTS) if with_shifts else ():
        features = shift.undo(network.describe(shift.of(view)).features)
        seen = network.plan(view, view.flatten(2).mT, colors, features)
        found |= {f"{shift}, scale {scale}": seen.scale_structure(scale) for scale in SHIFTED_SCALES}
    return found


def select(network: ColorCNN, views: Tensor, plan: Plan, fidelity: float = 0.0) -> Plan:
    logits = network.classify(views)
    candidates = Candidates(network.config.structure_scales, SHIFTS, SHIFTED_SCALES)
    return select_structure(network, views, logits, plan, candidates, fidelity)


class ScriptedReader:
    """Reader that gives one output after the other, (1, classes) each, and has no views."""

    def __init__(self, *outputs: Tensor) -> None:
        self._outputs = iter(outputs)

    def classify(self, view: Tensor) -> Tensor:
        return next(self._outputs)

    def describe(self, view: Tensor) -> Description:
        raise AssertionError("there are no views")


def safe_margin(network: ColorCNN, views: Tensor, plan: Plan) -> float:
    """Return a margin that half of the images have at the first scale, if their class is that of the original."""
    first = plan.scale_structure(search.order_scales(SCALES)[0])
    images = torch.cat([rendered(views[i : i + 1], first.part(slice(i, i + 1))) for i in range(len(views))])
    two = network.classify(images).topk(2, 1).values
    margins = (two[:, 0] - two[:, 1]).sort().values
    return float(margins[len(views) // 2 - 1 : len(views) // 2 + 1].mean())  # no margin of an image: a tie would round


@pytest.mark.parametrize("fidelity", [0.0, 1e-5, 1.0])
@pytest.mark.parametrize("floor", [0.0, 0.05])
@torch.inference_mode()
def test_each_image_has_the_structure_of_a_search_of_its_own(
    floor: float, fidelity: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The case without the floor decides: an untrained classifier's outputs hardly differ."""
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(12)
    plan = make_plan(network, views, 3)
    margin = safe_margin(network, views, plan)
    monkeypatch.setattr(search, "_FLOOR", floor)
    monkeypatch.setattr(search, "_MARGIN", margin)
    selected = select(network, views, plan, fidelity)
    expected = [best_of(network, view, 3, fidelity, floor=floor, margin=margin) for view in views.split(1)]
    torch.testing.assert_close(selected.structure, torch.cat([structure_of(plan) for _, plan in expected]))
    names = {name for name, _ in expected}
    assert len(names) > 1 or floor or fidelity == 1


@torch.inference_mode()
def test_without_a_safe_structure_the_one_of_least_cost_is_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(12)
    for name, value in (("_FLOOR", 0.0), ("_MARGIN", torch.inf), ("_MARGIN_SHARE", torch.inf)):
        monkeypatch.setattr(search, name, value)
    selected = select(network, views, make_plan(network, views, 3))
    unsafe = {"floor": 0.0, "margin": torch.inf, "share": torch.inf}
    expected = [best_of(network, view, 3, 0.0, **unsafe) for view in views.split(1)]
    torch.testing.assert_close(selected.structure, torch.cat([structure_of(plan) for _, plan in expected]))
    assert len({name.startswith("Shift") for name, _ in expected}) == 2


@torch.inference_mode()
def test_without_a_safe_structure_those_that_keep_the_class_come_first() -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(1)
    plan, targets = make_plan(network, views, 3), torch.tensor([[5.0, 0.0, 0.0]])
    nearer, kept = torch.tensor([[4.9, 5.0, 0.0]]), torch.tensor([[0.1, 0.0, 0.0]])
    selected = select_structure(ScriptedReader(nearer, nearer, kept, nearer), views, targets, plan, Candidates(SCALES))
    expected = plan.scale_structure(search.order_scales(SCALES)[2])
    torch.testing.assert_close(selected.structure, expected.structure)


@torch.inference_mode()
def test_among_structures_of_another_class_a_little_less_cost_decides() -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(1)
    plan, targets = make_plan(network, views, 3), torch.tensor([[0.0, 5.0, 0.0]])
    far, nearer = torch.tensor([[5.0, 0.0, 0.0]]), torch.tensor([[5.0, 0.01, 0.0]])  # by about 0.01 nats
    flat = plan.scale_structure(0.0)  # all scales have the same error
    assert flat.structure is not None
    flat = flat._replace(structure=flat.structure + 1e-6)
    selected = select_structure(ScriptedReader(far, nearer, far, far), views, targets, flat, Candidates(SCALES))
    expected = flat.scale_structure(search.order_scales(SCALES)[1])
    torch.testing.assert_close(selected.structure, expected.structure, rtol=0, atol=1e-9)


@pytest.mark.parametrize("batch", [4, 64])
@torch.inference_mode()
def test_a_result_does_not_depend_on_the_other_images(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(12)
    plan = make_plan(network, views, 3)
    monkeypatch.setattr(search, "_BATCH", batch)
    monkeypatch.setattr(search, "_MARGIN", safe_margin(network, views, plan))
    together = structure_of(select(network, views, plan))
    for i in range(len(views)):
        alone = structure_of(select(network, views[i : i + 1], plan.part(slice(i, i + 1))))
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize(("margin", "passes"), [(-1.0, [6]), (1e9, UNTIL_THE_LAST)])
@torch.inference_mode()
def test_an_image_leaves_the_search_at_its_first_safe_structure(
    margin: float, passes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(6)
    plan = make_plan(network, views, 3)
    logits = torch.tensor([[1.0, 0.0, 0.0]]).expand(6, 3)
    seen = []

    class Reader:
        def classify(self, view: Tensor) -> Tensor:
            seen.append(len(view))
            return logits[:1].expand(len(view), -1)

        def describe(self, view: Tensor) -> Description:
            return network.describe(view)

    monkeypatch.setattr(search, "_MARGIN", margin)
    monkeypatch.setattr(search, "_MARGIN_SHARE", margin)
    select_structure(Reader(), views, logits, plan, Candidates(SCALES, SHIFTS, SHIFTED_SCALES))
    assert seen == passes


@torch.inference_mode()
def test_without_an_early_stop_the_least_cost_of_all_scales_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(6)
    plan = make_plan(network, views, 3)
    monkeypatch.setattr(search, "_FLOOR", 1.0)  # the error decides, and it is least at 0: k-means
    monkeypatch.setattr(search, "_MARGIN_SHARE", 0.0)
    logits = network.classify(views)
    early = select_structure(network, views, logits, plan, Candidates(SCALES))
    complete = select_structure(network, views, logits, plan, Candidates(SCALES), stops_early=False)
    assert structure_of(early).any()
    assert not structure_of(complete).any()


@torch.inference_mode()
def test_only_images_that_are_not_safe_stay_in_the_search() -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(6)
    plan = make_plan(network, views, 3)
    targets = torch.tensor([[5.0, 0.0, 0.0]]).expand(6, 3)
    seen = []

    class Reader:
        def classify(self, view: Tensor) -> Tensor:
            """Recognize the first half of each batch."""
            seen.append(len(view))
            return torch.where(torch.arange(len(view)).unsqueeze(1) < len(view) / 2, targets[:1], targets[:1].flip(1))

        def describe(self, view: Tensor) -> Description:
            raise AssertionError("every image has a safe scale")

    selected = select_structure(Reader(), views, targets, plan, Candidates(SCALES, SHIFTS))
    assert seen == [6, 3, 1]
    first, second, third, _ = search.order_scales(SCALES)
    expected = torch.tensor([first] * 3 + [second] * 2 + [third])
    torch.testing.assert_close(selected.structure, plan.scale_structure(expected).structure)


@pytest.mark.parametrize("batch", [1, 5, 64])
@torch.inference_mode()
def test_of_several_safe_views_the_first_counts(batch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(1)
    plan, safe = make_plan(network, views, 3), torch.tensor([[5.0, 0.0, 0.0]])
    seen = 0

    class Reader:
        def classify(self, view: Tensor) -> Tensor:
            nonlocal seen
            numbers = torch.arange(seen, seen + len(view)).unsqueeze(1)
            seen += len(view)
            return torch.where(numbers >= len(SCALES) + 5, safe, safe.flip(1))

        def describe(self, view: Tensor) -> Description:
            return network.describe(view)

    monkeypatch.setattr(search, "_BATCH", batch)
    selected = select_structure(Reader(), views, safe, plan, Candidates(SCALES, SHIFTS, SHIFTED_SCALES))
    expected = list(candidates_of(network, views, 3, with_shifts=True).values())[len(SCALES) + 5]
    torch.testing.assert_close(structure_of(selected), structure_of(expected))


def test_the_search_begins_at_the_scale_of_training() -> None:
    assert search.order_scales((0.0, 0.25, 0.75, 1.0, 1.5, 3.0)) == [1.0, 1.5, 3.0, 0.75, 0.25, 0.0]
    assert search.order_scales((2.0, 0.5)) == [2.0, 0.5]


@torch.inference_mode()
def test_fidelity_1_gives_k_means() -> None:
    network, views = make_structured_colorcnn(*SCALES), make_8bit_images(4)
    assert not structure_of(select(network, views, make_plan(network, views, 3), 1.0)).any()


@torch.inference_mode()
def test_a_single_scale_is_applied_without_a_search() -> None:
    network, views = make_structured_colorcnn(0.5), make_8bit_images(1)
    plan = make_plan(network, views, 3)
    network.encoder.head = torch.nn.Linear(1, 1)  # would fail if it were called
    selected = select_structure(network, views, torch.zeros(1, 3), plan, Candidates((0.5,)))
    torch.testing.assert_close(selected.structure, plan.scale_structure(0.5).structure)


def test_without_the_search_structure_keeps_the_scale_of_training() -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    learned, scaled = make_structured_colorcnn(1.0), make_structured_colorcnn(0.0, 2.0)
    results = [
        [
            image.render().tolist()
            for image in LearnedQuantizer(network, torch.device("cpu"), search=search).quantize_batch(images, 3)
        ]
        for network, search in ((learned, True), (scaled, False), (scaled, True))
    ]
    assert results[0] == results[1] != results[2]
    half = LearnedQuantizer(make_structured_colorcnn(0.5), torch.device("cpu"))
    unsearched = replace(half, search=False)
    assert unsearched.quantize(images[0], 3).render().tolist() == half.quantize(images[0], 3).render().tolist()


@pytest.mark.parametrize(("scales", "supported"), [((0.5,), False), ((0.0, 1.0), True)])
def test_fidelity_is_supported_where_there_are_several_scales(scales: tuple[float, ...], supported: bool) -> None:
    assert LearnedQuantizer(make_structured_colorcnn(*scales), torch.device("cpu")).supports_fidelity is supported


def test_the_quantizer_uses_the_selected_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.quantizers.learned.colorcnn.has_bfloat16", lambda device: False)  # rounds otherwise
    views = make_8bit_images(3)
    images = views.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    network = make_structured_colorcnn(*SCALES)
    network.config = replace(network.config, view_shifts=SHIFTS, view_scales=SHIFTED_SCALES)
    for fidelity in (0.0, 1.0):
        quantizer = LearnedQuantizer(network, torch.device("cpu"), fidelity)
        batch = quantizer.quantize_batch(images, 3)
        for view, image, several in zip(views.split(1), images, batch, strict=True):
            _, plan = best_of(network, view, 3, fidelity)
            expected = rendered(view, plan).mul(255).round().to(torch.uint8)[0].permute(1, 2, 0).numpy()
            np.testing.assert_array_equal(quantizer.quantize(image, 3).render(), expected)
            np.testing.assert_array_equal(several.render(), expected)


@pytest.mark.parametrize("part", Plan._fields)
def test_a_plan_that_is_not_finite_is_rejected(part: str) -> None:
    network, views = make_structured_colorcnn(1.0), make_8bit_images(2)
    plan = make_plan(network, views, 4)
    getattr(plan, part)[1, 2, 0] = torch.inf

    with pytest.raises(NotFinite, match="quantizer"):
        select(network, views, plan)
