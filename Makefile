# Everything stays inside this folder: the environment in .venv, downloads in .uv.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c '$(SUPPORTED)' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
STAMP := .venv/.coolbound-setup
UPGRADE ?=
WORKERS ?= 2

export PIP_CACHE_DIR := $(CURDIR)/.uv/pip
export UV_CACHE_DIR := $(CURDIR)/.uv/cache
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := setup
.PHONY: setup energyplus peers train-peers shadow test test-all check lock bench clean

setup: $(STAMP)

# uv comes from the lock as everything else does: version and hashes.
$(STAMP): requirements.lock pyproject.toml
	@'$(or $(PYTHON),false)' -c '$(SUPPORTED)' 2>/dev/null || { echo "coolbound: found \
	no Python 3.11 to 3.13 (PYTHON='$(PYTHON)'); install one or name it: make \
	PYTHON=python3.12" >&2; exit 1; }
	test -x $(BIN)/python || '$(PYTHON)' -m venv .venv
	mkdir -p .uv
	sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .uv/bootstrap.txt
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes \
	  -r .uv/bootstrap.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
	  -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps \
	  --no-build-isolation -e .
	touch $@

# EnergyPlus beside it, for `coolbound[energyplus]`: tests with it skip without.
energyplus: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
	  -r requirements-energyplus.lock

# Other solvers beside it, for `coolbound bench projection --against peers`.
peers: setup
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes \
	  -r requirements-peers.lock

# Other learners in environments of their own, for `coolbound bench train --against peers`.
train-peers: setup
	$(BIN)/python benchmarks/peers/environments.py

# The embedded log, from an export that nobody knows to a shift that is signed off, as
# docs/shadow.md walks through it. Run again, it goes on in the same ledger.
shadow: EXAMPLE := runs/example
shadow: setup
	mkdir -p $(EXAMPLE)
	umask 077; test -f $(EXAMPLE)/password || \
	  head -c 18 /dev/urandom | base64 > $(EXAMPLE)/password
	test -f $(EXAMPLE)/key.pem || $(BIN)/coolbound ledger key --key $(EXAMPLE)/key.pem
	$(BIN)/coolbound log inspect shadow/coolbound_shadow/data/reference_log.parquet \
	  --zone Europe/Berlin --out $(EXAMPLE)/inspect
	$(BIN)/coolbound log import shadow/coolbound_shadow/data/reference_log.parquet \
	  --map $(EXAMPLE)/inspect/map.toml --out $(EXAMPLE)/log
	$(BIN)/coolbound calibrate --log $(EXAMPLE)/log --out $(EXAMPLE)/calibration
	$(BIN)/coolbound shadow --log $(EXAMPLE)/log --year-weather frankfurt-2021 \
	  --year-load google2019 --ledger $(EXAMPLE)/ledger --key $(EXAMPLE)/key.pem
	$(BIN)/coolbound report $(EXAMPLE)/ledger --key $(EXAMPLE)/key.pem \
	  --out $(EXAMPLE)/overrides
	$(BIN)/coolbound review --users $(EXAMPLE)/users.json --add-user example \
	  < $(EXAMPLE)/password
	$(BIN)/coolbound review $(EXAMPLE)/ledger --users $(EXAMPLE)/users.json \
	  --key $(EXAMPLE)/key.pem --sign-off '2021-04-28 late' --as example \
	  --text 'Example: nobody looked.' < $(EXAMPLE)/password
	$(BIN)/coolbound ledger verify $(EXAMPLE)/ledger --trust $(EXAMPLE)/key.pem.pub
	@printf '%s\n' '' 'runs/shadow/report.html: the shadow report' \
	  '$(EXAMPLE)/overrides/override_report.html: the override report' \
	  '$(EXAMPLE)/log/ingestion.html: what the log was, and what in it was unusable' \
	  '$(EXAMPLE)/calibration/calibration.html: what the twin is good for' \
	  '$(EXAMPLE)/ledger: every decision, the reports and the sign-off, signed' \
	  'the review page, user example, password in $(EXAMPLE)/password:' \
	  '  $(BIN)/coolbound review $(EXAMPLE)/ledger --users $(EXAMPLE)/users.json' \
	  '    --key $(EXAMPLE)/key.pem'

test: setup
	$(BIN)/pytest -m "not long" -n $(WORKERS) --dist loadgroup \
	  --no-loadscope-reorder

test-all: setup
	$(BIN)/pytest

check: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/basedpyright
	$(BIN)/lint-imports

# Keeps the locked versions that still fit; make lock UPGRADE=--upgrade takes new ones.
lock: setup
	printf 'editables\nhatchling\nuv\n' | $(BIN)/uv pip compile pyproject.toml - \
	  --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-emit-index-url --no-emit-find-links --quiet $(UPGRADE) \
	  --custom-compile-command 'make lock' --output-file requirements.lock
	printf 'pyenergyplus-lbnl>=26.1\n' | $(BIN)/uv pip compile - \
	  --constraint requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --quiet $(UPGRADE) --custom-compile-command 'make lock' \
	  --output-file requirements-energyplus.lock
	printf 'daqp>=0.11\npiqp>=0.6.4\nqpax>=0.1.4\n' | $(BIN)/uv pip compile - \
	  --constraint requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links \
	  --quiet $(UPGRADE) --custom-compile-command 'make lock' \
	  --output-file requirements-peers.lock

bench: setup
	$(BIN)/coolbound bench plant
	$(BIN)/coolbound bench projection
	$(BIN)/coolbound bench shadow

clean:
	rm -rf .venv .uv build dist .pytest_cache .ruff_cache .hypothesis \
	  .import_linter_cache
