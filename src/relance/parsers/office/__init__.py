"""Office documents and e-books: one reader a family of formats, all of them writing Markdown."""

from relance.parsers.office.office import Office

__all__ = ["Office"]
