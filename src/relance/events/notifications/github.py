"""GitHub's `push` (the body of its webhook, as JSON), and that of Gitea, which has the same form."""

from __future__ import annotations

from typing import Any

from relance.sources.notification import Notification, Push, field, items, paths_of

__all__ = ["read"]

# GitHub lists no more commits than this in one push.
_MOST_COMMITS = 2048


def read(data: Any, event: str) -> Notification:
    """Read an event by its `X-GitHub-Event`; InputError that names the field."""
    if event != "push":
        return Notification(ignored="it is a ping" if event == "ping" else "it is no push")
    ref = field(data, "ref", str)
    branch = field(data, "repository.default_branch", str)
    source = field(data, "repository.full_name", str)
    if not ref.startswith("refs/heads/"):
        return Notification(source=source, ignored="it is not for a branch")
    addresses = [data["repository"].get(name) for name in ("clone_url", "ssh_url", "git_url", "html_url")]
    push = Push(tuple(each for each in addresses if isinstance(each, str)), ref.removeprefix("refs/heads/"),
                is_default=ref == f"refs/heads/{branch}")  # fmt: skip
    if data.get("deleted") is True:
        return Notification(source=source, ignored="the branch was deleted")
    objects: list[tuple[str, bool]] = []
    count = 0
    for where, commit in items(data, "commits"):
        count += 1
        for name, is_there in (("removed", False), ("added", True), ("modified", True)):
            objects += [(path, is_there) for path in paths_of(commit, where, name)]
    # What a forced push takes back is in no commit, and neither is what did not fit in.
    vague = data.get("forced") is True or data.get("created") is True or count >= _MOST_COMMITS
    total = data.get("total_commits")  # Gitea's, which names only some of many
    vague |= type(total) is int and total > count
    ignored = "" if push.is_default else "it is not for the default branch"
    ignored = ignored or ("" if objects or vague else "it touches no files")
    at = data["repository"].get("pushed_at")  # a number in pushes, text in all other events
    return Notification(objects, source, everything=vague, ignored=ignored, at=at if type(at) is int else None,
                        push=push)  # fmt: skip
