#!/usr/bin/env bash
# Pins in requirements/ what each purpose needs, in versions that every Python of pyproject.toml's range can install:
# run.txt (`make report`), test.txt and docs.txt on top of it (`make test`, `make docs`), render.txt, what documents need without
# a model, and lowest.txt, the oldest versions that pyproject.toml allows, with what the tests need (`make test-lowest`). A pin that still serves is kept; `scripts/lock.sh --upgrade` takes the newest.
#
# Variables: UV, the program uv (found on PATH or beside the Python of VENV).
set -euo pipefail
cd "$(dirname "$0")/.."

uv="${UV:-$(command -v uv || echo "${VENV:-.venv}/bin/uv")}"
command -v "$uv" >/dev/null || { echo "lock: uv is not installed; run:  ${VENV:-.venv}/bin/python -m pip install uv" >&2; exit 3; }

# One PyTorch serves all builds, with CUDA and without: what its build for CUDA brings along is pinned by its own metadata.
# pip is what the environment has.
# One python-dateutil serves all: botocore, with which the tests reach S3, takes no newer one.
torch="torch==2.13.0"
omit=(pip triton cuda-bindings cuda-pathfinder cuda-toolkit nvidia-cublas nvidia-cuda-cupti nvidia-cuda-nvrtc nvidia-cuda-runtime
    nvidia-cudnn-cu13 nvidia-cufft nvidia-cufile nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-cusparselt-cu13
    nvidia-nccl-cu13 nvidia-nvjitlink nvidia-nvshmem-cu13 nvidia-nvtx)
options=(--universal --python-version 3.11 --fork-strategy fewest --no-header --annotation-style line --quiet
    --constraint requirements/torch.txt --constraint requirements/limits.txt "${omit[@]/#/--no-emit-package=}" "$@")

mkdir -p requirements
echo "$torch" >requirements/torch.txt
echo "python-dateutil<3" >requirements/limits.txt
compile() { # compile NAME ARGUMENT...
    "$uv" pip compile "${options[@]}" --output-file "requirements/$1.txt" "${@:2}"
}
compile run pyproject.toml --group build
compile test --group test --group check --constraint requirements/run.txt
compile docs --group docs --constraint requirements/run.txt --constraint requirements/test.txt
"${PYTHON:-python3}" -m reportgen.requirements pyproject.toml | compile render --constraint requirements/run.txt -
compile lowest pyproject.toml --group build --resolution lowest-direct
compile lowest-test --group test --constraint requirements/lowest.txt
