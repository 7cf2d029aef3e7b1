# greenlight: every target calls Python or one tool. `make` lists them.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := __main__.py automation benchmarks components container models rehearsal tests
KERNEL := container/kernel
COMPILE := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --quiet

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.venv/.installed: requirements.lock pyproject.toml $(wildcard $(KERNEL)/*.* $(KERNEL)/src/*)
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall --editable . ./$(KERNEL)
	touch $@

setup: .venv/.installed ## make .venv from the lock file

demo: setup ## a whole rehearsed release, offline; writes rehearsal-report.html
	$(BIN)/greenlight rehearsal demo

test: check ## everything CI runs: checks, then all other tests in two groups side by side
	$(BIN)/python -m pytest --numprocesses 2 --no-loadscope-reorder --ignore tests/repo

bench: setup ## measure beside the peers; writes benchmarks/*/result.json
	$(BIN)/python -m benchmarks

fmt: setup ## format and apply safe fixes
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

check: setup ## format check, lint, types, rules about the repository
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/repo

docs: setup ## fit every estimator of scikit-learn and write docs/conversion-matrix.md
	$(BIN)/python -m automation.gate.matrix

image: ## build the serving image with Docker
	docker build --tag greenlight-server container

record: setup ## record the official Pulumi CLI (must be on PATH) for the engine's tests
	$(BIN)/python -m tests.support.record

lock: setup ## resolve each requirements.in into its requirements.lock
	$(COMPILE) requirements.in --output-file requirements.lock
	cd container && ../$(COMPILE) --constraint ../requirements.lock requirements.in --output-file requirements.lock
	cd container && ../$(COMPILE) --constraint ../requirements.lock requirements-sklearn.in --output-file requirements-sklearn.lock
	cd container && ../$(COMPILE) --constraint ../requirements.lock requirements-build.in --output-file requirements-build.lock
	cd tests/support/clients && ../../../$(COMPILE) requirements.in --output-file requirements.lock

clean: ## remove build output only
	rm -rf build rehearsal-report.html .pytest_cache .mypy_cache .ruff_cache .hypothesis

.PHONY: help setup demo test bench fmt check docs image record lock clean
