# make report   the default suite, then report/index.html and report/report.pdf
# make test     lint, types, tests
# make bench    the speed and memory ratios of the model
# make asv      measure this commit with asv, then the page .asv/html; make asv-compare BASE=... compares exact counters
PYTHON ?= python3
STORE  ?= cowbench.db
OUTPUT ?= report
BASE   ?= HEAD~1
JOBS   ?= $(shell nproc 2>/dev/null || echo 1)
BIN    := .venv/bin

.PHONY: report test bench asv asv-compare clean

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

asv: .venv/.asv
	$(BIN)/python -m benchmarks.commits.run

asv-compare: .venv/.asv
	$(BIN)/python -m benchmarks.commits.compare $(BASE)

# The stamps stand for "installed as pyproject.toml says"; .dev includes .run and .asv.
.venv/.run: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/.asv: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[asv]'
	touch $@ .venv/.run

.venv/.dev: pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@ .venv/.run .venv/.asv

.venv/bin/python:
	$(PYTHON) -m venv .venv

clean:
	rm -rf .venv .asv build dist $(OUTPUT)
