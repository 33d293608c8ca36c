#!/usr/bin/env bash
# Sets up what `make report` needs, and nothing twice: stamps inside the environment hold the hash of what was installed.
# With an argument also what only others need: `test` (and `docs`), `docs`, `test-browser`; `lowest`: the oldest packages allowed.
#
# Everything that is missing on the machine is named in one message before anything is downloaded; root gets it installed. At the
# end a page is really printed: what was set up works.
#
# Variables: PYTHON (an interpreter, 3.11 or newer), VENV (default .venv), PIP_ARGS (extra arguments for pip), TORCH (cpu: PyTorch
# without CUDA; cuda: PyTorch as pip finds it; default: cpu unless the machine has an NVIDIA card).
# Exit code 3: something is missing on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${VENV:-.venv}"
purpose="${1:-run}"
case "$purpose" in run) locks=(run) ;; docs) locks=(run docs) ;; test | test-browser) locks=(run test docs) ;; lowest) locks=(lowest lowest-test) ;;
*) echo "setup: unknown purpose $purpose; the head of $0 lists them" >&2 && exit 2 ;; esac
CPU_INDEX=https://download.pytorch.org/whl/cpu

fail() {
    echo "setup: $*" >&2
    exit 3
}
say() { echo "setup: $*" >&2; }

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

nvidia_card() { [ -e /proc/driver/nvidia/version ] || { command -v nvidia-smi >/dev/null && nvidia-smi -L 2>/dev/null | grep -q GPU; }; }

# Shall PyTorch have CUDA? As TORCH says; else if there is a card for it.
wants_cuda() { [ "${TORCH:-}" = cuda ] || { [ -z "${TORCH:-}" ] && nvidia_card; }; }

# Debian's own PyTorch (2.6 or newer, from Debian 13 on) serves the system's Python where PyTorch's index cannot be reached: 0.9 GB
# instead of the 5 GB, CUDA among it, that the package index has.
DEBIAN_TORCH=/usr/lib/python3/dist-packages
fits_debian_torch() {
    grep -qx 'ID=debian' /etc/os-release 2>/dev/null && [ -z "${PIP_ARGS:-}" ] && ! wants_cuda &&
        "${1:-false}" -c 'import sys; sys.exit(sys.version_info < (3, 13) or sys.base_prefix != "/usr")' 2>/dev/null
}
wants_debian_torch() {
    fits_debian_torch "$1" && [ ! -d "$DEBIAN_TORCH/torch" ] && ! ls -d "$venv"/lib/python*/site-packages/torch >/dev/null 2>&1 &&
        ! "$1" -c "import urllib.request; urllib.request.urlopen('$CPU_INDEX/torch/', timeout=10)" 2>/dev/null
}

# Debian's names of what is missing here, one a line; $1 is the interpreter, if there is one.
missing_packages() {
    local python="$1" library
    if [ -z "$python" ]; then
        printf '%s\n' python3 python3-venv
    elif ! "$venv/bin/python" -c 'import pip' 2>/dev/null && ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian ships Python without ensurepip; the package that carries it is named after the version.
        "$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'
    fi
    # As WeasyPrint does it: the libraries are asked for by name. Elsewhere than on Linux they have other names.
    if [ "$(uname -s)" = Linux ]; then
        for library in libpango-1.0.so.0=libpango-1.0-0 libpangoft2-1.0.so.0=libpangoft2-1.0-0 libharfbuzz-subset.so.0=libharfbuzz-subset0; do
            { [ -n "$python" ] && "$python" -c "import ctypes; ctypes.CDLL('${library%=*}')" 2>/dev/null; } || echo "${library#*=}"
        done
    fi
    ! wants_debian_torch "$python" || echo python3-torch
    case "$purpose" in test | test-browser | lowest) command -v pdftotext >/dev/null || echo poppler-utils ;; esac
    if [ "$purpose" = test-browser ]; then
        # Java for the HTML checker; Node.js and Chromium for axe-core.
        command -v java >/dev/null || echo default-jre-headless
        command -v node >/dev/null || echo nodejs
        command -v npm >/dev/null || echo npm
        command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || echo chromium
    fi
}

# Installs Debian packages as root; anybody else is told the exact line.
install_packages() {
    local install="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null ||
        fail "missing: $*. Install them (Debian's names; macOS: brew install pango poppler) with this system's package manager, then try again."
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null; then
            fail "missing on this machine; run this, then the same command again:  sudo apt-get update && sudo $install"
        fi
        fail "missing on this machine; run this, then the same command again:  su -c 'apt-get update && $install'"
    fi
    say "$install"
    # A package list that is already fresh enough saves the update; a stale one is the usual reason of a failure.
    DEBIAN_FRONTEND=noninteractive $install >/dev/null 2>&1 ||
        { apt-get update >/dev/null && DEBIAN_FRONTEND=noninteractive $install >/dev/null; } ||
        fail "could not install: $*. Try by hand:  apt-get update && $install"
}

set_up_browser() {
    local lock
    lock="$(sha256sum <tests/browser/package-lock.json)"
    [ "$(cat tests/browser/node_modules/.reportgen-setup 2>/dev/null)" != "$lock" ] || return 0
    say "installing the npm packages of the browser tests"
    npm ci --prefix tests/browser --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
        fail "npm could not install tests/browser/package-lock.json (its message is above)"
    printf '%s' "$lock" >tests/browser/node_modules/.reportgen-setup
}

pip() { "$venv/bin/python" -m pip --quiet --quiet --disable-pip-version-check "$@"; }

