"""Commands that checkpoints, reports and logs hold still run: their options parse, their modules exist."""

import json
import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from training import (
    finetune,
    import_classifier,
    publish,
    quantize_dataset,
    reproduce,
    train_classifier,
    train_colorcnn,
    train_joint,
    train_prefilter,
    train_published,
    train_yourself,
)
from training.cli import command_line, evaluations
from training.evaluate import bpg, fidelity, finetuning, palette_modes, photographs, robustness
from training.evaluate import bytes as byte_budget
from training.options import Options, current_name
from training.report import contact_sheet, figures, photograph_sheet, rows, tables

ROOT = Path(__file__).parents[2]
OPTIONS: Mapping[str, type[Options]] = {
    "evaluate": evaluations.EvaluateOptions,
    "evaluate.bpg": bpg.BpgOptions,
    "evaluate.bytes": byte_budget.BytesOptions,
    "evaluate.fidelity": fidelity.FidelityOptions,
    "evaluate.finetuning": finetuning.FinetuningStudyOptions,
    "evaluate.palette_modes": palette_modes.PaletteModesOptions,
    "evaluate.photographs": photographs.PhotographsOptions,
    "evaluate.robustness": robustness.RobustnessOptions,
    "evaluate_bpg": bpg.BpgOptions,
    "evaluate_fidelity": fidelity.FidelityOptions,
    "evaluate_finetuning": finetuning.FinetuningStudyOptions,
    "evaluate_palette_modes": palette_modes.PaletteModesOptions,
    "finetune": finetune.FinetuningOptions,
    "import_classifier": import_classifier.ImportOptions,
    "contact_sheet": contact_sheet.ContactSheetOptions,
    "figures": figures.FiguresOptions,
    "paint": quantize_dataset.QuantizeOptions,
    "publish": publish.PublishOptions,
    "quantize_dataset": quantize_dataset.QuantizeOptions,
    "report.contact_sheet": contact_sheet.ContactSheetOptions,
    "report.figures": figures.FiguresOptions,
    "report.photograph_sheet": photograph_sheet.PhotographSheetOptions,
    "report.rows": rows.RowsOptions,
    "report.tables": tables.TablesOptions,
    "reproduce": reproduce.ReproduceOptions,
    "rows": rows.RowsOptions,
    "tables": tables.TablesOptions,
    "train_classifier": train_classifier.ClassifierOptions,
    "train_colorcnn": train_colorcnn.ColorCNNOptions,
    "train_joint": train_joint.JointOptions,
    "train_prefilter": train_prefilter.PrefilterOptions,
    "train_published": train_published.PublishedOptions,
    "train_yourself": train_yourself.YourselfOptions,
}
FORMER_NAMES = (
    *("contact_sheet", "evaluate_bpg", "evaluate_fidelity", "evaluate_finetuning", "evaluate_palette_modes"),
    *("figures", "paint", "rows", "tables"),
)


def recorded() -> Iterator[str]:
    """Every command of training/ in the manifest, the reports and logs of docs/results, and the pages."""
    results = ROOT / "docs" / "results"
    files = [ROOT / "models/zoo/manifest.json", *results.glob("data/*.json"), *results.glob("logs/*.jsonl")]
    for file in files:
        for match in re.findall(r'"command": ("python -m training\.[^"]*")', file.read_text()):
            yield json.loads(match)
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for command in re.findall(r"python -m training\.[^`\n\\]*", page.read_text()):
            if "--" in command:
                yield command


COMMANDS = sorted(set(recorded()))


def test_recorded_commands_are_found() -> None:
    assert len(COMMANDS) > 60


@pytest.mark.parametrize("command", COMMANDS)
def test_a_recorded_command_parses(command: str) -> None:
    _, _, module, *words = shlex.split(command)
    name = module.removeprefix("training.")
    options = command_line.parse(OPTIONS[name], module, words)
    given = {current_name(word.removeprefix("--")) for word in words if word.startswith("--")}
    assert given - {"recipe", "hardware"} <= options.model_fields_set


@pytest.mark.parametrize("name", FORMER_NAMES)
@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_a_module_runs_under_its_former_name(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module(f"training.{name}", run_name="__main__", alter_sys=True)
    assert ended.value.code == 0 and capsys.readouterr().out.startswith("usage: python -m training.")
