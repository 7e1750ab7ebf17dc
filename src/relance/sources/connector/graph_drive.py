"""Files of a drive of Microsoft Graph: what OneDrive and SharePoint have in common."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from relance.documents import Ignored, digest
from relance.errors import ConfigurationError, DocumentError
from relance.sources.connector.graph_readers import GraphReaders, Readers
from relance.sources.connector.json_api import ApiError, JsonApi, TokenHolder
from relance.sources.connector.microsoft_account import microsoft_token
from relance.sources.connector.principals import unknown_readers
from relance.sources.connector.problems import MalformedError, status_of
from relance.sources.connector.service import Fetched, Found, Service
from relance.sources.connector.times import utc

__all__ = ["GraphDrive"]

_SELECT = "id,name,size,file,folder,package,remoteItem,root,deleted,cTag,webUrl,createdDateTime,lastModifiedDateTime"
_PAGE = "200"


class GraphDrive(Service):
    """The files of one drive, or of a folder in it; no notebooks and no shortcuts to other drives.

    A file's version is its hash, or its cTag where it has none, with its name and readers. Names are `DRIVE/ITEM`,
    which a file keeps when it is renamed or moved within the drive.
    """

    names: ClassVar = re.compile(r"[A-Za-z0-9!_-]{1,120}/[A-Za-z0-9!_-]{1,120}")
    ours: ClassVar = {"base_url": "https://graph.microsoft.com"}

    @abstractmethod
    def drive(self, api: JsonApi) -> str:
        """Return the id of the drive; ConfigurationError where there is none."""

    def list(self) -> Iterator[Found | DocumentError | Ignored]:
        """Stream the files: those of a whole drive by its changes since ever, those of a folder level by level."""
        listing = self.settings.listing
        folder = (listing.path or "").strip().strip("/")
        with self._open() as api:
            drive = self.drive(api)
            if listing.recursive and not folder:
                pages = self._whole(api, drive)
            else:
                pages = self._below(api, drive, folder, recursive=listing.recursive)
            for page in pages:
                yield from self._found(api, drive, page)

    def read(self, name: str) -> Fetched:
        """Read a file as it is."""
        drive, _, item = name.partition("/")
        place = _place(drive, item)
        with self._open() as api:
            facts = _checked(api.get(f"/v1.0{place}", {"$select": _SELECT}))
            if "deleted" in facts:
                raise DocumentError(name, "it vanished while being read")
            metadata: dict[str, Any] = {
                "url": facts.get("webUrl"),
                "name": facts["name"],
                "date_created": utc(facts.get("createdDateTime")),
                "date_modified": utc(facts.get("lastModifiedDateTime")),
            }
            if self.spec.permissions:
                [readers] = GraphReaders(api).of([place])
                if readers.principals is None:
                    raise DocumentError(name, unknown_readers(readers.trouble))
                metadata["principals"] = readers.principals
            # It leads to an address that needs no token, and gets none.
            data = api.download(f"/v1.0{place}/content", self.spec.max_size)
        return Fetched(data, {key: value for key, value in metadata.items() if value not in ("", None)})

    def _whole(self, api: JsonApi, drive: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Stream all items. One that changes meanwhile comes again, which the next run sees."""
        seen: set[str] = set()
        for answer in api.pages(f"/v1.0/drives/{quote(drive)}/root/delta", _next_of_delta,
                                {"$select": _SELECT, "$top": _PAGE}):  # fmt: skip
            page = [each for each in _items(answer) if "deleted" not in each and each["id"] not in seen]
            seen.update(each["id"] for each in page)
            yield page

    def _below(self, api: JsonApi, drive: str, folder: str, *, recursive: bool) -> Iterator[Sequence[dict[str, Any]]]:
        """Stream the items of a folder, and of those below it."""
        top = f"/v1.0/drives/{quote(drive)}/root" + (f":/{quote(folder)}" if folder else "")
        try:
            root = _checked(api.get(top, {"$select": _SELECT}))
        except ApiError as error:
            if not folder or status_of(error) != 404:
                raise
            raise ConfigurationError(f"listing.path: there is no folder {folder!r}, or it may not be read") from None
        if "folder" not in root:
            raise ConfigurationError(f"listing.path: {folder!r} is no folder")
        waiting, seen = deque([root["id"]]), {root["id"]}
        while waiting:
            path = f"/v1.0{_place(drive, waiting.popleft())}/children"
            for answer in api.pages(path, _next, {"$select": _SELECT, "$top": _PAGE}):
                # One that was seen was moved while the folders were listed.
                page = [each for each in _items(answer) if each["id"] not in seen]
                seen.update(each["id"] for each in page)
                if recursive:
                    waiting.extend(each["id"] for each in page if "folder" in each)
                yield page

    def _found(self, api: JsonApi, drive: str, page: Iterable[dict[str, Any]]) -> Iterator[Found | Ignored]:
        files = []
        for each in page:
            name = f"{drive}/{each['id']}"
            if "folder" in each or "root" in each:
                continue
            if "remoteItem" in each:
                yield Ignored(name, "shortcut to another drive")
            elif "file" not in each:
                yield Ignored(name, "notebook, or another package of OneDrive")
            elif each.get("size") == 0:
                yield Ignored(name, "empty")
            else:
                files.append(each)
        if self.spec.permissions:
            readers = GraphReaders(api).of([_place(drive, each["id"]) for each in files])
        else:
            readers = iter([Readers([])] * len(files))
        for each, who in zip(files, readers, strict=True):
            name, mark = f"{drive}/{each['id']}", _mark(each)
            if not mark:
                yield Found(name, "", problem="Microsoft Graph gives no version of it")
            elif who.principals is None:
                yield Found(name, "", problem=unknown_readers(who.trouble))
            else:
                version = digest("graph-drive", mark, each["name"], repr(who.principals))
                yield Found(name, version, file=each["name"], size=int(each.get("size") or 0))

    @cached_property
    def _tokens(self) -> TokenHolder:
        return TokenHolder(lambda: microsoft_token(self.settings.connection, self.settings.ours["base_url"]))

    @contextmanager
    def _open(self) -> Generator[JsonApi]:
        with JsonApi.open(self.settings.ours["base_url"], self._tokens) as api:
            yield api


def _place(drive: str, item: str) -> str:
    return f"/drives/{quote(drive)}/items/{quote(item)}"


def _next(answer: Mapping[str, Any]) -> tuple[str, None] | None:
    link = answer.get("@odata.nextLink")
    return (link, None) if link else None


def _next_of_delta(answer: Mapping[str, Any]) -> tuple[str, None] | None:
    following = _next(answer)
    if following is None and not answer.get("@odata.deltaLink"):
        raise MalformedError("a page of the listing that says neither where the next one is nor that it is the last")
    return following


def _items(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = answer.get("value")
    if not isinstance(found, list):
        raise MalformedError("a page of the listing without items")
    return [each if isinstance(each, dict) and "deleted" in each else _checked(each) for each in found]


def _checked(facts: Any) -> dict[str, Any]:
    if not isinstance(facts, dict) or not all(isinstance(facts.get(key), str) for key in ("id", "name")):
        raise MalformedError("an item without id or name")
    return facts


def _mark(facts: Mapping[str, Any]) -> str:
    hashes = (facts.get("file") or {}).get("hashes") or {}
    known = (hashes.get(kind) for kind in ("quickXorHash", "sha256Hash", "sha1Hash"))
    return next(filter(None, known), "") or str(facts.get("cTag") or "")
