"""Issues of Jira, Cloud and Data Center."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from itertools import pairwise
from typing import Any, ClassVar

from relance.errors import ConfigurationError, SourceError
from relance.sources.connector.html_text import element, page
from relance.sources.connector.patience import be_patient
from relance.sources.connector.problems import MalformedError, status_of
from relance.sources.connector.service import Fetched, Found, Service
from relance.sources.connector.times import utc

__all__ = ["Jira"]

_KEY = re.compile(r"[A-Z][A-Z0-9_]*")


class Jira(Service):
    """The issues of projects, boards or a list, with their comments; no attachments.

    An issue's version is when it was updated, which comments do as well. Names are keys, as people write them: an issue
    that moves to another project is another document.
    """

    names: ClassVar = re.compile(r"[A-Z][A-Z0-9_]*-[0-9]{1,12}")
    prefix: ClassVar = "Jira"

    def list(self) -> Iterator[Found]:
        """Stream the issues in order of id."""
        with self._open() as site:
            indexer = self.library.JiraIndexer(connection_config=site, index_config=self.settings.listing)
            seen: set[str] = set()  # its own `run` looks through a list for each issue
            for generator in indexer.get_generators():
                try:
                    for issue in generator():
                        if issue.key not in seen:
                            seen.add(issue.key)
                            yield self._found(issue)
                except Exception as error:
                    # What Jira says to projects, boards, issues and statuses that do not exist.
                    if status_of(error) in {400, 404}:
                        msg = f"listing: Jira has nothing by these names: {self.problems.hide(str(error))}"
                        raise ConfigurationError(msg) from None
                    raise
            site.client.check_totals()

    def read(self, name: str) -> Fetched:
        """Read an issue as people see it, with its comments."""
        with self._open() as site:
            # The downloader of unstructured-ingest writes `{}` for what is missing, and wiki markup; Jira has HTML.
            got = site.client.issue(name)
        try:
            fields, rendered = got["fields"], got.get("renderedFields") or {}
            title = f"{got['key']} {fields['summary']}"
        except (KeyError, TypeError):
            raise MalformedError("an issue without key or summary") from None
        labels = {
            "project": _name(fields.get("project"), "key"),
            "issue_type": _name(fields.get("issuetype")),
            "status": _name(fields.get("status")),
            "priority": _name(fields.get("priority")),
        }
        lists = {
            "labels": [str(each) for each in fields.get("labels") or ()],
            "components": [_name(each) for each in fields.get("components") or ()],
        }
        people = {
            "assignee": _name(fields.get("assignee"), "displayName"),
            "reporter": _name(fields.get("reporter"), "displayName"),
        }
        words = {**labels, **{key: ", ".join(value) for key, value in lists.items()}, **people}
        facts = "".join(
            f"<li>{escape(key.replace('_', ' ').capitalize())}: {escape(value)}</li>"
            for key, value in words.items()
            if value
        )
        body = f"<ul>{facts}</ul>" + _html(rendered.get("description"), fields.get("description"))
        body += _comments(fields, rendered)
        metadata: dict[str, Any] = {
            "url": self.link(name),
            "date_created": utc(fields.get("created")),
            "date_modified": utc(fields.get("updated")),
            **labels,
            **lists,
        }
        return Fetched(page(title, body), {key: value for key, value in metadata.items() if value})

    def link(self, name: str) -> str:
        """Return the address of an issue."""
        return f"{str(self.spec.connection.get('url', '')).rstrip('/')}/browse/{name}"

    def may_list(self, name: str) -> bool:
        """Tell by the project, where the section names nothing but projects by their keys."""
        listing = self.spec.listing
        projects = listing.get("projects") or ()
        if listing.get("boards") or listing.get("issues") or not all(_KEY.fullmatch(str(each)) for each in projects):
            return True
        return name.partition("-")[0] in projects

    def _found(self, issue: Any) -> Found:
        updated = (issue.fields or {}).get("updated")
        return Found(
            issue.key, str(updated or ""), problem="" if updated else "the service does not say when it was updated"
        )

    @contextmanager
    def _open(self) -> Generator[_Site]:
        connection = self.settings.connection
        with connection.get_client() as client:
            yield _Site(connection, _Client(client))


class _Client:
    """What unstructured-ingest calls of its client; an answer without issues does not pass for the last page."""

    def __init__(self, client: Any) -> None:
        be_patient(client._session)  # noqa: SLF001  # unstructured-ingest sets its headers there, too
        self._client = client
        self._totals: dict[str, list[int]] = {}
        self.cloud = client.cloud

    def issue(self, key: str) -> Any:
        return self._client.issue(key, expand="renderedFields")

    def enhanced_jql(self, jql: str, **options: Any) -> Any:
        # Without it, Jira chooses how many issues come at once: 50.
        return self._checked("", self._client.enhanced_jql(jql=jql, limit=100, **options))

    def jql(self, jql: str, **options: Any) -> Any:
        return self._checked(jql, self._client.jql(jql=jql, limit=100, **options))

    def get_issues_for_board(self, board_id: str, jql: str, **options: Any) -> Any:
        answer = self._client.get_issues_for_board(board_id=board_id, jql=jql, limit=100, **options)
        return self._checked(f"{board_id} {jql}", answer)

    def check_totals(self) -> None:
        """Raise SourceError where pages by number moved: an issue that went away moved another one out of sight."""
        if any(later < earlier for totals in self._totals.values() for earlier, later in pairwise(totals)):
            raise SourceError("issues went away while they were listed, so that others may have been missed; run again")

    def _checked(self, query: str, answer: Any) -> Any:
        if not isinstance(answer, dict) or not isinstance(answer.get("issues"), list):
            raise MalformedError("a page of the listing without issues")
        if query and isinstance(answer.get("total"), int):
            self._totals.setdefault(query, []).append(answer["total"])
        return answer


class _Site:
    """A connection config of unstructured-ingest whose client is open already."""

    def __init__(self, config: Any, client: _Client) -> None:
        self._config, self.client = config, client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._config, name)

    @contextmanager
    def get_client(self) -> Generator[_Client]:
        yield self.client


def _name(value: Any, key: str = "name") -> str:
    return str(value.get(key) or "") if isinstance(value, Mapping) else ""


def _html(rendered: Any, plain: Any) -> str:
    """Take the HTML that Jira made of a text; where it made none, the text."""
    if isinstance(rendered, str) and rendered.strip():
        return rendered
    return element("pre", plain) if isinstance(plain, str) else ""


def _comments(fields: Mapping[str, Any], rendered: Mapping[str, Any]) -> str:
    plain = (fields.get("comment") or {}).get("comments") or []
    html = {each.get("id"): each.get("body") for each in (rendered.get("comment") or {}).get("comments") or []}
    total = (fields.get("comment") or {}).get("total", len(plain))
    if total > len(plain):
        raise MalformedError(f"{len(plain)} of {total} comments were given")
    if not plain:
        return ""
    parts = ["<h2>Comments</h2>"]
    for each in plain:
        day = utc(each.get("created"))[:10]
        parts.append(element("h3", " ".join(filter(None, [_name(each.get("author"), "displayName"), day]))))
        parts.append(_html(html.get(each.get("id")), each.get("body")))
    return "".join(parts)
