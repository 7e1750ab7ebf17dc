"""Files as they are sent: they are other people's, and may go away meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relance.explore.headers import FILE_POLICY

if TYPE_CHECKING:
    from starlette.responses import Response

__all__ = ["as_download", "as_film"]


def as_download(path: Path) -> Response:
    """Send a file to be kept, whatever it is; HTTPException 404 if it is gone."""
    return _sent(path, "application/octet-stream", path.name)


def as_film(path: Path, media_type: str) -> Response:
    """Send a file to be played, or the part of it a player asks for; HTTPException 404 if it is gone."""
    return _sent(path, media_type, None)


def _sent(path: Path, media_type: str, name: str | None) -> Response:
    from starlette.exceptions import HTTPException
    from starlette.responses import FileResponse

    try:
        status = path.stat()  # else the response looks itself, and calls it our mistake if the file is gone
    except OSError:
        raise HTTPException(404, "The file is no longer where it was.") from None
    return FileResponse(
        path, media_type=media_type, filename=name, stat_result=status, headers={"content-security-policy": FILE_POLICY}
    )
