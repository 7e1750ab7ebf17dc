"""Searching, and the front page while nothing is asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from relance.documents import document_id
from relance.errors import InputError, RelanceError
from relance.explore.explorer import Explorer, explorer_of
from relance.explore.hints import hints, without_model
from relance.explore.parameters import Parameters
from relance.explore.question import PER_PAGE, Question
from relance.explore.scope import MOST_COUNTED, Scope
from relance.search import FilterError
from relance.search.mode import COLUMNS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["modes", "show"]

_MODES = {"hybrid": "Hybrid", "dense": "Dense", "full-text": "Full-text", "sparse": "Sparse"}
_LATEST, _SHOWN_PICTURES = 6, 12


def show(request: Request) -> Response:
    """Answer a question."""
    here = explorer_of(request)
    question = Question.read(Parameters(request.query_params))
    table = here.reader.table()
    if table is None:
        return here.page(request, "missing.html")
    values: dict[str, Any] = {
        "question": question,
        "modes": modes(table),
        "types": here.reader.media_types(),
        "folders": here.reader.folders(),
        "fields": here.reader.fields(),
        "titles": here.reader.titles(),
        "per_page": PER_PAGE,
        "most_counted": MOST_COUNTED,
        "document_id": document_id,
    }
    if not question.asked:
        return here.page(request, "front.html", **values, **_front(here))
    status, found = _ask(here, question)
    return here.page(request, "search.html", status, **values, **found)


def modes(table: Any) -> dict[str, str]:
    """Name the ways a table can be searched."""
    without = {mode for mode in ("dense", "sparse") if COLUMNS[mode] not in table.schema.names}
    return {mode: label for mode, label in _MODES.items() if mode not in without}


def _front(here: Explorer) -> dict[str, Any]:
    documents = here.reader.documents()
    found: dict[str, Any] = {
        "total": len(documents),
        "latest": documents.sorted("updated_at", descending=True).page(1, _LATEST).rows,
        "pictures": [],
        "media_total": 0,
        "runs": [] if here.reader.restricted else here.reader.runs()[:1],
    }
    if here.reader.has_media:
        media = here.reader.documents(media=True)
        found |= {"media_total": len(media), "pictures": here.reader.different_media(_SHOWN_PICTURES)}
    return found


def _ask(here: Explorer, question: Question) -> tuple[int, dict[str, Any]]:
    """Search what the question is about; what is wrong with it, or with the model, is told beside the form."""
    found: dict[str, Any] = {"texts": None, "media": None, "problem": "", "bad_filter": "", "seconds": 0.0,
                             "annotations": {}, "like_title": "", "scope": None, "hints": []}  # fmt: skip
    try:
        started = time.perf_counter()
        found |= _answers(here, question)
        found["seconds"] = time.perf_counter() - started
        found |= _around(here, question, found)
    except FilterError as error:
        return 400, found | {"bad_filter": str(error)}
    except RelanceError as error:
        others = [without_model(question)] if getattr(error, "__notes__", ()) else []
        return 400 if isinstance(error, InputError) else 503, found | {"problem": str(error), "hints": others}
    found["annotations"] = here.reader.annotations([hit.uri for hit in found["texts"] or []])
    if question.like:
        found["like_title"] = here.reader.title_of(question.like)
    return 200, found


def _around(here: Explorer, question: Question, found: dict[str, Any]) -> dict[str, Any]:
    """Say what was looked through, and what to try where nothing was found."""
    media = found["texts"] is None
    scope = Scope.of(here.reader, question, media=media)
    nothing = question.page == 1 and not found["texts"] and not found["media"]
    return {"scope": scope, "hints": hints(here.reader, question, scope, media=media) if nothing else []}


def _answers(here: Explorer, question: Question) -> dict[str, Any]:
    """Look through texts, media or both: something is like its own kind only."""
    if not here.reader.has_media:
        return {"texts": question.texts(here.index)}
    kind = question.kind
    if question.like:
        kind = "text" if here.reader.document(document_id(question.like)) else "media"
    if kind == "all":
        texts, media = question.both(here.index)
        return {"texts": texts, "media": media}
    return {"texts": question.texts(here.index)} if kind == "text" else {"media": question.media(here.index)}
