"""Pages where people see a file of a repository, at a commit and with its lines."""

from __future__ import annotations

import re
from urllib.parse import quote

from relance.sources.git.address import Address

__all__ = ["page", "page_template"]

_GITHUB = "https://{host}/{name}/blob/{{commit}}/{{path}}#L{{line}}-L{{line_end}}"
_GITLAB = "https://{host}/{name}/-/blob/{{commit}}/{{path}}#L{{line}}-{{line_end}}"
_GITEA = "https://{host}/{name}/src/commit/{{commit}}/{{path}}#L{{line}}-L{{line_end}}"
_BITBUCKET = "https://{host}/{name}/src/{{commit}}/{{path}}#lines-{{line}}:{{line_end}}"
_CODEUP = "https://{host}/{name}/blob/{{commit}}/{{path}}#L{{line}}"
# By host; of others the first part of the name tells, as in gitlab.example.com.
_HOSTS = {
    "github.com": _GITHUB, "gitlab.com": _GITLAB, "codeberg.org": _GITEA, "gitea.com": _GITEA,
    "bitbucket.org": _BITBUCKET, "codeup.aliyun.com": _CODEUP,
}  # fmt: skip
_FIRST = {"github": _GITHUB, "gitlab": _GITLAB, "gitea": _GITEA, "forgejo": _GITEA}


def page_template(address: Address, web_url: str) -> str:
    """Return where files of a repository are seen, with what is filled in in braces; empty where nobody knows."""
    if web_url or not address.host:
        return web_url
    host = re.sub(r":\d+$", "", address.host) if address.uri.startswith(("git+ssh:", "git+git:")) else address.host
    known = _HOSTS.get(host) or _FIRST.get(host.split(".")[0], "")
    return known.format(host=host, name=quote(address.name))


def page(template: str, path: str, commit: str, ref: str, line: int | None = None, line_end: int | None = None) -> str:
    """Fill in a template; without a line, the part after `#` is left out."""
    if not template:
        return ""
    if line is None:
        template = template.partition("#")[0]
    at = commit or quote(ref) or "HEAD"
    return template.format(
        commit=at, ref=quote(ref) or at, path=quote(path), line=line or 1, line_end=line_end or line or 1
    )
