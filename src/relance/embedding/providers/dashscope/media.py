"""DashScope's multimodal models: texts, images and videos become vectors of one space."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

from relance.config.settings import Settings
from relance.documents import Media
from relance.embedding.providers import BadReplyError, Input, InputType, ModelInfo, Reply
from relance.embedding.providers.dashscope.bill import read_bill
from relance.embedding.providers.dashscope.connection import Connection, stack_vectors
from relance.embedding.providers.dashscope.contents import check_contents, contents_of, fits, has_uploads
from relance.embedding.providers.dashscope.model import MediaSide
from relance.embedding.providers.dashscope.pages import READ
from relance.embedding.providers.dashscope.spec import DashScopeMediaSpec, DashScopeSpec
from relance.embedding.providers.dashscope.upload import upload
from relance.embedding.tokenizers import Tokenizer, open_tokenizer
from relance.errors import ConfigurationError
from relance.http.byte_gate import ByteGate

__all__ = ["DashScopeMedia"]

NEWER = "the tongyi-embedding-vision models of 2026-03-06"
# Bytes of pictures in the requests that are under way, and in one of them. They are four times as much in memory: the
# files, Base64 of them, the body as text and as bytes.
MOST_SENT, MOST_A_REQUEST = 12 << 20, 6 << 20
RESOLVE = {"x-dashscope-ossresourceresolve": "enable"}


def frames_of(spec: DashScopeMediaSpec, side: MediaSide) -> dict[str, float]:
    """Return the parameters that say which frames of a video are looked at; ConfigurationError where it has none."""
    if spec.max_video_frames and not side.levels:
        raise ConfigurationError(f"{spec.section}.max_video_frames: {spec.model} takes fps only; {NEWER} do.")
    return ({"fps": spec.fps} if spec.fps else {}) | (
        {"max_video_frames": spec.max_video_frames} if spec.max_video_frames else {}
    )


def picture_of(spec: DashScopeMediaSpec, side: MediaSide) -> dict[str, int]:
    """Return the parameter for the resolution; ConfigurationError for a model that has one only."""
    if spec.res_level is None:
        return {}
    if not side.levels:
        raise ConfigurationError(
            f"{spec.section}.res_level: {spec.model} has one resolution only; {NEWER} have several."
        )
    return {"res_level": spec.res_level}


def media_tokens(side: MediaSide, level: int, frames: int) -> dict[str, int]:
    """Estimate what an image, a set and a video are billed as."""
    image = side.levels[level] if side.levels else side.image_tokens
    return {"image": image, "images": image, "video": frames * image if side.levels else side.video_tokens}


class DashScopeMedia:
    """One multimodal model in one region; it embeds questions in words as well as what they are to find."""

    def __init__(self, spec: DashScopeSpec, settings: Settings) -> None:
        self._connection = Connection(spec, settings)
        model, offer = self._connection.model, self._connection.offer
        if model.media is None:
            raise ConfigurationError(f"{spec.section}.model: {spec.model} embeds texts only.")
        side = self._side = model.media
        seeing = spec if isinstance(spec, DashScopeMediaSpec) else DashScopeMediaSpec()
        self._fuse, self._frames = (seeing.fuse, frames_of(seeing, side)) if spec is seeing else (False, {})
        self._sending = ByteGate(MOST_SENT)
        self._upload = isinstance(spec, DashScopeMediaSpec) and spec.upload
        self._instruct = spec.instruct
        self._pictures = picture_of(seeing, side) if spec is seeing else {}
        dimension = spec.dimension or model.dimensions[0]
        self._parameters: dict[str, Any] = {"dimension": dimension} if len(model.dimensions) > 1 else {}
        price, self._prices = spec.price_per_million_tokens, None
        if price is None:
            price = offer.price
            if offer.price is not None and offer.media_price is not None:
                self._prices = (offer.price, offer.media_price)
                price = max(self._prices)  # what a budget has to reckon with
        # With `enable_fusion` a whole request becomes one vector, also of several images.
        whole = self._fuse and side.fusion == "parameter"
        self.info = ModelInfo(
            name=spec.model,
            dimension=dimension,
            # Ten per cent less: whose tokenizer counts is not published, and a template counts, too.
            max_input_tokens=model.max_tokens * 9 // 10,
            batch_texts=1 if whole else model.batch_inputs,
            requests_per_minute=offer.requests_per_minute,
            tokens_per_minute=offer.tokens_per_minute,
            price_per_million_tokens=price,
            space=f"{spec.model}:{dimension}"
            + "".join(f":{name}={value:g}" for name, value in (self._frames | self._pictures).items())
            + (":fused" if self._fuse else ""),
            tokenizer=spec.tokenizer or "qwen",
            modalities=frozenset({"text", "image", "video"} | ({"images"} if side.sets or whole else set())),
            media_per_request={**side.per_request, "pictures": side.images, "bytes": MOST_A_REQUEST},
            media_rules=replace(side.rules, views=side.images if side.sets or whole else 1),
            media_tokens=media_tokens(
                side, self._pictures.get("res_level", 1), int(self._frames.get("max_video_frames", 8))
            ),
            region=self._connection.region,
            priced_on=READ if price is not None and spec.price_per_million_tokens is None else None,
        )

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Qwen's, as an estimate."""
        return open_tokenizer(self.info.tokenizer)

    async def embed(self, inputs: list[Input], /, *, input_type: InputType) -> Reply:
        """Embed texts, images and videos in one request."""
        async with self._sending.hold(sum(value.size for value in inputs if isinstance(value, Media))):
            return await self._embed(inputs, input_type)

    async def _embed(self, inputs: list[Input], input_type: InputType) -> Reply:
        inputs = [await self._lend(value) for value in inputs]
        each = [contents_of(value, self._side, fuse=self._fuse) for value in inputs]
        contents = [content for parts in each for content in parts]
        check_contents(contents, self._side)
        parameters = dict(self._parameters)
        if any("video" in content for content in contents):
            parameters |= self._frames
        if any(set(content) - {"text"} for content in contents):
            parameters |= self._pictures
        if self._instruct and input_type == "query":
            parameters["instruct"] = self._instruct
        if self._side.fusion == "parameter" and len(contents) > len(inputs):
            parameters["enable_fusion"] = True
        answer = await self._connection.embed(
            "multimodal-embedding/multimodal-embedding",
            {"input": {"contents": contents}, "parameters": parameters},
            count=len(inputs),
            most=self.info.batch_texts,
            index="index",
            headers=RESOLVE if has_uploads(contents) else None,
        )
        name = self._connection.service.name
        for parts, item in zip(each, answer.items, strict=True):
            if not fits(parts, item.get("type")):
                sent = " and ".join(key for part in parts for key in part)
                raise BadReplyError(f"{name} answered with a vector of {item['type']} for {sent}.")
        bill = read_bill(answer.usage)
        cost = bill.cost_usd(*self._prices) if bill and self._prices else None
        return Reply(stack_vectors(answer.items, name), tokens=bill.tokens if bill else None, cost_usd=cost)

    async def upload(self, data: bytes, name: str, media_type: str) -> str:
        """Lend the service a file, such as a local video, and return its `oss://` address; see `upload.upload`."""
        return await upload(self._connection, data, name, media_type)

    async def _lend(self, value: Input) -> Input:
        """Upload a local video: the service takes those by address only."""
        if not (self._upload and isinstance(value, Media) and value.kind == "video" and not value.urls):
            return value
        (data,) = value.contents()
        address = await self.upload(data, f"{value.content_hash}.mp4", value.media_types[0])
        return replace(value, urls=(address,), data=(), files=(), media_types=())

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()
