"""Which media type a file has, by its name alone: listing must not open files."""

from __future__ import annotations

import mimetypes
from functools import cache, lru_cache

from relance.config.plugins import loaded_plugins

__all__ = [
    "BIBTEX",
    "CALENDAR",
    "CONTACTS",
    "CSV",
    "JSON",
    "JSONL",
    "MAIL",
    "MBOX",
    "MSG",
    "ODS",
    "PARQUET",
    "RIS",
    "TABLES",
    "TSV",
    "UNKNOWN",
    "UNNAMED",
    "XLSM",
    "XLSX",
    "is_media",
    "language_of",
    "media_type_of",
]

UNKNOWN = "application/octet-stream"
# Of a file whose name has no extension: it is a text or a program, and only its bytes say which.
UNNAMED = "application/x-unnamed"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSONL = "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
JSON = "application/json"
_OPEN_XML = "application/vnd.openxmlformats-officedocument"
XLSX = f"{_OPEN_XML}.spreadsheetml.sheet"
CALENDAR = "text/calendar"
CONTACTS = "text/vcard"
BIBTEX = "application/x-bibtex"
RIS = "application/x-research-info-systems"
MAIL = "message/rfc822"
MSG = "application/vnd.ms-outlook"
MBOX = "application/mbox"
XLSM = "application/vnd.ms-excel.sheet.macroEnabled.12"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
TABLES = frozenset({CSV, TSV, JSONL, PARQUET})

_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"
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
    **dict.fromkeys(("adoc", "asciidoc", "asc"), "text/asciidoc"),
    "org": "text/org",
    "srt": "application/x-subrip",
    "vtt": "text/vtt",
    **dict.fromkeys(("po", "pot"), "text/x-gettext-translation"),
    **dict.fromkeys(("tex", "ltx", "latex"), "text/x-tex"),
    **dict.fromkeys(("rst", "rest"), "text/x-rst"),
    **dict.fromkeys(("wiki", "mediawiki"), "text/x-mediawiki"),
    **dict.fromkeys(("man", "mdoc", "roff", "troff"), "text/troff"),
    "ipynb": "application/x-ipynb+json",
    "md": "text/markdown",
    "markdown": "text/markdown",
    "mdx": "text/markdown",
    "qmd": "text/markdown",
    "rmd": "text/markdown",
    "mkd": "text/markdown",
    "mdown": "text/markdown",
    "html": "text/html",
    "htm": "text/html",
    "xhtml": "application/xhtml+xml",
    "mht": "multipart/related",
    "mhtml": "multipart/related",
    "pdf": "application/pdf",
    "docx": f"{_OPEN_XML}.wordprocessingml.document",
    "pptx": f"{_OPEN_XML}.presentationml.presentation",
    "docm": "application/vnd.ms-word.document.macroEnabled.12",
    "dotx": f"{_OPEN_XML}.wordprocessingml.template",
    "dotm": "application/vnd.ms-word.template.macroEnabled.12",
    "pptm": "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
    "ppsx": f"{_OPEN_XML}.presentationml.slideshow",
    "ppsm": "application/vnd.ms-powerpoint.slideshow.macroEnabled.12",
    "potx": f"{_OPEN_XML}.presentationml.template",
    "potm": "application/vnd.ms-powerpoint.template.macroEnabled.12",
    "xltx": f"{_OPEN_XML}.spreadsheetml.template",
    "xltm": "application/vnd.ms-excel.template.macroEnabled.12",
    "xlsb": "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
    "odt": f"{_OPEN_DOCUMENT}.text",
    "ott": f"{_OPEN_DOCUMENT}.text-template",
    "fodt": f"{_OPEN_DOCUMENT}.text-flat-xml",
    "ots": f"{_OPEN_DOCUMENT}.spreadsheet-template",
    "fods": f"{_OPEN_DOCUMENT}.spreadsheet-flat-xml",
    "odp": f"{_OPEN_DOCUMENT}.presentation",
    "otp": f"{_OPEN_DOCUMENT}.presentation-template",
    "fodp": f"{_OPEN_DOCUMENT}.presentation-flat-xml",
    "odg": f"{_OPEN_DOCUMENT}.graphics",
    "rtf": "application/rtf",
    "xlsx": XLSX,
    "xlsm": XLSM,
    "ods": ODS,
    "epub": "application/epub+zip",
    "mobi": "application/x-mobipocket-ebook",
    "azw3": "application/x-mobipocket-ebook",
    "doc": "application/msword",
    "ppt": "application/vnd.ms-powerpoint",
    "xls": "application/vnd.ms-excel",
    "ics": CALENDAR,
    "vcf": CONTACTS,
    "bib": BIBTEX,
    "ris": RIS,
    "eml": MAIL,
    "msg": MSG,
    "mbox": MBOX,
    "csv": CSV,
    "tsv": TSV,
    "jsonl": JSONL,
    "ndjson": JSONL,
    "parquet": PARQUET,
    "json": JSON,
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    **dict.fromkeys(
        ("xml", "xsd", "xsl", "xslt", "dbk", "docbook", "dita", "ditamap", "tei", "rdf"), "application/xml"
    ),
    "rss": "application/rss+xml",
    "atom": "application/atom+xml",
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
    **dict.fromkeys(("copyright", "maintainers", "contributors", "credits", "security", "support"), "text/plain"),
    **dict.fromkeys(("history", "version", "codeowners", "owners", "procfile", "manifest.in"), "text/plain"),
    **dict.fromkeys(("makefile", "gnumakefile", "kbuild", "justfile"), "text/x-make"),
    **dict.fromkeys(("dockerfile", "containerfile"), "text/x-dockerfile"),
    "jenkinsfile": "text/x-groovy",
    **dict.fromkeys(("vagrantfile", "gemfile", "rakefile", "podfile", "brewfile", "fastfile"), "text/x-ruby"),
    **dict.fromkeys(("build", "workspace", "sconstruct", "sconscript", "wscript", "tiltfile"), "text/x-python"),
    **dict.fromkeys(("go.mod", "go.sum", "pipfile"), "text/plain"),
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
    if not dot:
        return UNNAMED
    if not stem:
        return UNKNOWN
    found = _by_extension(extension)
    # Dockerfile.dev, Makefile.am, README.de, LICENSE-MIT.
    first = stem.partition(".")[0]
    return _NAMES[first] if found == UNKNOWN and first in _NAMES else found


def is_media(media_type: str) -> bool:
    """Whether it is an image or a video."""
    return media_type.startswith(("image/", "video/"))


def language_of(media_type: str) -> str:
    """Name the programming or data language of a media type; empty for anything else."""
    return _LANGUAGES.get(media_type, "")