# The build of PyTorch that pip would take with the arguments, such as 2.13.0+cpu; nothing if it finds none.
torch_found() {
    pip install --dry-run --no-deps --ignore-installed --report - "$@" -r requirements/torch.txt 2>/dev/null |
        "$venv/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["install"][0]["metadata"]["version"], end="")' 2>/dev/null || true
}

# PyTorch from the package index brings 3 GB of CUDA on Linux, which nobody needs who has no NVIDIA card. PyTorch's own index has
# a build without; so may the folders and indexes that pip's settings name.
choose_torch() {
    local here wanted
    torch_arguments=() torch_links=()
    wanted="$(sed 's/^torch==//' requirements/torch.txt)"
    here="$("$venv/bin/python" -c 'import importlib.metadata; print(importlib.metadata.version("torch"))' 2>/dev/null || true)"
    if [ "$here" != "${here%+debian}" ] || { [ -z "$here" ] && fits_debian_torch "$python" && [ -d "$DEBIAN_TORCH/torch" ]; }; then
        torch_links=("$DEBIAN_TORCH"/{torch,functorch}*)
        download="0.2 GB" disk=1 kind="PyTorch is Debian's"
    elif [ "${here%%+*}" = "$wanted" ]; then
        download="0.2 GB" disk=1 kind="PyTorch $here is kept"
    elif [ "$(uname -s)" != Linux ]; then
        download="0.4 GB" disk=2 kind="PyTorch without CUDA"
    elif wants_cuda || [[ "${PIP_ARGS:-}" == *index* ]]; then
        download="3 GB" disk=6 kind="PyTorch with CUDA, or as PIP_ARGS says"
    else
        # shellcheck disable=SC2206 - PIP_ARGS is a list of words
        local cpu=(--index-url "$CPU_INDEX" --timeout 10 --retries 0 ${PIP_ARGS:-})
        if [[ "$(torch_found "${cpu[@]}")" == *+cpu ]]; then
            torch_arguments=("${cpu[@]}")
            download="0.4 GB" disk=2 kind="PyTorch without CUDA"
        else
            download="3 GB" disk=6 kind="PyTorch with CUDA, as $CPU_INDEX cannot be reached or has no build for this Python"
        fi
    fi
}

# What nothing here uses: the C++ headers and test programs of PyTorch, and the five largest libraries' own tests; 0.25 GB.
trim() {
    local library
    [ -L "$packages/torch" ] || rm -rf "$packages"/torch/{test,include} "$packages"/torch/bin/{test_*,*Test,protoc*,*.ptl}
    for library in pandas scipy xarray matplotlib numpy; do
        find "$packages/$library" -type d -name tests -prune -exec rm -rf {} +
    done
}

stamp_of() { cat "requirements/$1.txt" pyproject.toml | sha256sum | cut -d' ' -f1; }
stamped() { [ "$(cat "$venv/.reportgen-setup-$1" 2>/dev/null)" = "$(stamp_of "$1") ${PIP_ARGS:-} ${TORCH:-}" ]; }

python="$(find_python)"
[ -n "$python" ] || [ -z "${PYTHON:-}" ] || fail "$PYTHON is no Python 3.11 or newer; say which with  make PYTHON=/path/to/python3"
missing="$(missing_packages "$python" | tr '\n' ' ')"
if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 - a list of words
    install_packages ${missing% }
    python="$(find_python)"
    [ -n "$python" ] || fail "Python 3.11 or newer is needed and this system's is older; say which with  make PYTHON=/path/to/python3"
fi
[ "$purpose" != test-browser ] || set_up_browser

todo=()
for lock in "${locks[@]}"; do stamped "$lock" || todo+=("$lock"); done
[ ${#todo[@]} -gt 0 ] || [ ! -x "$venv/bin/reportgen" ] || exit 0

if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$venv"
    "$python" -m venv "$venv" || fail "could not make the environment $venv with $python"
fi
choose_torch
free="$(df -Pk "$venv" | awk 'NR == 2 {print int($4 / 1000000)}')"
[ "$free" -ge "$disk" ] || fail "about $disk GB of disk are needed here and $free GB are free; VENV=/other/disk/venv puts the packages elsewhere"
say "downloading about $download of Python packages ($kind; up to $disk GB in $venv), and once the model: 94 MB (0.6 GB in the cache)"
files=()
for lock in "${locks[@]}"; do
    if [ ${#torch_links[@]} -gt 0 ]; then
        grep -v '^torch==' "requirements/$lock.txt" >"$venv/$lock.txt"
        files+=(-r "$venv/$lock.txt")
    else
        files+=(-r "requirements/$lock.txt")
    fi
done
packages="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
for link in ${torch_links[@]+"${torch_links[@]}"}; do ln -sfn "$link" "$packages/${link##*/}"; done
if [ ${#torch_arguments[@]} -gt 0 ]; then
    pip install --no-compile --no-deps "${torch_arguments[@]}" -r requirements/torch.txt || fail "pip could not install PyTorch (its message is above)"
fi
# What is imported gets compiled then: to compile all of PyTorch would take a minute and 0.3 GB.
# shellcheck disable=SC2086 - PIP_ARGS is a list of words
pip install --no-compile ${PIP_ARGS:-} "${files[@]}" || fail "pip could not install ${files[*]} (its message is above)"
# The name that this distribution had before it got its own.
! "$venv/bin/python" -c 'import importlib.metadata; importlib.metadata.version("reportgen")' 2>/dev/null || pip uninstall --yes reportgen
pip install --no-deps --no-build-isolation -e . || fail "pip could not install reportgen itself (its message is above)"
trim
"$venv/bin/python" -m reportgen.printing || exit 3
for lock in "${locks[@]}"; do printf '%s' "$(stamp_of "$lock") ${PIP_ARGS:-} ${TORCH:-}" >"$venv/.reportgen-setup-$lock"; done
