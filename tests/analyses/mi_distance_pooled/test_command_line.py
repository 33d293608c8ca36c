"""A pooled study by its YAML file: run, made again when a cell changes, compared, published."""

import json

import pytest
import yaml

from reportgen.cli import app


@pytest.fixture
def study(worlds, tmp_path):
    folder = tmp_path / "cells-here"
    folder.mkdir()
    worlds.write(folder, worlds.holds, texts=4)
    file = tmp_path / "pooled.yaml"
    file.write_text(yaml.safe_dump({"analysis": "mi_distance_pooled", "name": "pooled", "cells_folder": "cells-here"}), encoding="utf-8")
    return file


def call(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        app([*map(str, arguments)], prog_name="reportgen")
    return ended.value.code or 0, capsys.readouterr()


def test_a_study_is_analysed_beside_its_cells_and_again_when_they_change(worlds, study, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("REPORTGEN_CACHE", str(tmp_path / "cache"))
    code, _ = call(capsys, "analyze", study, "--out", tmp_path / "one", "--quiet")
    assert code == 0
    first = json.loads((tmp_path / "one" / "bundle" / "study.json").read_text(encoding="utf-8"))
    assert first["settings"]["cells_folder"] == "cells-here"
    worlds.write(tmp_path / "cells-here", worlds.fails, texts=4)
    call(capsys, "analyze", study, "--out", tmp_path / "two", "--quiet")
    second = json.loads((tmp_path / "two" / "bundle" / "study.json").read_text(encoding="utf-8"))
    assert first["conclusions"][0]["verdict"] == "supported"
    assert second["conclusions"][0]["verdict"] == "contradicted"
    code, _ = call(capsys, "compare", tmp_path / "one" / "bundle", tmp_path / "two" / "bundle", "--html", tmp_path / "compared.html")
    assert code == 1
    assert "minus different words" in (tmp_path / "compared.html").read_text(encoding="utf-8")


def test_missing_cells_end_in_one_line(study, tmp_path, capsys):
    (tmp_path / "cells-here" / "cells" / "k0.zip").unlink()
    code, printed = call(capsys, "analyze", study, "--out", tmp_path / "out", "--quiet")
    assert code == 2
    assert "1 of the 8 cells of the plan are missing" in printed.err
    assert "Traceback" not in printed.err


def test_a_pooled_bundle_is_verified(study, tmp_path, capsys):
    call(capsys, "analyze", study, "--out", tmp_path / "one", "--quiet")
    code, printed = call(capsys, "verify", tmp_path / "one" / "bundle", "--json")
    found = json.loads(printed.out)
    assert code == 0, printed
    assert found["differing"] == []
    assert max(found["differences"].values()) < 1e-9
    assert {"pooled_low", "pooled_meta_low", "p_holm"} <= set(found["differences"])


@pytest.mark.render
def test_a_pooled_bundle_is_published(study, tmp_path, capsys):
    call(capsys, "analyze", study, "--out", tmp_path / "one", "--quiet")
    code, printed = call(capsys, "publish", tmp_path / "one" / "bundle", "--to", "plain", "--out", tmp_path / "site", "--quiet")
    assert code == 0, printed.err
    page = (tmp_path / "site" / "pooled" / "en" / "index.html").read_text(encoding="utf-8")
    assert "The texts support the view that the MLP is above attention" in page
