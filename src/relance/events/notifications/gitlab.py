"""GitLab's `push` (the body of its webhook, as JSON), and that of Codeup, which names no files."""

from __future__ import annotations

from typing import Any

from relance.sources.notification import Notification, Push, field, items, paths_of

__all__ = ["read"]

_NOTHING = "0" * 40


def read(data: Any) -> Notification:
    """Read an event; InputError that names the field."""
    if field(data, "object_kind", str) != "push":
        return Notification(ignored="it is no push to a branch")
    branch = field(data, "ref", str).removeprefix("refs/heads/")
    project = data.get("project") if isinstance(data.get("project"), dict) else field(data, "repository", dict)
    addresses = [project.get(name) for name in ("git_http_url", "git_ssh_url", "web_url", "homepage")]
    places = tuple(each for each in addresses if isinstance(each, str))
    source = next((name for key in ("path_with_namespace", "name") if isinstance(name := project.get(key), str)), "")
    default = project.get("default_branch")
    push = Push(places, branch, is_default=not isinstance(default, str) or branch == default)
    if data.get("after") == _NOTHING:
        return Notification(source=source, ignored="the branch was deleted")
    objects: list[tuple[str, bool]] = []
    count, named = 0, True
    for where, commit in items(data, "commits"):
        count += 1
        for name, is_there in (("removed", False), ("added", True), ("modified", True)):
            if not isinstance(commit, dict) or name not in commit:
                named = False
                continue
            objects += [(path, is_there) for path in paths_of(commit, where, name)]
    # At most twenty commits are in it, whatever was pushed.
    total = data.get("total_commits_count")
    vague = not named or data.get("before") == _NOTHING or (type(total) is int and total > count)
    ignored = "" if push.is_default else "it is not for the default branch"
    ignored = ignored or ("" if objects or vague else "it touches no files")
    return Notification(objects, source, everything=vague, ignored=ignored, push=push)
