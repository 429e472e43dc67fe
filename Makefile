# make report   the default suite, then report/index.html
# make test     lint, types, tests
# make bench    the speed and memory ratios of the model
PYTHON ?= python3
STORE  ?= cowbench.db
OUTPUT ?= report
JOBS   ?= $(shell nproc 2>/dev/null || echo 1)
BIN    := .venv/bin

.PHONY: report test bench clean

report: .venv/.run
	$(BIN)/cowbench run --store $(STORE) --jobs $(JOBS)
	$(BIN)/cowbench report --store $(STORE) --output $(OUTPUT)

test: .venv/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(JOBS)

bench: .venv/.run
	$(BIN)/python benchmarks/ratios/ratios.py

# The stamps stand for "installed as pyproject.toml says"; .dev includes .run.
.venv/.run: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/.dev: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/.run

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv build dist $(OUTPUT)
