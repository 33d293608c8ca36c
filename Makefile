# `make report` on a fresh Debian or Ubuntu with Python 3.11 or newer: sets everything up and makes the built-in report.
# `make test`   sets up the same way and runs every check; `make test-browser` opens the pages in a browser.
# `make bench`  measures everything side by side with what a user would pick instead (benchmarks/results/table.md).
#
#   make report PYTHON=/opt/python3.12/bin/python3
#   make report PIP_ARGS="--extra-index-url https://download.pytorch.org/whl/cpu"     torch without CUDA: 2 GB less to download
#   make report STUDY=my-study.yaml OUT=results

VENV ?= .venv
STUDY ?= coffee
OUT ?= out
export VENV PYTHON PIP_ARGS

.PHONY: report test test-browser check bench setup model format clean

report: setup model
	$(VENV)/bin/reportgen run $(STUDY) --out $(OUT)

test:
	@scripts/setup.sh test
	@$(VENV)/bin/reportgen models fetch embedded --quiet >/dev/null
	$(MAKE) --no-print-directory check

# Java, Node.js and Chromium are asked for here only.
test-browser:
	@scripts/setup.sh test-browser
	@$(VENV)/bin/reportgen models fetch embedded --quiet >/dev/null
	BROWSER_TESTS=1 $(VENV)/bin/python -m pytest -q tests/browser

check:
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/python -m pytest -q

# Everything side by side with what a user would pick instead; 20 GB of memory and 7 GB of disk for GPT-2 XL.
bench:
	@scripts/setup.sh test
	@$(VENV)/bin/reportgen models fetch embedded --quiet >/dev/null
	$(VENV)/bin/python -m benchmarks

setup:
	@scripts/setup.sh

# Downloaded once, its SHA-256 checked, kept in the user's cache.
model: setup
	@$(VENV)/bin/reportgen models fetch embedded --quiet >/dev/null

format:
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

clean:
	rm -rf build dist $(OUT)
