"""Where the files that are not code lie: in the installed package, or at the top of a checkout."""

from pathlib import Path

from analyses.readers import is_folder


def templates_directory() -> Path:
    """Folder with `report/`, `languages/`, `styles/` and `fonts/`: inside an installed wheel, else at the top of the checkout."""
    package = Path(__file__).resolve().parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"


def language_codes(own: Path | None = None) -> list[str]:
    """Codes of the languages that reports can be in, with those of a user's own templates."""
    folders = [templates_directory(), *([own] if own and is_folder(own) else [])]
    return sorted({place.name for folder in folders for place in (folder / "languages").glob("*/")})
