"""The `git` source: the files of one commit of a repository, read by the git program, without a working tree."""

from relance.sources.git.source import Git

__all__ = ["Git"]
