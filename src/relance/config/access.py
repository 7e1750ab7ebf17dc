"""Who may see the documents of a source."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from relance.config.spec_model import SpecModel

__all__ = ["EVERYONE", "LONGEST", "MOST", "OWN_FIELD", "AccessSpec"]

# The principal that everybody is.
EVERYONE = "*"
# Where sources that know permissions put them.
OWN_FIELD = "principals"

MOST, LONGEST = 1000, 500  # principals of a document or a reader, and characters of one

Principal = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class AccessSpec(SpecModel, title="Access"):
    """Who may see the documents of a source; without this section, everybody.

    `access: {}` takes what the source itself says (a connector), `access: {field: groups}` a field of the metadata,
    `access: {principals: [staff]}` is the same for all documents.
    """

    field: str = Field(default="", title="Field", examples=["groups"])
    """The field of front matter or the column of a row that lists who may see a document: a text, or a list of texts.
    Empty: `principals`, unless `principals` stand here. A document without it is seen by nobody but those below."""
    separator: str = Field(default="", title="Separator", examples=[";"])
    """What stands between several principals in one text; empty: a text is one."""
    principals: list[Principal] = Field(default=[], title="Principals", max_length=MOST, examples=[["group:staff"]])
    """Who sees all documents of the source, besides those that the field names; `*` is everybody."""

    @model_validator(mode="after")
    def _separator_separates(self) -> AccessSpec:
        if self.separator and not self.read_from:
            msg = "separator splits the texts of a field; name the field, or leave separator out"
            raise ValueError(msg)
        return self

    @property
    def read_from(self) -> str:
        """Name the field that is read; empty where none is."""
        return self.field or ("" if self.principals else OWN_FIELD)
