"""Ignore rules mean what git means by them, and take linear time."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from relance.sources.glob_pattern import glob_pattern
from relance.sources.ignore import Rules

SEGMENTS = ["a", "b", "*", "**", "a*", "*a*b", "?a*", "[ab]*a", "a**b", "*a*a*", "[!a]*b*", r"\**", "*.a", "[*]*[]*]*"]
PATHS = st.lists(st.text("ab.*", min_size=1, max_size=5), min_size=1, max_size=6).map("/".join)


@given(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=6).map("/".join), PATHS, st.sampled_from(["", "/"]))
def test_a_pattern_matches_what_pathspec_matches(pattern, path, end):
    theirs, ours = GitIgnoreSpecPattern(pattern + end), glob_pattern(pattern + end)
    for name in (path, path + "/"):
        expected, found = theirs.match_file(name), ours.match_file(name)
        assert (found is None) == (expected is None)
        if found and expected:
            assert found.match.groupdict() == expected.match.groupdict()


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 10 + "b", "a" * 250 + ".md"),
        ("*?" * 20 + "b", "a" * 250),
        ("*[a-z]" * 20 + "!", "a" * 250),
        ("**/a/" * 12 + "b", "a/" * 1000),
        ("**/*a*a*a*b", ("a" * 100 + "/") * 40),
        ("a*a*/" * 30 + "b", "aaaaa/" * 600),
    ],
)
def test_no_pattern_takes_long(pattern, path):
    rules = Rules([pattern])
    began = time.perf_counter()
    assert rules.verdict(path) is None
    assert time.perf_counter() - began < 0.5
