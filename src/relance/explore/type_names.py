"""What people call the media types that relance reads."""

from __future__ import annotations

from relance.parsers.media_types import language_of

__all__ = ["type_name"]

_OPEN_XML = "application/vnd.openxmlformats-officedocument."
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_NAMES = {
    "application/pdf": "PDF",
    "text/markdown": "Markdown",
    "text/plain": "text",
    "text/html": "web page",
    "application/xhtml+xml": "web page (XHTML)",
    "multipart/related": "saved web page",
    "application/x-mimearchive": "saved web page (MHTML)",
    f"{_OPEN_XML}wordprocessingml.document": "Word document",
    f"{_OPEN_XML}wordprocessingml.template": "Word template",
    "application/vnd.ms-word.document.macroEnabled.12": "Word document with macros",
    "application/vnd.ms-word.template.macroEnabled.12": "Word template with macros",
    f"{_OPEN_XML}presentationml.presentation": "PowerPoint presentation",
    f"{_OPEN_XML}presentationml.slideshow": "PowerPoint show",
    f"{_OPEN_XML}presentationml.template": "PowerPoint template",
    "application/vnd.ms-powerpoint.presentation.macroEnabled.12": "PowerPoint presentation with macros",
    "application/vnd.ms-powerpoint.slideshow.macroEnabled.12": "PowerPoint show with macros",
    "application/vnd.ms-powerpoint.template.macroEnabled.12": "PowerPoint template with macros",
    f"{_OPEN_XML}spreadsheetml.sheet": "Excel workbook",
    f"{_OPEN_XML}spreadsheetml.template": "Excel template",
    "application/vnd.ms-excel.sheet.macroEnabled.12": "Excel workbook with macros",
    "application/vnd.ms-excel.template.macroEnabled.12": "Excel template with macros",
    f"{_OPEN_DOCUMENT}text": "OpenDocument text",
    f"{_OPEN_DOCUMENT}text-template": "OpenDocument text template",
    f"{_OPEN_DOCUMENT}text-flat-xml": "OpenDocument text (flat)",
    f"{_OPEN_DOCUMENT}spreadsheet": "OpenDocument spreadsheet",
    f"{_OPEN_DOCUMENT}spreadsheet-template": "OpenDocument spreadsheet template",
    f"{_OPEN_DOCUMENT}spreadsheet-flat-xml": "OpenDocument spreadsheet (flat)",
    f"{_OPEN_DOCUMENT}presentation": "OpenDocument presentation",
    f"{_OPEN_DOCUMENT}presentation-template": "OpenDocument presentation template",
    f"{_OPEN_DOCUMENT}presentation-flat-xml": "OpenDocument presentation (flat)",
    f"{_OPEN_DOCUMENT}graphics": "OpenDocument drawing",
    "application/rtf": "RTF document",
    "text/rtf": "RTF text",
    "application/epub+zip": "EPUB book",
    "application/x-ipynb+json": "Jupyter notebook",
    "text/csv": "CSV table",
    "text/tab-separated-values": "TSV table",
    "application/x-ndjson": "JSON lines",
    "application/vnd.apache.parquet": "Parquet table",
    "application/json": "JSON",
    "application/yaml": "YAML",
    "application/toml": "TOML",
    "application/xml": "XML",
    "text/xml": "XML (text)",
    "application/rss+xml": "RSS feed",
    "application/atom+xml": "Atom feed",
    "text/calendar": "calendar",
    "text/vcard": "contacts",
    "application/x-bibtex": "BibTeX",
    "application/x-research-info-systems": "RIS references",
    "message/rfc822": "mail",
    "application/vnd.ms-outlook": "Outlook mail",
    "application/mbox": "mailbox",
    "text/asciidoc": "AsciiDoc",
    "text/org": "Org",
    "text/x-rst": "reStructuredText",
    "text/x-tex": "LaTeX",
    "text/x-mediawiki": "MediaWiki",
    "text/troff": "manual page",
    "text/vtt": "subtitles (WebVTT)",
    "application/x-subrip": "subtitles (SRT)",
    "text/x-gettext-translation": "translations (gettext)",
}


def type_name(media_type: str) -> str:
    """Return `Word document`, `python code`; a type that nobody has a name for as it is. No two types have one name."""
    language = language_of(media_type)
    return _NAMES.get(media_type) or (f"{language} code" if language else media_type)
