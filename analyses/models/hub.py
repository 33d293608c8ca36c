"""What went wrong with the hub, in words that say what to do: not everything that fails is a model that is not found."""

import os
from collections.abc import Iterator
from pathlib import Path

from analyses.errors import MissingError
from analyses.models.hashes import sha256
from analyses.models.quiet import first_line

# Seconds that the hub may take to say a word before it counts as silent.
SILENCE = 30.0
_WAIT = "wait a while, then run it again: what was fetched is kept"


def failure(name: str, error: BaseException, *, offline: bool) -> MissingError:
    """Return the error for a reader, from what the hub's client raised."""
    if offline:
        return MissingError(
            f"model not found: {name}: it is not in the hub's cache and --offline is set; "
            f"fetch it once online (reportgen models fetch {name}) or give a folder"
        )
    chain = list(_chain(error))
    kinds = {kind.__name__ for each in chain for kind in type(each).__mro__}
    status = next((code for each in chain if (code := _status(each)) is not None), None)
    if "GatedRepoError" in kinds or status == 403:
        return MissingError(
            f"model {name}: the hub refuses access (403): accept its terms on its page there, then set HF_TOKEN to a token of yours"
        )
    if status == 401:
        return MissingError(
            f"model {name}: the hub asks for a token (401): there is no public model of that name; set HF_TOKEN for a private one"
        )
    if "RevisionNotFoundError" in kinds:
        return MissingError(f"model not found: {name}: the hub has no such revision of it; give another revision, or none")
    if status == 404 or "RepositoryNotFoundError" in kinds:
        return MissingError(f"model not found: {name}: the hub has no such model; see reportgen models list, or give a folder")
    if status == 429:
        return MissingError(f"model {name}: the hub answers that there were too many requests (429); {_WAIT}")
    if status is not None and status >= 500:
        return MissingError(f"model {name}: the hub has a fault of its own ({status}); {_WAIT}")
    if any("Timeout" in kind for kind in kinds):
        return MissingError(f"model {name}: the hub was silent for too long; {_WAIT}, or set HF_HUB_DOWNLOAD_TIMEOUT to more seconds")
    if kinds & {"RemoteProtocolError", "ReadError", "IncompleteRead", "ChunkedEncodingError", "ConnectionResetError", "WriteError"}:
        return MissingError(f"model {name}: the connection to the hub broke off; run it again: what was fetched is kept")
    if kinds & {"ConnectError", "ConnectionError", "gaierror"} or type(error).__name__ == "LocalEntryNotFoundError":
        return MissingError(
            f"model {name}: the hub cannot be reached; fetch it once online (reportgen models fetch {name}) or give a folder"
        )
    return MissingError(f"model {name}: the hub's answer cannot be used ({first_line(chain[0])}); run it again, or give a folder")


def unreachable(name: str, revision: str | None) -> Exception | None:
    """Ask the hub for a model; return what went wrong if it cannot be reached or is silent, else None.

    What is in the hub's cache on this machine can still be used then. Raises what the client raises for everything else.
    """
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError

    # The client itself waits for ever here.
    silence = float(os.environ.get("HF_HUB_ETAG_TIMEOUT") or SILENCE)
    try:
        huggingface_hub.HfApi().model_info(name, revision=revision, timeout=silence)
    except HfHubHTTPError as error:
        status = _status(error)
        if status is not None and (status == 429 or status >= 500):
            return error
        raise
    except ValueError:
        raise
    except Exception as error:  # Whatever the HTTP library of this version raises for a connection.
        return error
    return None


def check_content(name: str, folder: Path) -> None:
    """Raise MissingError if a file of the hub's cache is not what its hash says; it is removed, to be fetched again.

    A large file of the cache bears its SHA-256 as its name. It is read once, then remembered.
    """
    for file in sorted(folder.iterdir()):
        blob = file.resolve()
        if file.is_symlink() and len(blob.name) == 64 and sha256(blob) != blob.name:
            blob.unlink()
            file.unlink()
            raise MissingError(
                f"model {name}: {file.name} came damaged from the hub (its SHA-256 is another); run it again to fetch it anew"
            )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) else None
