"""Files of Google Drive."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, ClassVar
from urllib.parse import urlsplit

from relance.documents import Ignored, digest
from relance.errors import ConfigurationError, DocumentError
from relance.sources.connector.google_account import google_token
from relance.sources.connector.google_readers import GoogleReaders
from relance.sources.connector.json_api import ApiError, JsonApi, TokenHolder
from relance.sources.connector.principals import unknown_readers
from relance.sources.connector.problems import MalformedError, status_of
from relance.sources.connector.service import Fetched, Found, Service
from relance.sources.connector.times import utc

__all__ = ["GoogleDrive"]

_OURS = "application/vnd.google-apps."
_FOLDER = f"{_OURS}folder"
# What Google's own documents are exported as. A sheet as CSV would be its first page only.
_EXPORTS = {
    f"{_OURS}document": (".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    f"{_OURS}spreadsheet": (".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    f"{_OURS}presentation": (".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
}
_FACTS = "id,name,mimeType,md5Checksum,version,size,trashed,parents,driveId,createdTime,modifiedTime,webViewLink"
_READERS = (
    "permissionIds,hasAugmentedPermissions,permissions(id,type,emailAddress,domain,allowFileDiscovery,view,deleted)"
)
_EVERYWHERE = {"supportsAllDrives": "true"}


class GoogleDrive(Service):
    """The files of a folder or a shared drive, Google's own documents as Office files; no forms, drawings or shortcuts.

    A file's version is its checksum, or Google's number of the version where it has none, with its name and readers.
    Names are ids.
    """

    names: ClassVar = re.compile(r"[A-Za-z0-9_-]{8,120}")
    ours: ClassVar = {"base_url": "https://www.googleapis.com"}
    module: ClassVar = "google_drive"
    prefix: ClassVar = "GoogleDrive"

    @classmethod
    def account(cls, connection: Mapping[str, Any]) -> str:
        """Name the host of the API: ids are unique in all of Drive."""
        return urlsplit(str(connection.get("base_url") or cls.ours["base_url"])).netloc.rpartition("@")[2].lower()

    def list(self) -> Iterator[Found | DocumentError | Ignored]:
        """Stream the files, folder by folder; those of a whole shared drive in one listing."""
        root, recursive = self.settings.connection.drive_id, self.settings.listing.recursive
        with self._open() as api:
            readers = GoogleReaders(api)
            try:
                top = self._facts(api, root)
            except ApiError as error:
                if status_of(error) != 404:
                    raise
                msg = f"connection.drive_id: there is no {root}, or it is not shared with the account that asks"
                raise ConfigurationError(msg) from None
            if top.get("trashed"):
                raise ConfigurationError(f"connection.drive_id: {root} is in the trash")
            if top["mimeType"] != _FOLDER:
                yield self._found(top, readers)
            elif recursive and top.get("driveId") == root:
                whole = {"corpora": "drive", "driveId": root, "q": "trashed = false"}
                yield from (self._found(each, readers) for each in self._files(api, whole) if not _is_folder(each))
            else:
                yield from self._below(api, root, readers, recursive=recursive)

    def read(self, name: str) -> Fetched:
        """Read a file as it is, or as the Office file that Google makes of it."""
        with self._open() as api:
            facts = self._facts(api, name)
            if facts.get("trashed"):
                raise DocumentError(name, "it vanished while being read")
            kind = facts["mimeType"]
            if kind in _EXPORTS:
                where, what = f"/drive/v3/files/{name}/export", {"mimeType": _EXPORTS[kind][1]}
            else:
                where, what = f"/drive/v3/files/{name}", {"alt": "media", **_EVERYWHERE}
            metadata: dict[str, Any] = {
                "url": facts.get("webViewLink") or self.link(name),
                "name": facts["name"],
                "date_created": utc(facts.get("createdTime")),
                "date_modified": utc(facts.get("modifiedTime")),
            }
            if self.spec.permissions:
                principals, trouble = GoogleReaders(api).of(facts)
                if principals is None:
                    raise DocumentError(name, unknown_readers(trouble))
                metadata["principals"] = principals
            try:
                data = api.download(where, self.spec.max_size, what)
            except ApiError as error:
                if reason := _REFUSALS.get(error.code):
                    raise DocumentError(name, reason) from None
                raise
        return Fetched(data, {key: value for key, value in metadata.items() if value != ""})

    def link(self, name: str) -> str:
        """Return the address that opens a file, whatever it is."""
        return f"https://drive.google.com/open?id={name}"

    def _below(self, api: JsonApi, root: str, readers: GoogleReaders, *, recursive: bool) -> Iterator[Found | Ignored]:
        waiting, seen = deque([root]), {root}
        while waiting:
            for each in self._files(api, {"q": f"'{waiting.popleft()}' in parents and trashed = false"}):
                if each["id"] in seen:
                    continue  # it was moved while the folders were listed
                seen.add(each["id"])
                if not _is_folder(each):
                    yield self._found(each, readers)
                elif recursive:
                    waiting.append(each["id"])

    def _files(self, api: JsonApi, what: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """Stream what a query finds; MalformedError where Google left something out."""
        params = {
            **what, **_EVERYWHERE, "includeItemsFromAllDrives": "true", "spaces": "drive", "pageSize": "1000",
            "fields": f"nextPageToken,incompleteSearch,files({self._fields})",
        }  # fmt: skip

        def follow(answer: dict[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
            token = answer.get("nextPageToken")
            return ("/drive/v3/files", {**params, "pageToken": token}) if token else None

        for answer in api.pages("/drive/v3/files", follow, params):
            files = answer.get("files")
            if not isinstance(files, list):
                raise MalformedError("a page of the listing without files")
            if answer.get("incompleteSearch"):
                raise MalformedError("Google left files out of the listing (incompleteSearch)")
            yield from map(_checked, files)

    def _facts(self, api: JsonApi, name: str) -> dict[str, Any]:
        return _checked(api.get(f"/drive/v3/files/{name}", {"fields": self._fields, **_EVERYWHERE}))

    def _found(self, facts: Mapping[str, Any], readers: GoogleReaders) -> Found | Ignored:
        name, kind = facts["id"], facts["mimeType"]
        if kind.startswith(_OURS) and kind not in _EXPORTS:
            return Ignored(name, f"Google {kind.removeprefix(_OURS)}"[:60])
        file = facts["name"] + (_EXPORTS[kind][0] if kind in _EXPORTS else "")
        suffix = PurePosixPath(file).suffix.lower()
        wanted = self.settings.listing.extensions
        if wanted and suffix.lstrip(".") not in {each.lower() for each in wanted}:
            return Ignored(name, "not in extensions", suffix)
        mark = facts.get("md5Checksum") or facts.get("version")
        if not mark:
            return Found(name, "", problem="Google gives no version of it")
        if facts.get("size") == "0":
            return Ignored(name, "empty")
        principals, trouble = readers.of(facts) if self.spec.permissions else ([], "")
        if principals is None:
            return Found(name, "", problem=unknown_readers(trouble))
        version = digest("google-drive", str(mark), file, repr(principals))
        return Found(name, version, file=file, size=int(facts.get("size") or 0) if kind not in _EXPORTS else 0)

    @property
    def _fields(self) -> str:
        return f"{_FACTS},{_READERS}" if self.spec.permissions else _FACTS

    @cached_property
    def _tokens(self) -> TokenHolder:
        return TokenHolder(lambda: google_token(self.settings.connection.access_config.get_secret_value()))

    @contextmanager
    def _open(self) -> Generator[JsonApi]:
        with JsonApi.open(self.settings.ours["base_url"], self._tokens) as api:
            yield api


_REFUSALS = {
    "exportSizeLimitExceeded": "Google exports at most 10 MB of a document, and this one is larger; split it",
    "cannotDownloadFile": "its owner lets readers not download it",
    "cannotExportFile": "its owner lets readers not export it",
    "cannotDownloadAbusiveFile": "Google takes it for malware or spam, and lets only its owner download it",
}


def _is_folder(facts: Mapping[str, Any]) -> bool:
    return facts["mimeType"] == _FOLDER


def _checked(facts: Any) -> dict[str, Any]:
    if not isinstance(facts, dict) or not all(isinstance(facts.get(key), str) for key in ("id", "name", "mimeType")):
        raise MalformedError("a file without id, name or type")
    return facts
