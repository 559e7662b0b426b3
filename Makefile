# HAFTA: `make run` shows it at work, `make test` tests everything. `make help` lists the rest.

# Debian's own Python first: python3-sdnotify and the like belong to it.
PYTHON := $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3))
VENV := .venv
IN := $(VENV)/bin
PYTEST := $(IN)/python -m pytest
export HYPOTHESIS_STORAGE_DIRECTORY ?= $(VENV)/hypothesis

# What the tests need of Debian; packages and machines say themselves what they need (packaging/need).
NEEDED := python3-venv python3-click python3-sdnotify gcc libc6-dev systemd strace e2fsprogs graphviz user-mode-linux \
          python3-fusepy

.PHONY: help run test lint types unit packages system torture torture-power bench bench-peers bench-system deb rpm clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## the main job: server and client under the embedded overlord; Ctrl-C ends it
	@echo "A server writes the alphabet to a pipe, and bad data now and then; a client reads it, and rolls back. Ctrl-C ends both."
	@$(PYTHON) -m hafta.overlord --unit-path units --set HAFTA_INTERVAL=0.2 --set HAFTA_BAD_RATE=8 --ephemeral --as-root $(RUN) hafta.target

test: lint types unit packages system torture ## everything
	@echo "make test: all of it passed$(if $(CI),, (what could not be run here is named above as skipped, with the reason))"

lint: $(VENV)/.stamp ## ruff, and the rules of the house as tests
	$(IN)/ruff check .
	$(IN)/ruff format --check .
	$(PYTEST) -q tests/lint

types: $(VENV)/.stamp ## mypy --strict
	$(IN)/mypy

unit: $(VENV)/.stamp ## unit tests and examples, with the coverage of hafta/
	rm -f .coverage .coverage.*
	$(IN)/python -m coverage run -m pytest -n 2 tests/unit
	$(IN)/python -m coverage combine --quiet
	$(IN)/python -m coverage report --fail-under=95

packages: $(VENV)/.stamp ## build the .deb and .rpm packages and test them
	$(PYTEST) -n 2 --dist loadfile tests/packaging

system: $(VENV)/.stamp ## boot machines with a real systemd and test the packages there
	$(PYTEST) -n 4 tests/system

torture: $(VENV)/.stamp ## faults in bulk; HAFTA_TORTURE=long for an hour or two
	$(PYTEST) -n 2 tests/torture

torture-power: $(VENV)/.stamp ## the part of it that cuts the power of machines and disks
	$(PYTEST) -n 2 tests/torture/test_torture_power.py tests/torture/test_torture_cache.py

bench: ## every figure as a ratio against a named floor, in one run
	@$(PYTHON) tests/bench $(BENCH)

bench-peers: $(VENV)-peers/.stamp ## the same, with tenacity and transitions beside it
	@$(VENV)-peers/bin/python tests/bench engine

bench-system: ## recovery in a booted machine, against a bare unit killed the same way (root)
	@$(PYTHON) tests/bench system

deb: ## build the .deb packages into build/packages
	packaging/build-deb

rpm: ## build the .rpm packages into build/packages
	packaging/build-rpm

clean: ## remove what was built; the cache of root file systems stays
	rm -rf build dist $(VENV) $(VENV)-peers $(VENV)-durable-peers .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.stamp: pyproject.toml
	@packaging/need $(NEEDED) || [ -z "$$CI" ]
	$(PYTHON) -m venv --system-site-packages --clear $(VENV)
	$(IN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)-peers/.stamp: pyproject.toml
	$(PYTHON) -m venv --system-site-packages --clear $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet tenacity transitions
	@touch $@
