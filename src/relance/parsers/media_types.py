"""Which media type a file has, by its name alone: listing must not open files."""

from __future__ import annotations

import mimetypes
from functools import cache, lru_cache

from relance.config.plugins import loaded_plugins

__all__ = ["CSV", "JSONL", "PARQUET", "TABLES", "TSV", "UNKNOWN", "is_media", "language_of", "media_type_of"]

UNKNOWN = "application/octet-stream"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSONL = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
TABLES = frozenset({CSV, TSV, JSONL, PARQUET})

_OPEN_XML = "application/vnd.openxmlformats-officedocument"
_TYPES = {
    # Python's own table has no name for these, or another one than `relance.media.sniff`.
    "ico": "image/x-icon",
    "icns": "image/icns",
    "sgi": "image/sgi",
    "dib": "image/x-dib",
    "heif": "image/heic",
    "mkv": "video/x-matroska",
    "flv": "video/x-flv",
    "m4v": "video/mp4",
    "mpg": "video/mpeg",
    "wmv": "video/x-ms-wmv",
    "txt": "text/plain",
    "text": "text/plain",
    "log": "text/plain",
    "ini": "text/plain",
    "cfg": "text/plain",
    "conf": "text/plain",
    "properties": "text/plain",
    "adoc": "text/plain",
    "org": "text/plain",
    "srt": "text/plain",
    "vtt": "text/vtt",
    "tex": "text/x-tex",
    "rst": "text/x-rst",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mdx": "text/markdown",
    "qmd": "text/markdown",
    "rmd": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "pdf": "application/pdf",
    "docx": f"{_OPEN_XML}.wordprocessingml.document",
    "pptx": f"{_OPEN_XML}.presentationml.presentation",
    "xlsx": f"{_OPEN_XML}.spreadsheetml.sheet",
    "epub": "application/epub+zip",
    "doc": "application/msword",
    "ppt": "application/vnd.ms-powerpoint",
    "xls": "application/vnd.ms-excel",
    "csv": CSV,
    "tsv": TSV,
    "jsonl": JSONL,
    "ndjson": JSONL,
    "parquet": PARQUET,
    "json": "application/json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "xml": "application/xml",
}

# Extension → language as tree-sitter names it; the media type is text/x-LANGUAGE.
_CODE = {
    **dict.fromkeys(("py", "pyi", "pyw"), "python"),
    **dict.fromkeys(("js", "mjs", "cjs", "jsx"), "javascript"),
    **dict.fromkeys(("ts", "mts", "cts"), "typescript"),
    **dict.fromkeys(("c", "h"), "c"),
    **dict.fromkeys(("cc", "cpp", "cxx", "hh", "hpp", "hxx"), "cpp"),
    **dict.fromkeys(("sh", "bash", "zsh"), "bash"),
    **dict.fromkeys(("kt", "kts"), "kotlin"),
    **dict.fromkeys(("ex", "exs"), "elixir"),
    **dict.fromkeys(("erl", "hrl"), "erlang"),
    **dict.fromkeys(("clj", "cljs", "cljc"), "clojure"),
    **dict.fromkeys(("ml", "mli"), "ocaml"),
    **dict.fromkeys(("pl", "pm"), "perl"),
    **dict.fromkeys(("scala", "sc"), "scala"),
    **dict.fromkeys(("tf", "hcl"), "hcl"),
    **dict.fromkeys(("graphql", "gql"), "graphql"),
    **dict.fromkeys(("f90", "f95", "f03"), "fortran"),
    **dict.fromkeys(("make", "mk"), "make"),
    **dict.fromkeys(("ps1", "psm1"), "powershell"),
    "tsx": "tsx",
    "cs": "csharp",
    "fs": "fsharp",
    "m": "objc",
    "go": "go",
    "rs": "rust",
    "java": "java",
    "groovy": "groovy",
    "rb": "ruby",
    "php": "php",
    "swift": "swift",
    "dart": "dart",
    "lua": "lua",
    "r": "r",
    "jl": "julia",
    "hs": "haskell",
    "elm": "elm",
    "zig": "zig",
    "nix": "nix",
    "sql": "sql",
    "proto": "proto",
    "cmake": "cmake",
    "vue": "vue",
    "svelte": "svelte",
    "css": "css",
    "scss": "scss",
    "sol": "solidity",
    "el": "elisp",
    "tcl": "tcl",
    "pas": "pascal",
    "vim": "vim",
}
_DATA = {"application/json": "json", "application/yaml": "yaml", "application/toml": "toml", "application/xml": "xml"}
_LANGUAGES = {f"text/x-{language}": language for language in _CODE.values()} | _DATA

# Files that are known by their whole name.
_NAMES = {
    **dict.fromkeys(
        ("readme", "license", "licence", "notice", "copying", "authors", "changelog", "changes"), "text/plain"
    ),
    **dict.fromkeys(("contributing", "install", "news", "todo", "thanks"), "text/plain"),
    **dict.fromkeys(("makefile", "gnumakefile"), "text/x-make"),
    **dict.fromkeys(("dockerfile", "containerfile"), "text/x-dockerfile"),
    "cmakelists.txt": "text/x-cmake",
}
_LANGUAGES["text/x-dockerfile"] = "dockerfile"

# Tables built into Python only: the same answer on every machine, whatever /etc/mime.types says.
_BUILT_IN = mimetypes.MimeTypes()


@cache
def _brought() -> dict[str, str]:
    """Collect the suffixes that parsers of plug-ins bring; only a suffix without a type here is looked for there."""
    return {suffix: kind for parser in loaded_plugins("parsers").values() for suffix, kind in parser.suffixes.items()}


@lru_cache(maxsize=4096)
def _by_extension(extension: str) -> str:
    if extension in _TYPES:
        return _TYPES[extension]
    if extension in _CODE:
        return f"text/x-{_CODE[extension]}"
    if extension in (brought := _brought()):
        return brought[extension]
    guess, compression = _BUILT_IN.guess_type(f"x.{extension}", strict=False)
    return UNKNOWN if guess is None or compression else guess


def media_type_of(path: str) -> str:
    """Name the media type of a file by its name; `application/octet-stream` where the name says nothing."""
    name = path.rpartition("/")[2].lower()
    if name in _NAMES:
        return _NAMES[name]
    stem, dot, extension = name.rpartition(".")
    return _by_extension(extension) if dot and stem else UNKNOWN


def is_media(media_type: str) -> bool:
    """Whether it is an image or a video."""
    return media_type.startswith(("image/", "video/"))


def language_of(media_type: str) -> str:
    """Name the programming or data language of a media type; empty for anything else."""
    return _LANGUAGES.get(media_type, "")
