"""A hit as frameworks want it: a text that a model can read alone, and flat metadata to cite it by."""

from __future__ import annotations

from typing import Any

from relance.search import Hit

__all__ = ["CITED", "metadata_of", "text_of"]

# What a language model needs to cite a passage; everything else is for programs.
CITED = ("title", "heading_path", "uri", "link", "page", "page_end", "line", "line_end")
_ALWAYS = ("uri", "start", "end", "seq", "media_type", "score", "relevance", "found_by")
_IF_ANY = ("title", "link", "heading_path", "page", "page_end", "line", "line_end", "lead", "metadata")


def text_of(hit: Hit) -> str:
    """Return the text of a chunk, below its lead (the header of a table that it continues, …) where it has one."""
    return f"{hit.lead}\n{hit.text}" if hit.lead else hit.text


def metadata_of(hit: Hit) -> dict[str, Any]:
    """Return what is known of a chunk by the names of `Hit`, ready for JSON; what it does not have is left out.

    The document's own metadata is one level below, in `metadata`: a key of it may be called anything. `start` and `end`
    are of the text without the lead.
    """
    values = hit.as_dict()
    return {name: values[name] for name in _ALWAYS} | {name: values[name] for name in _IF_ANY if values[name]}
