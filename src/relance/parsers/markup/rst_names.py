"""Directives and roles of reStructuredText and Sphinx, by what becomes of them."""

from __future__ import annotations

from relance.parsers.markup.names import names

__all__ = ["CODE", "INCLUDES", "LITERAL_ROLES", "NOTES", "QUIET", "SILENT"]

# Their content is code.
CODE = names("code code-block sourcecode literal-block prompt ipython program-output productionlist")
# They show nothing, or what is elsewhere.
SILENT = names(
    "toctree contents index sectnum section-numbering meta highlight default-role role currentmodule raw target-notes "
    "tabularcolumns header footer title testsetup testcleanup module py:currentmodule py:module program namespace "
    "cpp:namespace c:namespace default-domain highlightlang"
)
# They show another file.
INCLUDES = names("include literalinclude kernel-doc kernel-include maintainers-include cmake-module")
# Their name is a word of the text.
NOTES = {
    name: f"{name.capitalize()}:" for name in names("note warning tip important caution danger attention hint")
} | {
    "error": "Error:",
    "todo": "To do:",
    "seealso": "See also:",
    "versionadded": "Added in",
    "versionchanged": "Changed in",
    "versionremoved": "Removed in",
    "deprecated": "Deprecated since",
}
# Their content is text like any other.
QUIET = names(
    "only ifconfig container compound epigraph highlights pull-quote class glossary hlist testcode doctest testoutput "
    "centered table rst-class tab-set grid dropdown tabs group-tab cssclass line-block"
)
# What they mark is code.
LITERAL_ROLES = names(
    "func class meth mod attr obj data const exc command program file envvar option variable prop prop_tgt prop_dir "
    "genex module samp code literal keyword token py macro type member struct enum function prop_sf prop_test "
    "prop_cache prop_gbl policy cpack_gen"
)
