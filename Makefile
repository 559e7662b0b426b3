# HAFTA: `make run` shows it at work, `make test` tests everything. `make help` lists the rest.

# Debian's own Python first: python3-sdnotify and the like belong to it.
PYTHON := $(firstword $(wildcard /usr/bin/python3) $(shell command -v python3))
VENV := .venv
IN := $(VENV)/bin
PYTEST := $(IN)/python -m pytest
MUTANTS := 400
SEED := 1
MINUTES := 20
export HYPOTHESIS_STORAGE_DIRECTORY ?= $(VENV)/hypothesis

# What the tests need of Debian; packages and machines say themselves what they need (packaging/need).
NEEDED := python3-venv python3-click python3-sdnotify gcc libc6-dev systemd strace e2fsprogs graphviz user-mode-linux \
          python3-fusepy etcd-server iproute2 iptables postgresql python3-psycopg python3-urllib3 \
          python3-systemd systemd-journal-remote python3-prometheus-client python3-jinja2

# What the documentation site is made with, by Debian's Python.
DOCS := python3-sphinx python3-myst-parser furo python3-click python3-sdnotify

.PHONY: help run check test lint types unit mutants packages system daemons hosts torture torture-power torture-memory corpus fuzz bench bench-peers bench-system docs deb rpm clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

run: ## the main job, with faults, explained; Ctrl-C ends it (RUN="--explain off --for 60")
	@$(PYTHON) -m hafta.demo $(RUN)

check: lint types ## the everyday part of it, in a few minutes: lint, types, unit tests without coverage
	$(PYTEST) -q -n 4 --dist worksteal tests/unit

test: lint types unit packages system daemons hosts torture ## everything
	@echo "make test: all of it passed$(if $(CI),, (what could not be run here is named above as skipped, with the reason))"

lint: $(VENV)/.stamp ## ruff, and the rules of the house as tests
	$(IN)/ruff check .
	$(IN)/ruff format --check .
	$(PYTEST) -q -n 2 tests/lint tests/mutants

types: $(VENV)/.stamp ## mypy --strict, and what users' type checkers see of us
	$(IN)/mypy
	$(IN)/mypy examples/typed
	$(IN)/pyright

unit: $(VENV)/.stamp ## unit tests and examples, with the coverage of hafta/; many random examples, and half a minute of fuzz by itself: it judges times
	rm -f .coverage .coverage.*
	$(IN)/python -m coverage run -m pytest -n 3 tests/unit tests/corpus
	HAFTA_EXAMPLES=many $(PYTEST) -n 2 -m hypothesis tests/unit
	$(PYTEST) tests/fuzz
	$(IN)/python -m coverage combine --quiet
	$(IN)/python -m coverage report --fail-under=95

mutants: $(VENV)/.stamp ## small mistakes in the middle that no test notices; MUTANTS=all, SEED=2, ROOMS=engine
	$(IN)/python tests/mutants --count $(MUTANTS) --seed $(SEED) $(ROOMS)

packages: $(VENV)/.stamp ## build the .deb and .rpm packages and test them
	$(PYTEST) -n 2 --dist loadfile tests/packaging

system: $(VENV)/.stamp ## boot machines with a real systemd and test the packages there
	$(PYTEST) -n 4 tests/system

daemons: $(VENV)/.stamp ## ten daemons of Debian under the overlord and under systemd: the same assertions
	$(PYTEST) -n 2 tests/daemons

hosts: $(VENV)/.stamp ## a sequence that goes on on other hosts, under faults (root); HAFTA_HOSTS=long for two hours
	$(PYTEST) -n 2 tests/hosts

torture: $(VENV)/.stamp ## faults in bulk; HAFTA_TORTURE=long for an hour or two
	$(PYTEST) -n 2 --ignore tests/torture/test_torture_memory.py tests/torture

torture-memory: $(VENV)/.stamp ## a worker over the memory limit of its unit, in virtual machines: by itself, on a quiet machine
	$(PYTEST) tests/torture/test_torture_memory.py

torture-power: $(VENV)/.stamp ## the part of it that cuts the power of machines and disks
	$(PYTEST) -n 2 tests/torture/test_torture_power.py tests/torture/test_torture_cache.py

corpus: ## how many of Debian's service units run as meant; UNITS=--units names the others
	@$(PYTHON) tests/corpus $(UNITS)

fuzz: ## texts and talk of every kind to readers and to a running overlord; MINUTES=20, FUZZ_SEED=1
	@$(PYTHON) tests/fuzz --minutes $(MINUTES) $(if $(FUZZ_SEED),--seed $(FUZZ_SEED))

bench: ## every figure as a ratio against a named floor, in one run (BENCH=warm: the warm parent, in a booted machine)
	@$(PYTHON) tests/bench $(BENCH)

bench-peers: $(VENV)-peers/.stamp ## the same, compared with tenacity and transitions
	@$(VENV)-peers/bin/python tests/bench engine

bench-system: ## recovery in a booted machine, against a bare unit killed the same way (root)
	@$(PYTHON) tests/bench system

docs: ## build the documentation site into build/site; a warning is an error
	@packaging/need $(DOCS)
	@/usr/bin/python3 docs/site build/site && echo build/site/index.html

deb: ## build the .deb packages into build/packages
	packaging/build-deb

rpm: ## build the .rpm packages into build/packages
	packaging/build-rpm

clean: ## remove what was built; the cache of root file systems stays
	rm -rf build dist $(VENV) $(VENV)-peers $(VENV)-durable-peers $(VENV)-overlord-peers .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.stamp: pyproject.toml
	@packaging/need $(NEEDED) || [ -z "$$CI" ]
	$(PYTHON) -m venv --system-site-packages --clear $(VENV)
	$(IN)/python -m pip install --quiet --editable '.[test]'
	@touch $@

$(VENV)-peers/.stamp: pyproject.toml
	$(PYTHON) -m venv --system-site-packages --clear $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install --quiet tenacity transitions
	@touch $@
