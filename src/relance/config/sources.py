"""Where documents come from."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ByteSize, Field, SerializeAsAny, ValidationInfo, field_validator

from relance.config.access import AccessSpec
from relance.config.patterns import checked_names, checked_patterns
from relance.config.plugin_section import PluginSection, PluginSpec
from relance.config.row_template import row_template
from relance.config.spec_model import ENV, MIB, Column, Size, SpecModel

__all__ = ["AnySource", "FilesSource", "RowsSpec", "SourceSpec"]


class RowsSpec(SpecModel, title="Rows"):
    """How the rows of a table (JSONL, JSON, CSV, TSV, Parquet, XLSX, ODS) become documents.

    A column may be a path into nested values: `author.name`; a list gives each of its elements, or one by its number.
    """

    id: str | None = Field(default="", title="Id column", examples=["_id"])
    """Column whose value names a row; unique within the file (of a workbook: the sheet). Empty: `id`, where there is
    such a column. With null, or where there is none, rows are named by their content: one that changes is a new one."""
    text: list[Column] = Field(default=["text"], title="Text columns", min_length=1, examples=[["title", "text"]])
    """Columns that are joined by a blank line to the text that is indexed; empty ones are left out, a list of texts has
    a line for each. One with columns in braces is a template: `"{name}: {price}"`."""
    labels: bool = Field(default=False, title="Names of columns")
    """Whether each text column is a line that begins with its name (`price: 12`)."""
    title: str = Field(default="", title="Title column", examples=["title", "{name} ({year})"])
    """Column, or template, shown as the title of a hit; without it a text column called `title`, if there is one (of
    rows that are media: any column called so)."""
    metadata: list[Column] = Field(default=[], title="Metadata columns", examples=[["year"]])
    """Columns kept beside the text, to filter by."""
    url: str = Field(default="", title="Media column", examples=["image_url"])
    """Column with the address of an image or video, or its path from the table's folder (`/…`: from the spec's);
    several in one row, as a list or as a JSON list, are views of one thing. With it and without `text`, rows are media
    and nothing else."""
    url_separator: str = Field(default="", title="Separator of addresses", examples=["|", ","])
    """What stands between several addresses in one cell that is a text; empty: such a cell holds one."""
    url_prefix: str = Field(default="", title="Prefix of addresses", examples=["https://img.example.com/products/"])
    """What addresses that are relative are relative to: `a/1.jpg` becomes `https://img.example.com/products/a/1.jpg`."""
    views: Literal["all", "any"] = Field(default="any", title="Views")
    """Which pictures of a row with several have to be there and be taken by the model: with `any` those that are not
    are left out with a warning, with `all` the row is a failure then."""
    caption: list[Column] = Field(default=[], title="Caption columns", examples=[["name", "description"]])
    """Columns, or templates, with the words of the picture, a line each; found by full-text search, and fused with it
    if `media.embedding.fuse` is on."""
    path: str = Field(default="", title="Path of the rows", examples=["data.items"])
    """Where in a JSON file the array of rows is; empty: the file is the array (or objects, one after the other)."""
    sheet: str = Field(default="", title="Sheet", examples=["Prices"])
    """The sheet of a workbook that has the rows. Empty: all that are visible; ids are `SHEET/ID` then."""
    header: int = Field(default=0, title="Header row", ge=0, examples=[3])
    """Row of a CSV file or sheet that has the names of the columns, from 1. 0: of CSV the first that is not empty, of a
    sheet the first of 20 that has the columns named here."""

    @field_validator(
        "text", mode="before", json_schema_input_type=Column | Annotated[list[Column], Field(min_length=1)]
    )
    @classmethod
    def _one_column(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("caption", mode="before", json_schema_input_type=str | list[Column])
    @classmethod
    def _one_caption(cls, value: Any) -> Any:
        return ([value] if value else []) if isinstance(value, str) else value

    @field_validator("url_prefix")
    @classmethod
    def _leads_somewhere(cls, value: str) -> str:
        if value and not value.lower().startswith(("http://", "https://")):
            msg = f"{value!r} is no address; it begins with http:// or https://"
            raise ValueError(msg)
        return value

    @field_validator("text", "title", "caption")
    @classmethod
    def _braces_match(cls, value: list[str] | str) -> list[str] | str:
        for each in [value] if isinstance(value, str) else value:
            row_template(each)
        return value


class SourceSpec(PluginSpec, title="Source"):
    """What the sections of all sources have in common: how what they list is read."""

    plugin: ClassVar[PluginSection] = PluginSection("sources", "type")

    type: str = Field(title="Type", examples=["files"])
    """What kind of source this is."""
    max_size: Size = Field(default=ByteSize(64 * MIB), title="Size limit", examples=["20MB"])
    """A larger file becomes a failure instead of being read (files of rows are streamed and have no limit)."""
    encoding: str = Field(default="", title="Encoding", examples=["gb18030"])
    """Encoding of text files without a byte-order mark; empty means: detect."""
    rows: RowsSpec | None = Field(default=None, title="Rows")
    """Read each row of a table as a document. Without it, tables are read as one document each."""
    access: AccessSpec | None = Field(default=None, title="Access", exclude_if=lambda value: value is None)
    """Who may see its documents; without it, everybody."""

    @field_validator("access", mode="before", json_schema_input_type=AccessSpec)
    @classmethod
    def _access_says_something(cls, value: Any) -> Any:
        # Who writes `access:` means that not everybody sees everything.
        if value is None:
            msg = "is empty; write access: {} for what the source says of each document, or leave it out: for everybody"
            raise ValueError(msg)
        return value

    @property
    def read_rows(self) -> RowsSpec | None:
        """The section `rows`, with the column that says who may see a row among those that are read."""
        rows, column = self.rows, self.access.read_from if self.access is not None else ""
        if rows is None or not column or column in rows.metadata:
            return rows
        return rows.model_copy(update={"metadata": [*rows.metadata, column]})

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:  # noqa: ARG003  # most kinds have no address
        """Write the section for an address, for `relance init --from`; None where that is of another kind."""
        return None

    @field_validator("encoding")
    @classmethod
    def _encoding_is_known(cls, name: str) -> str:
        try:
            text = not name or codecs.lookup(name)._is_text_encoding  # noqa: SLF001  # the only place that tells
        except (LookupError, ValueError):
            text = False
        if not text:
            msg = f"{name!r} is no text encoding Python knows; examples are utf-8, gb18030, shift_jis, cp1252"
            raise ValueError(msg)
        return name


class FilesSource(SourceSpec, title="Files"):
    """Files below a folder."""

    type: Literal["files"] = Field(title="Type", examples=["files"])
    """What kind of source this is; `files` reads the files below a folder."""
    root: Path = Field(title="Folder", json_schema_extra=ENV, examples=["./docs"])
    """Folder to read; relative to the spec file."""
    include: list[str] = Field(default=["**/*"], title="Include", min_length=1, examples=[["**/*.md", "**/*.pdf"]])
    """Patterns a path must match one of; `**` crosses folders, a pattern without `/` matches in every folder."""
    exclude: list[str] = Field(default=[], title="Exclude", examples=[["drafts/**"]])
    """Patterns that take a path out again."""
    ignore_files: list[str] = Field(default=[".gitignore", ".relanceignore"], title="Ignore files")
    """Names of files with .gitignore rules for their folder and below; [] reads none."""
    hidden: bool = Field(default=False, title="Hidden files")
    """Whether names that begin with a dot are read."""
    follow_symlinks: bool = Field(default=False, title="Follow symbolic links")
    """Whether links are followed; a link that leads out of `root` never is."""
    public_url: str = Field(
        default="", title="Public address", json_schema_extra=ENV, examples=["https://cdn.example.com/media/"]
    )
    """Where the services can fetch this folder's files; local videos need it, because they are sent by address only."""

    @classmethod
    def suggest(cls, address: str) -> dict[str, Any] | None:
        """Take what has no scheme for a folder."""
        return None if "://" in address else {"type": "files", "root": address}

    @field_validator("root", mode="before")
    @classmethod
    def _root_is_said(cls, value: Any) -> Any:
        # An empty variable in `root: ${DOCS}` must not index everything that lies beside the spec.
        if isinstance(value, str) and not value.strip():
            msg = "is empty; write . for the folder of the spec file"
            raise ValueError(msg)
        return value

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_can_match(cls, patterns: list[str], info: ValidationInfo) -> list[str]:
        return checked_patterns(patterns, info.field_name)

    @field_validator("ignore_files")
    @classmethod
    def _ignore_files_are_names(cls, names: list[str]) -> list[str]:
        return checked_names(names)


AnySource = Annotated[SerializeAsAny[SourceSpec], SourceSpec.plugin]
