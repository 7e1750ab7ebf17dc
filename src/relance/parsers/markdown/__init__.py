"""Markdown with front matter in YAML, TOML or JSON: what its reader sees, with what it says about itself."""

from relance.parsers.markdown.heading import first_heading
from relance.parsers.markdown.parser import Markdown
from relance.parsers.markdown.readable import readable

__all__ = ["Markdown", "first_heading", "readable"]
