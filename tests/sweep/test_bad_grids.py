"""Grids and tables of texts that are wrong in every way that we could think of: one line that names the place, nothing computed.

Each case stands for its kind; see tests/reportgen/test_bad_input.py.
"""

import json
import os

import pyarrow
import pyarrow.parquet
import pytest

from analyses.errors import InputError
from analyses.progress import SilentProgress
from reportgen.resources import language_codes
from reportgen.sweep.grid import load_grid, texts_of
from reportgen.sweep.plan import plan
from reportgen.sweep.store import CELLS, Store

TEA = "The tea is hot. Tea is good, and tea is here, tea. More tea for tea."
ROW = {"name": "a", "text": TEA}


def one_line(act, *named):
    with pytest.raises(InputError) as refused:
        act()
    said = str(refused.value)
    assert "\n" not in said
    assert all(character.isprintable() for character in said)
    for word in named:
        assert word in said


GRIDS = {
    "name of dots": ({"name": ".."}, "grid.yaml, line 1: name: "),
    "name of a path": ({"name": "a/b"}, "name: "),
    "name of two lines": ({"name": "a\nb"}, "name: "),
    "name a truth value": ({"name": True}, "name: "),
    "seed a truth value": ({"seed": True}, "seed: expected a number, found true"),
    "seed too large": ({"seed": 2**40}, "seed: "),
    "every a truth value": ({"words": {"every": {"at_least": True}}}, "words.every.at_least: expected a number, found true"),
    "every of 30 digits": ({"words": {"every": {"most": -(10**30)}}}, "words.every.most: "),
    "stop words a word": ({"words": {"every": {"stop_words": "tea"}}}, "words.every.stop_words: "),
    "words twice": ({"words": {"list": ["tea"], "by_text": {"t0": "tea"}}}, "expected exactly one of"),
    "words a number": ({"words": {"list": [3]}}, "words.list.0: "),
    "by text a list": ({"words": {"by_text": ["tea"]}}, "words.by_text: "),
    "a model twice": ({"models": [{}, {}]}, "models: the model embedded is there twice"),
    "a model a word": ({"models": "gpt2"}, "models: "),
    "settings a list": ({"settings": []}, "settings: "),
    "title in no language": ({"document": {"title": {"xx": "a"}}}, "document.title.xx: there is no language 'xx'"),
    "date of no day": ({"document": {"date": "2026-99-99"}}, "document.date: "),
    "text name of two lines": ({"texts": {"list": [{"name": "a\nb", "text": TEA}]}}, "texts.list.0.name: "),
    "text name of blanks": ({"texts": {"list": [{"name": "  ", "text": TEA}]}}, "texts.list.0.name: "),
    "text name of 5,000 letters": ({"texts": {"list": [{"name": "x" * 5000, "text": TEA}]}}, "texts.list.0.name: "),
    "parallel a number": ({"texts": {"list": [{**ROW, "parallel": 3}]}}, "texts.list.0.parallel: "),
}


@pytest.mark.parametrize("case", GRIDS)
def test_grids(grid, case):
    changes, words = GRIDS[case]
    file = grid(**changes)
    one_line(lambda: load_grid(file, language_codes()), "grid.yaml, line 1: ", words)


TEXTS = {
    "user of no name": ({"folder": "~nobody-here/x"}, "texts.folder: ~nobody-here/x"),
    "file of a user of no name": ({"file": "~nobody-here/x.csv"}, "texts.file: ~nobody-here/x.csv"),
    "text file of a user of no name": ({"list": [{"name": "a", "text_file": "~nobody-here/x"}]}, "~nobody-here/x"),
    "folder of a long name": ({"folder": "x" * 5000}, "texts.folder: there is no folder"),
    "file of a long name": ({"file": "x" * 600 + ".csv"}, "texts.file: there is no file"),
    "a device": ({"file": "/dev/zero"}, "expected a .csv, .jsonl or .parquet file"),
    "a text file that is a device": ({"list": [{"name": "a", "text_file": "/dev/zero"}]}, "/dev/zero is no regular file"),
    "one text by two names": ({"list": [ROW, {"name": "b", "text": f" {TEA} "}]}, "a and b are the same text"),
    "language a path": ({"list": [{**ROW, "language": "../../../../etc/x"}]}, "a: language: expected the code of a language"),
    "language of 5,000 letters": ({"list": [{**ROW, "language": "x" * 300}]}, "a: language: expected the code"),
    "language of all": ({"list": [ROW], "language": "$$"}, "a: language: expected the code"),
}


@pytest.mark.parametrize("case", TEXTS)
def test_texts(grid, case):
    texts, words = TEXTS[case]
    file = grid(texts=texts)
    one_line(lambda: texts_of(load_grid(file), file), words)


def unreadable(text):
    return lambda folder: (folder / "a.txt").write_bytes(text)


