# Each environment is made from a hash-pinned lock of its own. Needs Python 3.11 to 3.13 and make.
PYTHON ?= python3
# The folder of the environments; another Python takes another: make test-fast PYTHON=python3.13 VENVS=.venv/3.13
VENVS ?= .venv
DEV := $(VENVS)/dev/bin

.PHONY: demo test coverage test-fast bench lint docs release clean

demo: $(VENVS)/train/ready  ## from drawn photos to an answered request
	$(VENVS)/train/bin/python scripts/demo.py demo

test: $(VENVS)/dev/ready  ## the whole suite
	$(DEV)/python -m pytest -n 2 --dist loadfile

coverage: $(VENVS)/dev/ready  ## the whole suite, with the coverage of src: takes half as long again
	$(DEV)/python -m pytest -n 2 --dist loadfile --cov

test-fast: $(VENVS)/dev/ready  ## the tests that need no training, server, browser or container, and few rounds
	$(DEV)/python -m pytest -n 2 --dist loadfile -m "not slow"

bench: $(VENVS)/bench/ready  ## every ratio to the tutorial's design and the usual alternatives, in build/bench
	$(VENVS)/bench/bin/python -m benchmarks $(OPTIONS)

lint: $(VENVS)/dev/ready  ## style and types
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy

docs: $(VENVS)/dev/ready  ## the documentation as a site, in build/site
	NO_MKDOCS_2_WARNING=1 $(DEV)/mkdocs build --strict --quiet

release: $(VENVS)/release/ready  ## wheel and sdist in dist/, checked; publishing them is left to you
	rm -rf dist
	$(VENVS)/release/bin/python -m build --no-isolation
	$(VENVS)/release/bin/twine check --strict dist/*
	$(PYTHON) scripts/check_wheel.py dist/*.whl
	@echo "To publish: $(VENVS)/release/bin/twine upload dist/*"

clean:
	rm -rf .venv demo build dist

$(VENVS)/%/ready: requirements/%.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13) and "shutterless needs Python 3.11, 3.12 or 3.13: try make PYTHON=python3.13")'
	test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@
