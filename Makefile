# `make report` on a fresh Debian or Ubuntu with Python 3.11 or newer: sets everything up and makes the built-in report.
# `make test`   sets up the same way and runs every check, first those of `make test-fast`, which take seconds.
# `make test-browser` opens the pages in a browser; `make test-lowest` runs the tests on the oldest packages that pyproject.toml allows.
# `make docs`   builds the documentation into build/docs.
# `make bench`  measures everything side by side with what a user would pick instead (benchmarks/results/table.md).
# `make coverage` measures which branches the tests reach, `make mutation` which faults they would see (CONTRIBUTING.md).
# `make sbom`   writes what a report is made with (build/reportgen.cdx.json, CycloneDX); `make audit` asks for known weaknesses of it.
# `make lock`   pins the packages again (requirements/), `make lock UPGRADE=1` in their newest versions; `make wheel` builds the wheel.
#
#   make report PYTHON=/opt/python3.12/bin/python3
#   make report TORCH=cuda                     PyTorch with CUDA on a machine where no NVIDIA card is seen (TORCH=cpu: without, though one is)
#   make report STUDY=my-study.yaml OUT=results

VENV ?= .venv
STUDY ?= coffee
OUT ?= out
LOWEST ?= build/lowest
AUDIT ?= build/audit
export VENV PYTHON PIP_ARGS TORCH
# What Python compiled is kept: a program then starts in less than half of the time, and the tests start hundreds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: report test test-fast test-models test-browser test-site test-lowest fuzz coverage mutation sbom audit check docs bench setup model lock wheel format clean

report: setup model
	$(VENV)/bin/reportgen run $(STUDY) --out $(OUT)

test: setup-test model
	$(MAKE) --no-print-directory check

FAST = $(VENV)/bin/python -m pytest -q -n 2 -m "not model and not render and not browser and not slow"
test-fast: setup-test
	$(FAST)

# Every kind of architecture, built small; `python -m benchmarks.architectures` writes the table of all of them.
test-models: setup-test
	$(VENV)/bin/python -m pytest -q tests/analyses/models tests/benchmarks/test_architectures.py

# Bad input made by guided chance, 30 seconds a reader; needs atheris:  $(VENV)/bin/python -m pip install atheris
fuzz: setup-test
	$(VENV)/bin/python -m tests.fuzz

# Lines and branches of reportgen/ and analyses/ that the tests reach; needs coverage:  $(VENV)/bin/python -m pip install coverage
# One folder of tests takes a fraction of the time:  make coverage TESTS=tests/analyses/statistics
TESTS ?= tests
coverage: setup-test
	$(VENV)/bin/python -m coverage erase
	$(VENV)/bin/python -m coverage run -m pytest -q -n 2 --dist loadgroup -m "not browser" $(TESTS)
	$(VENV)/bin/python -m coverage combine --quiet
	$(VENV)/bin/python -m coverage report

# Small faults put into the statistics, the estimators and `compare`, SAMPLE of each: do the tests see them? An hour on one core.
# Needs mutmut:  $(VENV)/bin/python -m pip install mutmut
SAMPLE ?= 110
mutation: setup-test
	$(VENV)/bin/python -m tests.mutation $(SAMPLE)

# Java, Node.js and Chromium are asked for here only.
test-browser: setup-test-browser model
	BROWSER_TESTS=1 $(VENV)/bin/python -m pytest -q tests/browser

# A site that two jobs publish to, from its first report to its last: ten minutes. With OPTIONS=-s the changes of each step are printed.
test-site: setup-test
	SITE_TESTS=1 $(VENV)/bin/python -m pytest -q $(OPTIONS) tests/reportgen/test_scratch_repository.py

# The oldest packages that pyproject.toml allows, in an environment of their own. PyTorch is the one of requirements/torch.txt.
test-lowest:
	@VENV=$(LOWEST) scripts/setup.sh lowest
	@$(LOWEST)/bin/reportgen models fetch embedded --quiet >/dev/null
	$(LOWEST)/bin/python -m pytest -q -n 2 --dist loadgroup -m "not browser" --ignore=tests/test_packaging.py

check:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(FAST)
	$(VENV)/bin/python -m pytest -q -n 2 --dist loadgroup -m "model or render or browser or slow"

docs: setup-docs
	$(VENV)/bin/mkdocs build --strict --site-dir build/docs

# Everything side by side with what a user would pick instead; 20 GB of memory and 7 GB of disk for GPT-2 XL.
bench: setup-test model
	$(VENV)/bin/python -m benchmarks

setup:
	@scripts/setup.sh

setup-%:
	@scripts/setup.sh $*

# Downloaded once (94 MB), its SHA-256 checked, kept in the user's cache.
model: setup
	@$(VENV)/bin/reportgen models fetch embedded --quiet >/dev/null

lock: setup-test
	scripts/lock.sh $(if $(UPGRADE),--upgrade)

# What is pinned for a run, as a bill of materials: the same bytes for the same pins.
sbom: $(AUDIT)/bin/cyclonedx-py
	@mkdir -p build
	$(AUDIT)/bin/cyclonedx-py requirements requirements/run.txt --pyproject pyproject.toml --output-reproducible --of JSON \
		--output-file build/reportgen.cdx.json

# Of every pin, in the databases of the Python Packaging Authority.
audit: $(AUDIT)/bin/cyclonedx-py
	$(AUDIT)/bin/pip-audit --no-deps --disable-pip $(addprefix --requirement ,$(addprefix requirements/,$(addsuffix .txt,run test docs)))

# Their own environment: what they bring along is no part of what they look at.
$(AUDIT)/bin/cyclonedx-py:
	$(or $(PYTHON),python3) -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet $(PIP_ARGS) "cyclonedx-bom>=7" "pip-audit>=2.9"

wheel: setup-test
	$(VENV)/bin/python -m build --outdir dist

format:
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf build dist $(OUT)
