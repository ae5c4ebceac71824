# `make help` lists the targets. The graph of the notebooks is at the end.
PYTHON ?= python3
DEVICE ?= cpu
PROFILE ?= laptop
VENV ?= .venv
WHEELHOUSE ?=
RUN_FLAGS ?=
# Where pip's own torch is a CUDA build, the CPU build comes from here, and nothing else does.
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

PY := $(VENV)/bin/python
RUNNER := $(PY) -m avatarlib.run
INSTALL := $(PYTHON) -m avatarlib.run.install --venv $(VENV) --device $(DEVICE) --cpu-index $(TORCH_CPU_INDEX)
NOTEBOOKS := $(sort $(basename $(notdir $(wildcard notebooks/[0-9][0-9]_*.ipynb))))
CACHES := .setup .pytest_cache .ruff_cache build avatarlib.egg-info

.DEFAULT_GOAL := help
.PHONY: help setup all smoke real gpu lab test lint verify expected bench tools study-removal status why wheelhouse clean distclean $(NOTEBOOKS)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile
	@echo "  make NN_name      one notebook and what it builds on:" $(NOTEBOOKS)
	@echo "Variables: DEVICE=cpu|cuda  PROFILE=laptop|smoke|real|gpu  WHEELHOUSE=DIR  PYTHON=…  AVATAR_THREADS=2"

setup: ## create .venv with the locked versions (2.5 GB); every target that runs something does so first
	@$(INSTALL) $(if $(WHEELHOUSE),--wheelhouse $(WHEELHOUSE))

all: setup ## execute every notebook whose result is not fresh, and say where to look
	@code=0; $(MAKE) --no-print-directory -k $(NOTEBOOKS) || code=$$?; \
	 echo; $(RUNNER) status --profile $(PROFILE); exit $$code

smoke: ## the same path through every notebook on tiny sizes (profile smoke)
	@$(MAKE) --no-print-directory all PROFILE=smoke

real: ## every notebook on real eyes: AVATAR_DATA_MIRROR=DIR, else download; CLOSING=1 adds the reserved people
	@$(MAKE) --no-print-directory all PROFILE=$(if $(CLOSING),closing,real)
	@cat results/$(if $(CLOSING),closing,real)/12_cone/tables.txt

gpu: ## every notebook with the sizes of profile gpu; needs `make setup DEVICE=cuda` and a CUDA device
	@$(MAKE) --no-print-directory all PROFILE=gpu

lab: setup ## open JupyterLab in notebooks/
	@$(VENV)/bin/jupyter lab --notebook-dir notebooks

lint: setup ## ruff, notebooks too
	@$(PY) -m ruff check .

test: lint ## all tests: ruff, pytest, smoke profile, nbval on the quick executed copies
	@$(MAKE) --no-print-directory smoke
	@$(RUNNER) nbval
	@$(PY) -m pytest

verify: setup ## rerun everything in a fresh folder and prove that it equals what is committed
	@results=$$(mktemp -d) && trap 'rm -rf "$$results"' EXIT && \
	 { AVATAR_RESULTS=$$results $(MAKE) --no-print-directory -k $(NOTEBOOKS) RUN_FLAGS=--no-compare || true; } && \
	 $(RUNNER) verify --results $$results

expected: setup ## accept the laptop profile's present metrics as expected/; tolerances stay: deliberate, look at git diff
	@$(MAKE) --no-print-directory $(NOTEBOOKS) RUN_FLAGS=--no-compare
	@$(RUNNER) expected

# Programs that reads are compared with, where they are installed (nothing else needs them):
# apt-get install samtools bcftools art-nextgen-simulation-tools dwgsim seqan-apps; pip install badread
bench: setup ## measure speed and memory (each three times), write benchmarks/
	@$(PY) -m avatarlib.run.bench

tools: ## install the removers of human reads that pip doesn't bring (Debian, as root); hostile goes to .tools
	@apt-get update -q && apt-get install -y -q bowtie2 kraken2 minimap2 samtools
	@$(PYTHON) -m venv .tools && .tools/bin/pip install -q hostile==2.0.2 && echo "add $(CURDIR)/.tools/bin to PATH"

study-removal: setup ## removers of human reads on the full grid, resumable (about 45 minutes), writes studies/removal/
	@PATH="$(CURDIR)/.tools/bin:$$PATH" $(PY) -m avatarlib.run.studies removal

status: setup ## how every notebook stands: fresh, stale, never run, failed, not run: input absent
	@$(RUNNER) status --profile $(PROFILE)

why: setup ## why a notebook has to run again: make why NB=12_cone
	@$(RUNNER) $(or $(NB),$(error say which one: make why NB=12_cone)) --profile $(PROFILE) --why

wheelhouse: setup ## collect every wheel in wheelhouse/ for a machine without network
	@$(INSTALL) --collect wheelhouse

clean: ## remove results/ and caches (keeps .venv and wheelhouse/)
	@echo "removes: results/ __pycache__/ $(CACHES)"
	@rm -rf results $(CACHES)
	@find avatarlib tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv, .tools/ and wheelhouse/ too
	@echo "removes: $(VENV) .tools/ wheelhouse/"
	@rm -rf $(VENV) .tools wheelhouse

$(NOTEBOOKS): setup
	@$(RUNNER) $@ --profile $(PROFILE) $(RUN_FLAGS)

# The graph: a notebook and the notebooks whose results it loads. A test proves that these lines are true.
00_tour: 04_eye_cohort 05_augmentation 06_statistical_baseline 12_cone 20_release_report
05_augmentation: 04_eye_cohort
06_statistical_baseline: 04_eye_cohort
12_cone: 04_eye_cohort 06_statistical_baseline
15_sequencing_errors: 14_human_variation
20_release_report: 06_statistical_baseline 12_cone
