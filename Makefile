# Everything runs in .venv, made from hash-pinned locks. Needs Python 3.11 to 3.13 and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test bench lint docs clean

demo: .venv/train  ## from drawn photos to an answered request
	$(BIN)/python scripts/demo.py demo

test: .venv/dev  ## the whole suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: .venv/bench  ## every ratio, beside the tutorial's design and the usual choices, in build/bench
	$(BIN)/python benchmarks $(OPTIONS)

lint: .venv/dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/dev  ## the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf .venv demo build

.venv/%: requirements/%.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "shutterless needs Python 3.11, 3.12 or 3.13: try make PYTHON=python3.13")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@
