#!/usr/bin/env bash
# Sets up everything that `make report` and `make test` need, and nothing twice: the stamp inside the environment holds the
# hash of what was installed.
#
# Variables: PYTHON (an interpreter, 3.11 or newer), VENV (default .venv), PIP_ARGS (extra arguments for pip, for example
# an index with another build of torch). The argument `test` asks for what only the tests need as well, `test-browser` for what
# the tests in a browser need beside that.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${VENV:-.venv}"
system_packages="libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"
for_tests="${1:-}"
[ -z "$for_tests" ] || system_packages="$system_packages poppler-utils"

fail() {
    echo "setup: $*" >&2
    exit 3
}

# Installs Debian packages as root; anybody else is told the exact line.
install_packages() {
    local line="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || fail "missing: $*. Install them with this system's package manager, then try again."
    [ "$(id -u)" = 0 ] || fail "missing: $*. Run this, then try again:  sudo apt-get update && sudo $line"
    echo "setup: $line" >&2
    # A package list that is already fresh enough saves the update; a stale one is the usual reason of a failure.
    DEBIAN_FRONTEND=noninteractive $line >/dev/null 2>&1 ||
        { apt-get update >/dev/null && DEBIAN_FRONTEND=noninteractive $line >/dev/null; } ||
        fail "could not install: $*. Try by hand:  apt-get update && $line"
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "Python 3.11 or newer is needed and none was found${PYTHON:+ at $PYTHON}; say which with  make PYTHON=/path/to/python3"
}

make_environment() {
    local python version
    python="$(find_python)"
    # Debian ships Python without ensurepip; the package that carries it is named after the version.
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        install_packages "python$version-venv"
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "could not make the environment $venv with $python"
}

test_tools_present() {
    [ -z "$for_tests" ] || command -v pdftotext >/dev/null
}

# Java for the HTML checker; Node.js and Chromium for axe-core. The npm packages are pinned in tests/browser/package-lock.json.
set_up_browser() {
    local missing="" lock
    command -v java >/dev/null || missing="$missing default-jre-headless"
    command -v node >/dev/null || missing="$missing nodejs"
    command -v npm >/dev/null || missing="$missing npm"
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || missing="$missing chromium"
    # shellcheck disable=SC2086 - a list of words
    [ -z "$missing" ] || install_packages $missing
    lock="$(sha256sum <tests/browser/package-lock.json)"
    [ "$(cat tests/browser/node_modules/.reportgen-setup 2>/dev/null)" != "$lock" ] || return 0
    echo "setup: installing the npm packages of the browser tests" >&2
    npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        fail "npm could not install tests/browser/package-lock.json (its message is above)"
    printf '%s' "$lock" >tests/browser/node_modules/.reportgen-setup
}

[ "$for_tests" != test-browser ] || set_up_browser

system_libraries_present() {
    test_tools_present && "$venv/bin/python" -c 'import weasyprint' >/dev/null 2>&1
}

stamp="$(cat requirements.txt pyproject.toml | sha256sum | cut -d' ' -f1) ${PIP_ARGS:-}"
if [ -x "$venv/bin/reportgen" ] && [ "$(cat "$venv/.reportgen-setup" 2>/dev/null)" = "$stamp" ] && test_tools_present; then
    exit 0
fi

"$venv/bin/python" -c 'import pip' 2>/dev/null || make_environment
echo "setup: installing the pinned requirements into $venv" >&2
# shellcheck disable=SC2086 - PIP_ARGS is a list of words
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check ${PIP_ARGS:-} -r requirements.txt ||
    fail "pip could not install requirements.txt (its message is above)"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . ||
    fail "pip could not install reportgen itself (its message is above)"
# shellcheck disable=SC2086
system_libraries_present || install_packages $system_packages
system_libraries_present || fail "WeasyPrint (or pdftotext) still cannot be used:  $venv/bin/python -c 'import weasyprint'  says which"
printf '%s' "$stamp" >"$venv/.reportgen-setup"
