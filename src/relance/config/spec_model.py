"""What the sections of a spec share."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ByteSize, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

__all__ = ["ENV", "MIB", "SIZE", "Column", "Size", "SpecModel"]


# Fields that may say ${NAME}: where a thing is and what is secret differ by machine, what an index means does not.
ENV: dict[str, JsonValue] = {"env": True}
MIB = 1 << 20


class SpecModel(BaseModel):
    """A section of the spec: unknown keys are refused, values never change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


SIZE = r"^\s*\d*\.?\d+\s*[A-Za-z]*\s*$"


def _size(value: Any) -> Any:
    # Pydantic reads '1,000' as 1 and '20MB or so' as 20 MB: it looks at the beginning only.
    if isinstance(value, str) and not re.match(SIZE, value):
        raise PydanticCustomError("byte_size", "expected a size such as 20MB")
    return value


Size = Annotated[
    ByteSize,
    BeforeValidator(_size),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SIZE}, {"type": "integer", "minimum": 0}]}),
]
Column = Annotated[str, Field(min_length=1)]
