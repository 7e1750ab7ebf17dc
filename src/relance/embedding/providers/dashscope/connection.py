"""One DashScope model at one address: what it is sent, and what its answers have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from relance.config.settings import Settings
from relance.embedding.providers import BadReplyError
from relance.embedding.providers.dashscope.choice import find_model, find_offer
from relance.embedding.providers.dashscope.errors import error_for
from relance.embedding.providers.dashscope.model import Model, Offer
from relance.embedding.providers.dashscope.regions import REGIONS, address_of, is_loopback, region_of, workspace_url
from relance.embedding.providers.dashscope.spec import DashScopeSpec
from relance.embedding.providers.refusals import read_refusal
from relance.embedding.providers.service import Service, check_key
from relance.errors import ConfigurationError, InputError, MissingKeyError

if TYPE_CHECKING:
    from relance.http.client import Response

__all__ = ["Answer", "Connection", "Endpoint", "Place", "stack_vectors"]

WORKSPACE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")  # a part of a host's name
# The emulator takes any key, but, like the service, not none.
EMULATOR_KEY = "sk-emulator"


@dataclass(slots=True, frozen=True)
class Answer:
    """A successful reply.

    Attributes:
        items: one per input, in the order of the inputs.
        usage: what it is billed as; empty where the service does not say.
    """

    items: list[dict[str, Any]]
    usage: dict[str, Any]


@dataclass(slots=True, frozen=True, kw_only=True)
class Place:
    """Where a model is called, as a spec says it.

    Attributes:
        model: `dashscope/name`.
        section: of the index file, for messages.
        region: where, unless the address tells.
        base_url: empty for the region's own.
        workspace: that is billed; empty is the key's own.
        api_key: empty is the environment's.
        timeout_s: seconds without progress after which a request fails.
        connections: requests that may be open at once.
        own_host: whether the workspace's own host is called.
    """

    model: str
    section: str
    region: str
    base_url: str = ""
    workspace: str = ""
    api_key: str = ""
    timeout_s: float
    connections: int
    own_host: bool = False


class Endpoint:
    """The service as one model is reached there, whatever is asked of it.

    Args:
        place: where.
        settings: of the environment.
        offered: says what a region offers, told whether the spec or the environment names the address; it may raise.

    Attributes:
        region: where it is, by the address if that tells.
        offer: what the region offers.
        service: the address with its key.
        key_name: where that comes from, for messages.
    """

    def __init__(self, place: Place, settings: Settings, offered: Callable[[str, bool], Offer]) -> None:
        workspace = (place.workspace or settings.dashscope_workspace_id).strip()
        check_key(workspace, f"the workspace of {place.model}")
        base_url = place.base_url or settings.dashscope_base_url
        if place.own_host and not base_url:
            if not WORKSPACE.fullmatch(workspace):
                msg = f"{place.section}.host: workspace needs {place.section}.workspace (or DASHSCOPE_WORKSPACE_ID), "
                raise ConfigurationError(msg + "a name such as ws-1a2b3c")
            base_url = workspace_url(workspace, place.region)
        field = f"{place.section}.base_url" if place.base_url else "DASHSCOPE_BASE_URL"
        url = address_of(base_url, place.region, field=field)
        host = urlsplit(url).hostname or ""
        self.region = region_of(host) or place.region
        self.offer = offered(self.region, bool(base_url) and not place.own_host)
        self._model = place.model
        self.key_name = f"{place.section}.api_key" if place.api_key.strip() else "DASHSCOPE_API_KEY"
        self.service = Service(
            f"{place.model} at {url}",
            url,
            _key(place, settings, host, REGIONS[self.region].title),
            timeout_s=place.timeout_s,
            connections=place.connections,
            headers={"x-dashscope-workspace": workspace} if workspace else None,
        )

    def read(self, response: Response) -> dict[str, Any]:
        """Return a response's JSON object; raises what the table of errors says for a refusal."""
        from pydantic_core import from_json

        try:
            answer = from_json(response.content)
        except ValueError:
            answer = None
        if not response.is_success or (isinstance(answer, dict) and answer.get("code")):
            self.refuse(response, answer)
        if not isinstance(answer, dict):
            raise BadReplyError(f"{self.service.name} answered with something that is not JSON, or only a part of it.")
        return answer

    def refuse(self, response: Response, body: Any) -> NoReturn:
        """Raise what the table of errors says for a response that is a refusal; `body` is its JSON, or None."""
        no = self.service.cleaned(read_refusal(response, body))
        raise error_for(no, model=self._model, url=self.service.url, key=self.key_name)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.service.aclose()


class Connection(Endpoint):
    """The service as one spec of embeddings reaches it.

    Attributes:
        model: row of the table of models.
    """

    def __init__(self, spec: DashScopeSpec, settings: Settings) -> None:
        self.model: Model = find_model(spec)
        section = spec.section
        super().__init__(
            Place(
                model=spec.model,
                section=section,
                region=spec.region,
                base_url=spec.base_url,
                workspace=spec.workspace,
                api_key=spec.api_key.get_secret_value(),
                timeout_s=spec.timeout_s,
                connections=spec.max_concurrency,
                own_host=spec.host == "workspace",
            ),
            settings,
            lambda region, addressed: find_offer(self.model, spec, region, addressed=addressed),
        )

    async def embed(
        self,
        path: str,
        body: dict[str, Any],
        *,
        count: int,
        most: int,
        index: str,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask for vectors.

        Args:
            path: below `/services/embeddings/`.
            body: as the protocol has it.
            count: vectors that have to come back.
            most: inputs a request may hold; for more of them InputError is raised, as the service would.
            index: key of an item that says which input it belongs to.
            headers: besides those of every request.

        Raises what the table of errors says, or BadReplyError.
        """
        if count > most:  # only if the spec asks for more than is known to work
            raise InputError(f"{self._model} takes {most} input{'s' * (most > 1)} at once, not {count}.")
        body = {"model": self.model.name, **body}
        answer = self.read(await self.service.post(f"/services/embeddings/{path}", body, headers=headers))
        try:
            items = sorted(answer["output"]["embeddings"], key=lambda item: item[index])
            indexes = [item[index] for item in items]
        except (KeyError, TypeError) as error:
            raise BadReplyError(
                f"{self.service.name} answered with something that is no list of embeddings."
            ) from error
        if indexes != list(range(count)):
            msg = f"{self.service.name} answered with {len(items)} vectors for {count} inputs, or with the wrong ones."
            raise BadReplyError(msg)
        usage = answer.get("usage")
        return Answer(items, usage if isinstance(usage, dict) else {})


def stack_vectors(items: list[dict[str, Any]], name: str) -> NDArray[np.float32]:
    """Return the dense vectors of items, shape (items, dimension); raises BadReplyError."""
    try:
        vectors = np.array([item["embedding"] for item in items], dtype=np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise BadReplyError(f"{name} answered with vectors that are not all lists of as many numbers.") from error
    if vectors.ndim != 2:
        raise BadReplyError(f"{name} answered with vectors that are not flat lists of numbers.")
    return vectors


def _key(place: Place, settings: Settings, host: str, title: str) -> str:
    key = (place.api_key or settings.dashscope_api_key.get_secret_value()).strip()
    if not key and is_loopback(host):
        return EMULATOR_KEY
    if not key:
        raise MissingKeyError(
            f"{place.model} needs a key: set DASHSCOPE_API_KEY to one made for {title} (a key works in its own region "
            f"only), or {place.section}.region to where yours was made."
        )
    check_key(key, place.model)
    return key
