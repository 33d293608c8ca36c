"""Publishing: bundles become a site of reports, or a part of a MkDocs, Sphinx or Jekyll site."""

from reportgen.publish.kinds import KINDS
from reportgen.publish.publication import Published, publish

__all__ = ["KINDS", "Published", "publish"]
