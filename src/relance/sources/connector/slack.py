"""Messages of Slack channels, a day at a time, and their files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import Request

from relance.documents import Ignored, digest
from relance.errors import ConfigurationError, DocumentError
from relance.parsers.media_types import media_type_of
from relance.sources.connector.html_text import page
from relance.sources.connector.problems import MalformedError
from relance.sources.connector.service import Fetched, Found, Service
from relance.sources.connector.slack_text import message_html
from relance.sources.connector.times import utc

__all__ = ["Slack"]

_PAGE = 200  # what Slack recommends
_RATE_LIMITED = 9
_NO_CHANNEL = {
    "channel_not_found": "there is no such channel, or the app may not see it; a private one has to invite the app",
    "not_in_channel": "the app is not in the channel; write /invite and its name there",
    "is_archived": "the channel is archived, so that apps cannot read it",
}


class Slack(Service):
    """The messages of channels: a document is what was written on one day (UTC), with all replies to it.

    Its version is a hash of its messages as the channel lists them, so that one that is edited or deleted changes it.
    A reply that is edited later does not. Names are `CHANNEL/DAY` and `CHANNEL/FILE/NAME`.
    """

    names: ClassVar = re.compile(r"[CDG][A-Z0-9]{2,20}/(?:\d{4}-\d\d-\d\d|F[A-Z0-9]{2,20}/[^/\x00-\x1f]{1,255})")
    ours: ClassVar = {"base_url": "https://slack.com/api/"}
    prefix: ClassVar = "Slack"

    @classmethod
    def account(cls, connection: Mapping[str, Any]) -> str:
        """Name the host of the API: slack.com, or slack-gov.com."""
        return urlsplit(str(connection.get("base_url") or cls.ours["base_url"])).netloc.rpartition("@")[2].lower()

    def list(self) -> Iterator[Found | DocumentError | Ignored]:
        """Stream the days of each channel, oldest first, each followed by its files. Joins no channel."""
        listing, client = self.settings.listing, self._client()
        bounds = {"oldest": listing.start_date, "latest": listing.end_date}
        window = {name: str(value.timestamp()) for name, value in bounds.items() if value is not None}
        for channel in listing.channels:
            days: dict[str, list[tuple[Any, ...]]] = {}
            files: dict[str, dict[str, dict[str, Any]]] = {}
            try:
                for message in self._history(client, channel, **window):
                    day = _day(message)
                    days.setdefault(day, []).append(_mark(message))
                    for each in message.get("files") or ():
                        files.setdefault(day, {})[str(each.get("id"))] = each
            except Exception as error:
                if reason := _NO_CHANNEL.get(_code(error)):
                    raise ConfigurationError(f"listing.channels: {channel}: {reason}") from None
                raise
            for day in sorted(days):
                yield Found(f"{channel}/{day}", digest("slack day", repr(sorted(days[day]))))
                for name, each in sorted(files.get(day, {}).items()):
                    yield self._file(channel, name, each)

    def read(self, name: str) -> Fetched:
        """Read a day, or a file."""
        channel, _, rest = name.partition("/")
        if "/" in rest:
            return self._read_file(channel, *rest.split("/", 1))
        try:
            start = datetime.fromisoformat(rest).replace(tzinfo=UTC)
        except ValueError:
            raise DocumentError(name, "there is no such day") from None
        client = self._client()
        end = start + timedelta(days=1) - timedelta(microseconds=1)
        window = {"oldest": f"{start.timestamp():.6f}", "latest": f"{end.timestamp():.6f}", "inclusive": True}
        messages = [each for each in self._history(client, channel, **window) if _day(each) == rest]
        if not messages:
            raise DocumentError(name, "it vanished while being read")
        parts = []
        for message in sorted(messages, key=lambda each: float(each["ts"])):
            if message.get("thread_ts", message["ts"]) != message["ts"]:
                continue  # a reply that was sent to the channel as well stands in its thread
            parts.append(message_html(message))
            if message.get("reply_count"):
                replies = self._replies(client, channel, message["ts"])
                parts.append(f"<blockquote>{''.join(map(message_html, replies))}</blockquote>")
        last = max(float(each["ts"]) for each in messages)
        metadata = {"channel": channel, "day": rest, "url": self.link(name), "date_modified": utc(last)}
        return Fetched(page(f"{channel} {rest}", "\n".join(parts)), metadata)

    def link(self, name: str) -> str:
        """Return an address that opens the channel."""
        return f"https://{self.account(self.spec.connection)}/app_redirect?channel={name.partition('/')[0]}"

    def may_list(self, name: str) -> bool:
        """Tell by the channel."""
        return name.partition("/")[0] in (self.spec.listing.get("channels") or ())

    def _file(self, channel: str, name: str, each: Mapping[str, Any]) -> Found | Ignored:
        title = re.sub(r"[/\x00-\x1f]+", "_", str(each.get("name") or each.get("title") or name))[:255]
        if each.get("mode") in {"tombstone", "hidden_by_limit"} or each.get("is_external"):
            return Ignored(f"{channel}/{name}/{title}", "file that is not at Slack any more, or never was")
        return Found(
            f"{channel}/{name}/{title}", str(each.get("timestamp") or each.get("created") or name), media_type_of(title)
        )

    def _read_file(self, channel: str, file_id: str, name: str) -> Fetched:
        got = self._client().files_info(file=file_id).get("file") or {}
        address = got.get("url_private_download")
        if not address:
            raise MalformedError("a file without an address")
        # Only files.slack.com gets the token: unstructured-ingest sees to that.
        address = self.library._validate_private_download_url(address)  # noqa: SLF001
        token = self.settings.connection.access_config.get_secret_value().token
        with TemporaryDirectory(prefix="relance-slack-") as folder:
            path = Path(folder, "file")
            request = Request(address, headers={"Authorization": f"Bearer {token}"})  # noqa: S310  # https, checked
            self.library.SlackDownloader._download_private_file(request, path)  # noqa: SLF001
            data = path.read_bytes()
        metadata = {
            "channel": channel,
            "name": name,
            "url": got.get("permalink"),
            "date_created": utc(got.get("created")),
        }
        return Fetched(data, {key: value for key, value in metadata.items() if value})

    def _client(self) -> Any:
        """Open a client that waits as long as Slack says, and asks again where Slack is away for a moment."""
        connection = self.settings.connection
        client = connection.get_client()  # names the missing package
        from slack_sdk.http_retry.builtin_handlers import ServerErrorRetryHandler

        client.base_url = self.settings.ours["base_url"].rstrip("/") + "/"
        client.retry_handlers = [*client.retry_handlers, ServerErrorRetryHandler(max_retry_count=3)]
        return client

    def _history(self, client: Any, channel: str, **window: Any) -> Iterator[dict[str, Any]]:
        for answer in client.conversations_history(channel=channel, limit=_PAGE, **window):
            yield from _messages(answer)

    def _replies(self, client: Any, channel: str, ts: str) -> Sequence[Mapping[str, Any]]:
        found = [
            message
            for answer in client.conversations_replies(channel=channel, ts=ts, limit=_PAGE)
            for message in _messages(answer)
        ]
        return sorted((each for each in found if each["ts"] != ts), key=lambda each: float(each["ts"]))


def _messages(answer: Any) -> list[dict[str, Any]]:
    found = answer.get("messages")
    if not isinstance(found, list) or not all(isinstance(each, dict) and each.get("ts") for each in found):
        raise MalformedError("a page of a channel without messages")
    if answer.get("has_more") and not (answer.get("response_metadata") or {}).get("next_cursor"):
        raise MalformedError("a page of a channel that does not say where the next one is")
    return found


def _day(message: Mapping[str, Any]) -> str:
    """Return the day of a message (UTC); of a reply that of the message it answers."""
    seconds = float(message.get("thread_ts") or message["ts"])
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def _mark(message: Mapping[str, Any]) -> tuple[Any, ...]:
    """What changes with a message: itself, what it was edited to, and its thread."""
    edited = (message.get("edited") or {}).get("ts") or ""
    text = digest("text", str(message.get("text") or ""), size=8)
    return message["ts"], edited, text, str(message.get("latest_reply") or ""), int(message.get("reply_count") or 0)


def _code(error: Exception) -> str:
    data = getattr(getattr(error, "response", None), "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""
