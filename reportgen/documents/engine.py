"""The layout engine on a short lead: it loads the report's own files alone, and what it complains of is an error."""

import gc
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from reportgen.documents.assets import Assets

SCHEME = "reportgen:"


class OwnAssetsOnly(URLFetcher):
    """Gives the report's own files, pictures and data addresses; anything else is an error, not a gap on the page."""

    def __init__(self, assets: Assets, pictures: Mapping[str, str] | None = None, fonts: Mapping[str, bytes] | None = None) -> None:
        super().__init__(allowed_protocols=("data",))
        self._assets, self._pictures, self._fonts = assets, pictures or {}, fonts or {}

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        if url in self._pictures:
            return URLFetcherResponse(url, self._pictures[url].encode(), {"Content-Type": "image/svg+xml"})
        if url in self._fonts:
            return URLFetcherResponse(url, self._fonts[url], {"Content-Type": "font/ttf"})
        if url.startswith(SCHEME):
            return URLFetcherResponse(url, self._assets.bytes(url.removeprefix(SCHEME)))
        if url.startswith("data:"):
            return super().fetch(url, headers)
        raise FatalURLFetchingError(f"the report may not load {url}")


class _Complaints(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@contextmanager
def complaints_of_layout() -> Iterator[list[str]]:
    """What the layout engine complains of in the meantime."""
    complaints = _Complaints()
    logger = logging.getLogger("weasyprint")
    logger.addHandler(complaints)
    try:
        yield complaints.lines
    finally:
        logger.removeHandler(complaints)


@contextmanager
def laying_out() -> Iterator[None]:
    """What any use of the layout engine needs: its complaints are errors, and no time goes into looking for garbage.

    A layout makes millions of objects and drops few before its end: the collector finds nothing and takes a sixth of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with complaints_of_layout() as complaints:
            yield
    except FatalURLFetchingError as error:
        raise RuntimeError(str(error)) from error
    finally:
        if collecting:
            gc.enable()
    if complaints:
        raise RuntimeError(f"PDF: {complaints[0]}" + (f" (and {len(complaints) - 1} more)" if len(complaints) > 1 else ""))
