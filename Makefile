# The commands of this project; `make` alone lists them. Needed: make, Python 3.11 or newer, pip.
#
# On Linux pip's own torch is the CUDA build, gigabytes large. Without an NVIDIA GPU give pip the address of PyTorch's
# index of CPU wheels as well, either way:
#
#     make serve PIP_ARGS="--extra-index-url ADDRESS"
#     PIP_EXTRA_INDEX_URL=ADDRESS make serve

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
TORCH_INDEX ?=
ARGS ?=

IN_VENV := $(VENV)/bin/python
# Stamps: pip runs again only when pyproject.toml has changed since.
SERVICE_INSTALLED := $(VENV)/.service-installed
DEV_INSTALLED := $(VENV)/.dev-installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv serve test lint format docs check-docs bench bench-isolation bench-refinement bench-bpg soak check-image fuzz docker-build

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=$(PYTHON)  the interpreter, 3.11 or newer     VENV=$(VENV)  where everything is installed"
	@echo "  PIP_ARGS=...     more words for 'pip install', such as an index of CPU-only torch (see the Makefile's top)"

venv: $(SERVICE_INSTALLED) ## make the virtual environment and install the service into it

serve: $(SERVICE_INSTALLED) ## install and start the service; settings are COLORCNN_* variables
	$(IN_VENV) -m service

test: lint ## install and run every check: ruff, mypy, pytest
	$(IN_VENV) -m pytest

lint: $(DEV_INSTALLED) ## the checks that run no code: ruff and mypy
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy

format: $(DEV_INSTALLED) ## let ruff format the code and mend what it can
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

docs: $(DEV_INSTALLED) ## write every generated table, figure and number of the documents
	$(IN_VENV) -m docs.generator

check-docs: $(DEV_INSTALLED) ## fail when a generated part of the documents is stale; part of `make test`
	$(IN_VENV) -m docs.generator --check

bench: $(DEV_INSTALLED) ## how quick all of it is, as ratios, in minutes, into docs/results/data/serving.json
	$(IN_VENV) -m tests.benchmarks.serving --out docs/results/data/serving.json

bench-isolation: $(DEV_INSTALLED) ## how quick /quantize stays while a benchmark runs, into docs/results/data/isolation.json
	$(IN_VENV) -m tests.benchmarks.isolation --out docs/results/data/isolation.json

bench-refinement: $(DEV_INSTALLED) ## what colorcnn_refined costs beside colorcnn, as ratios, into docs/results/data/refinement.json
	$(IN_VENV) -m tests.benchmarks.refinement --out docs/results/data/refinement.json

bench-bpg: $(DEV_INSTALLED) ## milliseconds and bytes of BPG at three sizes, 1 and 2 threads, into docs/results/data/bpg-speed.json
	$(IN_VENV) -m tests.benchmarks.bpg --out docs/results/data/bpg-speed.json

soak: $(DEV_INSTALLED) ## ten times the capacity for a minute, then SIGTERM, into docs/results/data/soak.json
	$(IN_VENV) -m tests.benchmarks.soak --seconds 60 --out docs/results/data/soak.json

check-image: $(DEV_INSTALLED) ## the image's commands without Docker: build, start, size, into docs/results/data/container.json
	$(IN_VENV) -m tests.benchmarks.container --torch-index "$(TORCH_INDEX)" --out docs/results/data/container.json

fuzz: $(DEV_INSTALLED) ## 100,000 mutated uploads and requests against a real server, into docs/results/data/fuzz.json
	$(IN_VENV) -m tests.fuzz --cases 100000 --seed 0 --out docs/results/data/fuzz.json

reproduce-%: $(DEV_INSTALLED) ## make a row of the tables again: % is a file of training/recipes/, ARGS="--minutes 9" a limit
	$(IN_VENV) -m training.reproduce $* $(ARGS)

docker-build: ## build the image colorcnn-service; TORCH_INDEX=ADDRESS for another build of torch
	docker build --tag colorcnn-service --build-arg TORCH_INDEX="$(TORCH_INDEX)" .

# Debian's Python comes without the pip that venv wants to copy (ensurepip); the pip outside fills in for it.
$(IN_VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " \
		+ sys.version.split()[0] + ": make ... PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { $(PYTHON) -m venv --clear --without-pip $(VENV) \
		&& $(PYTHON) -m pip --python $(IN_VENV) install pip; }

$(SERVICE_INSTALLED): pyproject.toml | $(IN_VENV)
	$(IN_VENV) -m pip install $(PIP_ARGS) --editable .
	@touch $@

$(DEV_INSTALLED): pyproject.toml | $(IN_VENV)
	$(IN_VENV) -m pip install $(PIP_ARGS) --editable '.[dev]'
	@touch $(SERVICE_INSTALLED) $@
