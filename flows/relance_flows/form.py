"""The fields of the forms that the Prefect UI shows for the flows.

Every field is flat and has a plain default: optional ones, unions and default factories are rendered badly. Prefect
takes a field's title from `json_schema_extra` only, and its bounds from the annotation only.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from relance.errors import ConfigurationError
from relance.search import Mode as SearchMode

__all__ = ["AS_DECLARED", "INDEX", "Amount", "Approval", "Count", "Engine", "Mode", "SearchMode", "field", "filled_in"]

INDEX = "Name of a deployed index, or absolute path of a spec on the machine that runs the flow."
Amount = Annotated[float, Field(ge=0)]
Mode = Literal["incremental", "full", "plan only"]
Approval = Literal["ask", "given", "refuse"]
Count = Annotated[int, Field(ge=0)]
AS_DECLARED = "as the index says"
Engine = Literal["as the index says", "threads", "processes", "dask", "ray", "work-pool"]


def field(title: str, default: Any, description: str) -> Any:
    """Make a field of a form."""
    return Field(default, description=description, json_schema_extra={"title": title})


def filled_in(value: str, title: str, description: str) -> str:
    """Return the value of a field that has no default of its own; ConfigurationError names the field if it is empty."""
    if not value:
        msg = f"{title} is empty; fill it in: {description}"
        raise ConfigurationError(msg)
    return value
