"""HTML: what a browser shows in the main part of a page, as Markdown; pages saved with their pictures."""

from relance.parsers.html.page import Page, read_page
from relance.parsers.html.parser import Html
from relance.parsers.html.saved_page import SavedPage

__all__ = ["Html", "Page", "SavedPage", "read_page"]
