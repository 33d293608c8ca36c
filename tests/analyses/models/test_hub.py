"""The hub, played by a server on this machine that speaks its protocol, and speaks it badly in every way."""

import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = bytes(range(256)) * 4000
FILES = {"config.json": b'{"model_type": "gpt2"}', "model.safetensors": WEIGHTS}
CODE = """
import sys
from analyses.errors import InputError, MissingError
from analyses.models.settings import ModelSettings
from analyses.models.sources import resolve
try:
    print(resolve(ModelSettings(source="hub", name="owner/model", revision=sys.argv[1] if len(sys.argv) > 1 else None)).path)
except (InputError, MissingError) as error:
    print(type(error).__name__, error)
"""


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.fault, self.requests, self.sent = "", [], 0
        self.files = dict(FILES)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, content=b"", send=True, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if send:
            self.wfile.write(content)

    def do_HEAD(self):
        self.do_GET(head=True)

    def do_GET(self, head=False):
        server = self.server
        server.requests.append((self.command, self.path, self.headers.get("Range")))
        fault = server.fault
        if fault.isdigit():
            codes = {"401": {"X_Error_Code": "RepoNotFound"}, "403": {"X_Error_Code": "GatedRepo"}, "404": {"X_Error_Code": "RepoNotFound"}}
            return self.answer(int(fault), b"{}", **codes.get(fault, {}))
        if fault == "revision":
            return self.answer(404, b"{}", X_Error_Code="RevisionNotFound")
        if fault == "silent":
            time.sleep(30)
            return None
        if self.path.startswith("/api/"):
            names = [*server.files, *(["../../../escaped.json"] if fault == "path" else [])]
            content = {"id": "owner/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
            if "/tree/" in self.path:
                content = [{"type": "file", "path": name, "size": len(server.files.get(name, b"")), "oid": "0" * 40} for name in names]
            return self.answer(200, b"<html>no</html>" if fault == "html api" else json.dumps(content).encode(), not head)
        name = self.path.rsplit("/", 1)[1]
        content = server.files.get(name)
        if content is None:
            return self.answer(404, b"", X_Error_Code="EntryNotFound")
        if fault == "html file" and not head:
            return self.answer(200, b"<html>Please log in</html>", Content_Type="text/html")
        digest = hashlib.sha256(content).hexdigest()
        headers = {"ETag": f'"{digest}"', "X_Repo_Commit": COMMIT, "Accept_Ranges": "bytes"}
        begin = int((self.headers.get("Range") or "bytes=0-").partition("=")[2].partition("-")[0])
        part = content[begin:]
        if fault == "damaged" and name.endswith("safetensors"):
            part = part[:-1] + b"!"
        if head:
            return self.answer(200, content, False, **headers)
        status = 206 if begin else 200
        if begin:
            headers["Content_Range"] = f"bytes {begin}-{len(content) - 1}/{len(content)}"
        if name.endswith("safetensors") and fault in ("cut", "stalled", "wrong length"):
            half = part[: len(part) // 2]
            if fault == "wrong length":
                return self.answer(200, half, **headers)
            self.answer(status, b"", Content_Length=str(len(part)), **headers)
            self.wfile.write(half)
            self.wfile.flush()
            if fault == "stalled":
                time.sleep(30)
            self.close_connection = True
            self.connection.close()
            return None
        if not head:
            server.sent += len(part)
        return self.answer(status, part, **headers)


@pytest.fixture
def hub():
    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def fetch(hub, tmp_path):
    def call(*arguments, timeout=60):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "REPORTGEN_"))}
        environment |= {
            "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
            "HF_HOME": str(tmp_path / "hub"),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "2",
            "HF_HUB_ETAG_TIMEOUT": "2",
            "REPORTGEN_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[3]),
            "no_proxy": "127.0.0.1",
        }
        command = [sys.executable, "-c", CODE, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=timeout, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip()

    return call


def test_a_model_is_fetched_once_and_pinned(hub, fetch):
    folder = Path(fetch())
    assert folder.name == COMMIT
    assert (folder / "model.safetensors").read_bytes() == WEIGHTS
    sent = hub.sent
    assert Path(fetch()) == folder
    assert hub.sent == sent


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("401", "model owner/model: the hub asks for a token (401)"),
        ("403", "the hub refuses access (403)"),
        ("404", "model not found: owner/model: the hub has no such model"),
        ("revision", "model not found: owner/model: the hub has no such revision"),
        ("429", "too many requests (429)"),
        ("500", "the hub has a fault of its own (500)"),
        ("silent", "the hub was silent for too long"),
        ("html api", "the hub"),
        ("html file", "the hub"),
        ("wrong length", "model owner/model: "),
    ],
)
def test_a_hub_that_fails_is_said_as_it_is(hub, fetch, fault, words):
    hub.fault = fault
    said = fetch(timeout=120)
    assert said.startswith("MissingError ")
    assert words in said
    assert len(said.splitlines()) == 1
    assert ("model not found" in said) is (fault in ("404", "revision"))
    hub.fault = ""
    assert Path(fetch()).name == COMMIT


def test_a_path_that_leads_out_of_the_folder_is_not_followed(hub, fetch, tmp_path):
    hub.fault = "path"
    assert Path(fetch()).name == COMMIT
    assert not list(tmp_path.parent.rglob("escaped.json"))
    assert not [path for _, path, _ in hub.requests if "escaped" in path]


def test_what_is_in_the_cache_is_used_when_the_hub_is_silent(hub, fetch):
    folder = fetch()
    for fault in ("silent", "500", "429"):
        hub.fault = fault
        assert fetch() == folder


def test_nobody_answers(hub, fetch):
    hub.shutdown()
    hub.server_close()
    assert fetch().startswith("MissingError model owner/model: the hub cannot be reached")


@pytest.mark.parametrize("fault", ["cut", "stalled"])
def test_what_was_fetched_before_the_connection_broke_is_not_fetched_again(hub, fetch, fault):
    hub.fault = fault
    said = fetch(timeout=120)
    assert said.startswith("MissingError model owner/model: ")
    assert "what was fetched is kept" in said
    hub.fault, hub.sent = "", 0
    assert (Path(fetch()) / "model.safetensors").read_bytes() == WEIGHTS
    assert hub.sent <= len(WEIGHTS)


def test_damaged_weights_are_refused_and_fetched_anew(hub, fetch):
    hub.fault = "damaged"
    assert "model.safetensors came damaged from the hub" in fetch()
    hub.fault = ""
    assert (Path(fetch()) / "model.safetensors").read_bytes() == WEIGHTS
