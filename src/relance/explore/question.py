"""What a person asks with the form of the search page."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from relance.explore.parameters import Parameters
from relance.explore.vocabulary import any_text, quoted
from relance.search.mode import Mode, check_mode

if TYPE_CHECKING:
    from relance.index import Index

__all__ = ["PER_PAGE", "Question"]

Kind = Literal["all", "text", "media"]

PER_PAGE = 10
_MEDIA_PER_PAGE = 24
_LAST_PAGE = 100  # what comes after a thousand hits answers nothing


@dataclass(slots=True, frozen=True)
class Question:
    """Words, or something to be like, and what may answer.

    Attributes:
        like: uri of a document or picture; replaces the words.
        type: a media type, or empty for all.
        folder: what uris have to begin with.
        filter: in the syntax of filters, besides `type` and `folder`.
        only: more filters, each the value of a facet.
        show: `documents` shows each once, `passages` every one of their chunks that answers.
    """

    q: str = ""
    like: str = ""
    mode: Mode = "hybrid"
    kind: Kind = "all"
    show: Literal["documents", "passages"] = "documents"
    type: str = ""
    folder: str = ""
    filter: str = ""
    only: tuple[str, ...] = ()
    explain: str = ""
    page: int = 1

    @classmethod
    def read(cls, given: Parameters) -> Question:
        """Read a question from an address; InputError for what cannot be meant."""
        return cls(
            q=given.text("q"),
            like=given.exact("like"),
            type=given.text("type"),
            folder=given.exact("folder").strip(),
            filter=given.exact("filter").strip(),
            only=given.several("only"),
            mode=check_mode(given.exact("mode") or "hybrid"),
            kind=given.choice("kind", ("all", "text", "media")),  # ty: ignore[invalid-argument-type]
            show=given.choice("show", ("documents", "passages")),  # ty: ignore[invalid-argument-type]
            explain=given.choice("explain", ("", "1")),
            page=min(given.number("page"), _LAST_PAGE),
        )

    @property
    def asked(self) -> bool:
        """Whether there is anything to answer."""
        return bool(self.q or self.like)

    @property
    def narrowed(self) -> bool:
        """Whether anything but the words was chosen."""
        return bool(self.type or self.folder or self.filter or self.explain) or (self.mode, self.show) != (
            "hybrid",
            "documents",
        )

    def conditions(self) -> dict[str, str]:
        """Write each thing an answer has to be as a filter, by the address parameter that wants it: `filter`, `only 0`.

        FilterError where one that was typed is none.
        """
        from relance.search import parse_filter

        typed = {"filter": self.filter} | {f"only {at}": each for at, each in enumerate(self.only)}
        for each in typed.values():
            if each:
                parse_filter(each)  # alone, so that what is wrong is shown as it was typed
        wanted = {**typed, "type": f"media_type = {quoted(self.type)}" if self.type else "",
                  "folder": f"uri ~ {any_text(self.folder.rstrip('/*') + '/')}" if self.folder else ""}  # fmt: skip
        return {name: each for name, each in wanted.items() if each}

    def condition(self) -> str | None:
        """Write everything an answer has to be as one filter; FilterError where one that was typed is none."""
        return " and ".join(f"({each})" for each in self.conditions().values()) or None

    def without(self, name: str) -> dict[str, Any]:
        """Write the parameters of the same question without one of its `conditions`."""
        if name.startswith("only "):
            at = int(name.removeprefix("only "))
            return self.parameters(only=self.only[:at] + self.only[at + 1 :])
        return self.parameters(**{name: ""})

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """Write the parameters of an address that asks this, or something a little different."""
        values = {field.name: getattr(self, field.name) for field in fields(self)} | {"page": 1} | changes
        return {field.name: values[field.name] for field in fields(self) if values[field.name] != field.default}

    def both(self, index: Index) -> tuple[Any, Any]:
        """Search texts, and images and videos, in one go: a reranker that sees sorts both in one request."""
        return index.search_both(
            self.q, like=self.like, k=PER_PAGE, offset=(self.page - 1) * PER_PAGE, mode=self.mode,
            filter=self.condition(), group=self.show == "documents", explain=bool(self.explain),
        )  # fmt: skip

    def texts(self, index: Index) -> Any:
        """Search the texts."""
        return index.search(
            self.q, like=self.like, k=PER_PAGE, offset=(self.page - 1) * PER_PAGE, mode=self.mode,
            filter=self.condition(), group=self.show == "documents", explain=bool(self.explain),
        )  # fmt: skip

    def media(self, index: Index) -> Any:
        """Search the images and videos; they have no sparse vectors, so a sparse search takes all they have."""
        k = _MEDIA_PER_PAGE
        return index.search_media(
            self.q, like=self.like, k=k, offset=(self.page - 1) * k, mode="hybrid" if self.mode == "sparse" else
            self.mode, filter=self.condition(), explain=bool(self.explain),
        )  # fmt: skip