FOLDERS = {
    "nothing": (lambda folder: None, "texts: there is none"),
    "a pipe": (lambda folder: os.mkfifo(folder / "a.txt"), "a.txt is no regular file"),
    "a folder": (lambda folder: (folder / "a.txt").mkdir(), "a.txt is a folder"),
    "a link to nothing": (lambda folder: (folder / "a.txt").symlink_to("nowhere"), "a.txt: there is no such"),
    "latin": (unreadable(b"caf\xe9"), "a.txt is not UTF-8 text"),
    "an escape sequence": (unreadable(b"tea \x1b[2J"), "a.txt, line 1: holds the control character U+001B"),
    "null bytes": (unreadable(b"tea\n\0"), "a.txt, line 2: holds the control character U+0000"),
    "too much": (unreadable(b"x" * 64_000_001), "a.txt is larger than 64 MB"),
    "a name with an escape sequence": (lambda folder: (folder / "a\x1b[2J.txt").write_text(TEA), "holds the character U+001B"),
    "a name of two lines": (lambda folder: (folder / "a\nb.txt").write_text(TEA), "name: expected one line"),
    "a name that is no text": (lambda folder: open(os.fsencode(folder) + b"/a\xff.txt", "w").close(), "holds the character U+DCFF"),
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_of_texts(tmp_path, grid, case):
    make, words = FOLDERS[case]
    (tmp_path / "texts").mkdir()
    make(tmp_path / "texts")
    file = grid(texts={"folder": "texts"})
    with pytest.raises(InputError) as refused:
        texts_of(load_grid(file), file)
    assert words in str(refused.value)


CSV = {
    "nothing": ("", "texts: there is none"),
    "a head alone": ("name,text\n", "texts: there is none"),
    "more cells": ("name,text\na,b,c,d\n", "row 1: expected 2 cells as in the head, found 4"),
    "fewer cells": ("name,text\na\n", "row 1: expected 2 cells as in the head, found 1"),
    "a column twice": ("name,text,text\na,b,c\n", "the column text is there twice"),
    "no name": ("text\nb\n", "row 1: expected the columns name, and text or file"),
    "an open quotation": ('name,text\na,"b\n', "t.csv is no CSV"),
    "letters behind a quotation": ('name,text\na,"b"c\n', "t.csv is no CSV"),
    "null bytes": ("name,text\na,te\0a\n", "t.csv"),
    "an escape sequence": ("name,text\na,tea \x1b[2J\n", "row 1: text: holds the control character U+001B"),
    "an escape sequence in a name": ("name,text\na\x1b[2J,tea\n", "row 1: name: holds the control character U+001B"),
    "an escape sequence in a word": ("name,text,word\na,tea,t\x1b[2J\n", "row 1: word: holds the control character U+001B"),
    "semicolons": ("name;text\na;tea\n", "expected the columns name, and text or file"),
    "utf-16": ("name,text\na,b\n".encode("utf-16"), "t.csv is not UTF-8 text"),
    "text and file": ("name,text,file\na,b,c\n", "expected the columns name, and text or file"),
    "a file that is not there": ("name,file\na,nowhere\n", "nowhere: there is no such"),
    "a file of a long name": (f"name,file\na,{'x' * 400}\n", "File name too long"),
    "a file that is a folder": ("name,file\na,.\n", "is a folder"),
    "a name twice": ("name,text\na,one\na,two\n", "two texts are named a"),
    "a name of 5,000 letters": (f"name,text\n{'x' * 5000},tea\n", "row 1: name: expected one line of at most 200 characters"),
    "a language that is a path": ("name,text,language\na,tea,../../x\n", "a: language: expected the code"),
    "too much": (b"name,text\n" + b"x" * 64_000_001, "t.csv is larger than 64 MB"),
}

JSON_LINES = {
    "nested deeply": ("[" * 100_000, "line 1 is not valid JSON (nested too deeply)"),
    "nested deeply in a row": ('{"name":"a","text":"b","x":' + "[" * 500 + "]" * 500 + "}", "nested too deeply"),
    "a key twice": ('{"name":"a","name":"b","text":"c"}', "the key 'name' is given twice"),
    "no number": ('{"name":"a","text":NaN}', "NaN is no number"),
    "1e400": ('{"name":"a","text":"b","x":1e400}', "1e400 is no finite number"),
    "5,000 digits": ('{"name":"a","text":"b","x":' + "9" * 5000 + "}", "line 1 is not valid JSON"),
    "an escape sequence": ('{"name":"a","text":"\\u001b[2J"}', "text: holds the control character U+001B"),
    "a null byte": ('{"name":"a","text":"\\u0000"}', "text: holds the control character U+0000"),
    "half a character": ('{"name":"a","text":"\\ud800"}', "half a character"),
    "a name that is a number": ('{"name":5,"text":"b"}', "name: expected text, found 5"),
    "a name that is a truth value": ('{"name":true,"text":"b"}', "name: expected text, found True"),
    "a text that is a list": ('{"name":"a","text":["b"]}', "text: expected text, found ['b']"),
    "a word that is a number": ('{"name":"a","text":"b","word":5}', "word: expected text, found 5"),
    "a word within lists": ('{"name":"a","text":"b","word":[["c"]]}', "word: expected text, found ['c']"),
    "a language that is a section": ('{"name":"a","text":"b","language":{}}', "language: expected text, found {}"),
    "a name of two lines": ('{"name":"a\\nb","text":"b"}', "name: expected one line"),
    "the second row": ('{"name":"a","text":"b"}\n[', "t.jsonl, line 2"),
}


def parquet(**columns):
    def write(file):
        pyarrow.parquet.write_table(pyarrow.table(columns), file)

    return write


def cut(file):
    parquet(name=["a"] * 50, text=[TEA] * 50)(file)
    file.write_bytes(file.read_bytes()[:300])


PARQUET = {
    "nothing": (b"", "t.parquet: no Parquet table"),
    "its marks alone": (b"PAR1PAR1", "t.parquet: no Parquet table"),
    "bytes between its marks": (b"PAR1" + bytes(range(200)) + b"PAR1", "t.parquet: no Parquet table"),
    "cut": (cut, "t.parquet: no Parquet table"),
    "no row": (parquet(name=pyarrow.array([], "string"), text=pyarrow.array([], "string")), "texts: there is none"),
    "no name": (parquet(name=pyarrow.array([None], "string"), text=[TEA]), "row 1: expected the columns name"),
    "numbers": (parquet(name=[1], text=[TEA]), "row 1: name: expected text, found 1"),
    "bytes": (parquet(name=["a"], text=[b"\xff"]), "row 1: text: expected text"),
    "lists": (parquet(name=["a"], text=[["b"]]), "row 1: text: expected text"),
    "an escape sequence": (parquet(name=["a"], text=["\x1b[2J"]), "row 1: text: holds the control character U+001B"),
    "other columns": (parquet(a=[1], b=[2]), "its columns are a, b"),
    "more than it seems": (parquet(name=["a"], text=["x" * 70_000_000]), "it holds more than 64 MB of text"),
}
TABLES = {
    **{f"csv: {name}": ("t.csv", *case) for name, case in CSV.items()},
    **{f"jsonl: {name}": ("t.jsonl", *case) for name, case in JSON_LINES.items()},
    **{f"parquet: {name}": ("t.parquet", *case) for name, case in PARQUET.items()},
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_of_texts(tmp_path, grid, case):
    name, content, words = TABLES[case]
    file = tmp_path / name
    if callable(content):
        content(file)
    else:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    of_grid = grid(texts={"file": name})
    one_line(lambda: texts_of(load_grid(of_grid), of_grid), words)


def test_a_pipe_is_no_table(tmp_path, grid):
    os.mkfifo(tmp_path / "t.csv")
    file = grid(texts={"file": "t.csv"})
    one_line(lambda: texts_of(load_grid(file), file), "texts.file: there is no file")


def test_a_text_may_be_long_and_hold_breaks_of_lines(tmp_path, grid):
    """csv takes cells of 131,072 characters, and splitlines breaks at U+2028, which JSON may hold as it is."""
    long, lines, separated = TEA * 3000, "Tea.\nMore tea.", "Tea.\u2028More tea."
    (tmp_path / "t.csv").write_text(f'name,text\na,"{long}"\nb,"{lines}"\n\nc,"{separated}"\n', encoding="utf-8")
    rows = [{"name": name, "text": text} for name, text in zip("abc", (long, lines, separated), strict=True)]
    (tmp_path / "t.jsonl").write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n", encoding="utf-8")
    for name in ("t.csv", "t.jsonl"):
        file = grid(texts={"file": name})
        assert [text.text for text in texts_of(load_grid(file), file)] == [long, lines, separated]


def test_a_table_with_lists_names_several_words_of_a_text(tmp_path, grid):
    (tmp_path / "t.jsonl").write_text(json.dumps({**ROW, "word": ["tea", "hot"]}), encoding="utf-8")
    parquet(name=["a"], text=[TEA], word=[["tea", "hot"]])(tmp_path / "t.parquet")
    for name in ("t.jsonl", "t.parquet"):
        file = grid(texts={"file": name})
        assert texts_of(load_grid(file), file)[0].words == ("tea", "hot")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"permutations": True}, "settings.permutations: expected a number, found true"),
        ({"permutations": 0}, "settings.permutations: "),
        ({"estimation": {"bins": True}}, "settings.estimation.bins: expected a number, found true"),
        ({"alpha": 2}, "settings.alpha: "),
        ({"alpha": True}, "settings.alpha: expected a number, found true"),
        ({"estimation": []}, "settings.estimation: "),
    ],
)
def test_settings_of_all_cells(grid, settings, words):
    file = grid(settings=settings)
    one_line(lambda: plan(load_grid(file), file, SilentProgress()), "grid.yaml: ", words)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + b"\0" * 18, bytes(range(256)) * 4])
def test_a_cell_that_is_no_archive_is_computed_again(tmp_path, content):
    store = Store(str(tmp_path))
    store.write(f"{CELLS}/k.zip", content)
    assert store.whole(["k"]) == set()
