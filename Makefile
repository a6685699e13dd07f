# The commands of this project; `make` alone lists them. They need make, Python 3.11 or newer, and pip.
#
# On Linux pip installs the CUDA build of torch, which is gigabytes large. Without an NVIDIA GPU, add PyTorch's index of
# CPU wheels in one of two ways:
#
#     make serve PIP_ARGS="--extra-index-url ADDRESS"
#     PIP_EXTRA_INDEX_URL=ADDRESS make serve

PYTHON ?= python3
VENV ?= .venv
PIP_ARGS ?=
TEST_PROCESSES ?= 2
TORCH_INDEX ?=
ARGS ?=

IN_VENV := $(VENV)/bin/python
# Stamp files: pip runs again only when pyproject.toml is newer.
SERVICE_INSTALLED := $(VENV)/.service-installed
DEV_INSTALLED := $(VENV)/.dev-installed
MUTANTS_INSTALLED := $(VENV)/.mutants-installed
RAY_INSTALLED := $(VENV)/.ray-installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The service and training set this themselves (models/threads.py); here it is for tests and benchmarks.
export OMP_WAIT_POLICY ?= PASSIVE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv serve cluster test lint format docs check-docs bench bench-isolation bench-refinement bench-bpg bench-quantizers bench-start bench-shared bench-cluster bench-offline soak endurance check-image fuzz mutants fuzz-guided docker-build

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z%-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PYTHON=$(PYTHON)  interpreter, 3.11 or newer         VENV=$(VENV)  folder of the virtual environment"
	@echo "  PIP_ARGS=...     arguments of 'pip install', such as an index of CPU wheels (see the top of the Makefile)"

venv: $(SERVICE_INSTALLED) ## create the virtual environment and install the service

serve: $(SERVICE_INSTALLED) ## install and start the service; COLORCNN_* variables set it
	$(IN_VENV) -m service

cluster: $(RAY_INSTALLED) ## install the extra ray and start replicas on this machine; ARGS="--replicas 4"
	$(IN_VENV) -m service.cluster $(ARGS)

test: lint ## install and run every check: ruff, mypy, pytest in TEST_PROCESSES processes
	$(IN_VENV) -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile

lint: $(DEV_INSTALLED) ## run the static checks: ruff and mypy
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy

format: $(DEV_INSTALLED) ## format the code and fix what ruff can fix
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

docs: $(DEV_INSTALLED) ## write every generated table, figure and number of the documents
	$(IN_VENV) -m docs.generator

check-docs: $(DEV_INSTALLED) ## fail when a generated part of the documents is stale; part of `make test`
	$(IN_VENV) -m docs.generator --check

bench: $(DEV_INSTALLED) ## measure the speed of the service, in minutes, into docs/results/data/serving.json
	$(IN_VENV) -m tests.benchmarks.serving --out docs/results/data/serving.json

bench-isolation: $(DEV_INSTALLED) ## measure /quantize beside a benchmark and large photographs, into docs/results/data/isolation.json
	$(IN_VENV) -m tests.benchmarks.isolation --out docs/results/data/isolation.json

bench-refinement: $(DEV_INSTALLED) ## measure the cost of colorcnn_refined, into docs/results/data/refinement.json
	$(IN_VENV) -m tests.benchmarks.refinement --out docs/results/data/refinement.json

bench-bpg: $(DEV_INSTALLED) ## measure BPG at three sizes with 1 and 2 threads, into docs/results/data/bpg-speed.json
	$(IN_VENV) -m tests.benchmarks.bpg --out docs/results/data/bpg-speed.json

bench-quantizers: $(DEV_INSTALLED) ## measure classical methods at 8 megapixels, into docs/results/data/quantizers.json
	$(IN_VENV) -m tests.benchmarks.quantizers --out docs/results/data/quantizers.json

bench-start: $(DEV_INSTALLED) ## measure seconds and memory of a start, by COLORCNN_LOAD, into docs/results/data/start.json
	$(IN_VENV) -m tests.benchmarks.start --out docs/results/data/start.json

bench-shared: $(DEV_INSTALLED) ## measure start and /quantize beside a busy process on each CPU, into docs/results/data/shared.json
	$(IN_VENV) -m tests.benchmarks.shared --out docs/results/data/shared.json

bench-cluster: $(DEV_INSTALLED) ## measure replicas on Ray Serve: throughput, a kill, an update, into docs/results/data/cluster.json
	$(IN_VENV) -m tests.benchmarks.cluster --out docs/results/data/cluster.json

bench-offline: $(DEV_INSTALLED) ## measure training.quantize_dataset with and without Ray on COLORCNN_DATA/cifar10, into docs/results/data/offline.json
	$(IN_VENV) -m tests.benchmarks.offline --data "$(COLORCNN_DATA)/cifar10" --out docs/results/data/offline.json

soak: $(DEV_INSTALLED) ## send ten times the capacity for a minute, then SIGTERM, into docs/results/data/soak.json
	$(IN_VENV) -m tests.benchmarks.soak --seconds 60 --out docs/results/data/soak.json

endurance: $(DEV_INSTALLED) ## send mixed sizes at capacity for 30 minutes, into docs/results/data/endurance.json
	$(IN_VENV) -m tests.benchmarks.endurance --minutes 30 --out docs/results/data/endurance.json

check-image: $(DEV_INSTALLED) ## run the commands of the Dockerfile without Docker, into docs/results/data/container.json
	$(IN_VENV) -m tests.benchmarks.container --torch-index "$(TORCH_INDEX)" --out docs/results/data/container.json

fuzz: $(DEV_INSTALLED) ## send 100,000 mutated requests to a real server, into docs/results/data/fuzz.json
	$(IN_VENV) -m tests.fuzz --cases 100000 --seed 0 --out docs/results/data/fuzz.json

mutants: $(MUTANTS_INSTALLED) ## run the tests of 120 one-token mutants of the code, into docs/results/data/mutants.json
	$(IN_VENV) -m tests.mutants --count 120 --seed 4 --out docs/results/data/mutants.json

fuzz-guided: $(DEV_INSTALLED) ## fuzz decoder, BPG and forms by coverage, five minutes each; installs atheris
	$(IN_VENV) -m pip install $(PIP_ARGS) --editable '.[guided]'
	for target in decode bpg form; do $(IN_VENV) -m tests.fuzz.guided $$target --minutes 5 || exit 1; done

reproduce-%: $(DEV_INSTALLED) ## train, publish and measure the recipe % of training/recipes/; ARGS="--minutes 9" sets a limit
	$(IN_VENV) -m training.reproduce $* $(ARGS)

docker-build: ## build the image colorcnn-service; TORCH_INDEX=ADDRESS selects the build of torch
	docker build --tag colorcnn-service --build-arg TORCH_INDEX="$(TORCH_INDEX)" .

# Debian's Python lacks ensurepip, which venv needs; the pip outside installs pip instead.
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

$(RAY_INSTALLED): pyproject.toml | $(IN_VENV)
	$(IN_VENV) -m pip install $(PIP_ARGS) --editable '.[ray]'
	@touch $(SERVICE_INSTALLED) $@

$(MUTANTS_INSTALLED): pyproject.toml $(DEV_INSTALLED)
	$(IN_VENV) -m pip install $(PIP_ARGS) --editable '.[mutants]'
	@touch $@
