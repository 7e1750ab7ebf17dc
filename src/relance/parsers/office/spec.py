"""The options of the parser of office documents."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from relance.config.spec_model import SpecModel

__all__ = ["Keep", "OfficeSpec"]

Keep = Literal["leave-out", "mark"]


class OfficeSpec(SpecModel, title="Office documents and e-books"):
    """What is read of office documents beside the text they show."""

    hidden: Keep = Field(default="leave-out", title="Hidden parts")
    """Hidden text, sheets, rows, columns and slides, and what tracked changes delete: left out and counted in a
    warning, or put in brackets that say so."""
    comments: Keep = Field(default="leave-out", title="Comments")
    """Comments of reviewers: left out and counted in a warning, or kept where they are anchored."""
    addresses: Keep = Field(default="leave-out", title="Addresses of links")
    """Where links lead: left out, since addresses are noise to an embedding, or put in brackets behind the link."""
