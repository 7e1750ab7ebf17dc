"""Native multimodal embedding: texts, images, several images of one thing, videos, and fusions of them."""

from __future__ import annotations

import asyncio
import math
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from relance_emulator import embeddings, media, pictures, validation
from relance_emulator.models import MultimodalModel
from relance_emulator.problems import invalid
from relance_emulator.vectors import Matrix, fitted, unit
from relance_emulator.wire import Billing, Call, Reply, as_json

if TYPE_CHECKING:
    from relance_emulator.service import Service

__all__ = ["Part", "answer", "see"]

KINDS = ("text", "image", "video", "multi_images")


@dataclass(slots=True)
class Part:
    """One thing to embed.

    Attributes:
        group: parts with the same number become one vector.
        weight: in that vector.
        vector: shape (the local model's dimension,).
        words: of what is seen of a picture or film.
    """

    kind: str
    value: Any
    group: int
    weight: float = 1.0
    key: int = 0
    text_tokens: int = 0
    media_tokens: int = 0
    seconds: float = 0.0
    vector: Matrix | None = None
    words: set[str] = field(default_factory=set)


async def answer(service: Service, call: Call) -> Reply:
    """Answer a call to the native address."""
    model = validation.native_model(service.config, call, MultimodalModel)
    service.limits.request(model.name)
    given, parameters = validation.native_parts(call)
    fused = model.fusion in {"always", "single"} or (
        model.fusion == "option" and parameters.get("enable_fusion") is True
    )
    parts = _parts(given, model, together=fused)
    _check_counts(parts, model)
    dimension = validation.dimension(parameters.get("dimension"), model)
    validation.choice(parameters, "output_type", ("dense",))
    for part in parts:
        await see(service, call, model, part, parameters)
    service.limits.tokens(model.name, sum(part.text_tokens + part.media_tokens for part in parts))
    await service.pace(len(parts))

    groups = [[part for part in parts if part.group == group] for group in sorted({part.group for part in parts})]
    # `see` has filled every vector.
    base = np.stack([np.sum([part.weight * part.vector for part in group], axis=0) for group in groups])  # ty: ignore
    vectors = fitted(unit(base), model.name, dimension)
    tokens, bill = _bill(model, parts, len(groups))
    if model.fusion == "single":
        output = b'{"embedding":%b}' % embeddings.numbers(vectors[0])
    else:
        items = [
            b'{"index":%d,"embedding":%b,"type":%b}'
            % (row, embeddings.numbers(vectors[row]), as_json(_kind(model, group, fused=fused)))
            for row, group in enumerate(groups)
        ]
        output = b'{"embeddings":%b}' % embeddings.spoilt(items, call)
    body = b'{"output":%b%b,"request_id":"%b"}' % (output, embeddings.usage(bill, call), call.request_id.encode())
    return Reply(
        body, billing=Billing(model.name, [hash(tuple(part.key for part in group)) for group in groups], tokens)
    )


def _parts(given: dict[str, Any], model: MultimodalModel, *, together: bool) -> list[Part]:
    """Read `contents`: strings or objects with one key, or with several where that means something."""
    contents = given.get("contents")
    if contents is None:
        raise validation.missing("input.contents")
    if not isinstance(contents, list) or not contents:
        raise invalid("Value error, contents is not a list of objects.: input.contents")
    if len(contents) > model.contents:
        raise invalid(
            f"Value error, batch size is invalid, it should not be larger than {model.contents}.: input.contents"
        )
    parts: list[Part] = []
    for content in contents:
        entries = {"text": content} if isinstance(content, str) else content
        named = [kind for kind in KINDS if isinstance(entries, dict) and kind in entries]
        if not named:
            raise invalid("Value error, contents must have text, image, video or multi_images.: input.contents")
        group = 0 if together else len(parts)
        weight = float(entries.get("factor", 1) or 1) if model.fusion == "single" else 1.0
        for kind in named:
            # Models that do not fuse give every part of an object a vector of its own.
            parts.append(
                Part(kind, entries[kind], group if together or model.fusion == "object" else len(parts), weight)
            )
    return parts


def _check_counts(parts: list[Part], model: MultimodalModel) -> None:
    """Refuse too many of a kind; the service's own words for this are not known."""
    for kind, most in (("image", model.images), ("video", model.videos)):
        if sum(part.kind == kind for part in parts) > most:
            raise invalid(f"Value error, the number of {kind}s should not be larger than {most}.: input.contents")
    for part in parts:
        if part.kind == "multi_images" and not (isinstance(part.value, list) and 1 <= len(part.value) <= model.views):
            raise invalid(
                f"Value error, multi_images must be a list of 1 to {model.views} images.: input.contents"
                if model.views
                else "Value error, multi_images is not supported by this model.: input.contents"
            )


async def see(service: Service, call: Call, model: MultimodalModel, part: Part, parameters: dict[str, Any]) -> None:
    """Fill in a part's vector, its tokens and what it is known by."""
    if part.kind == "text":
        if not isinstance(part.value, str):
            raise invalid("Value error, text is not a str.: input.contents")
        part.text_tokens = validation.lengths([part.value], model.text_tokens)[0]
        part.vector = (await service.vectors.of_texts([part.value]))[0]
        part.key = hash(("text", part.value))
        return
    seen = []
    for address in part.value if part.kind == "multi_images" else [part.value]:
        video = part.kind == "video"
        content = await media.load(service.uploads, call, model, address, video=video)
        if video:
            fps = parameters.get("fps", 1.0)
            if not isinstance(fps, int | float) or not 0 <= fps <= 1:
                raise invalid("Value error, fps should be in [0, 1].: parameters.fps")
            most = _most_frames(model, parameters)
            facts = await asyncio.to_thread(pictures.see_video, content, model, fps=float(fps) or 1.0, most_frames=most)
            part.seconds += facts.seconds
            frames = max(1, min(most, round(facts.seconds * (float(fps) or 1.0))))
        else:
            facts, frames = await asyncio.to_thread(service.pictures.see, content, model), 1
        part.media_tokens += frames * _image_tokens(model, facts.width, facts.height, parameters)
        part.key = zlib.crc32(content, part.key)
        seen.append(await service.pictures.of_facts(facts, content))
        part.words |= set(facts.words())
    part.vector = unit(np.mean(seen, axis=0)[None])[0]
    part.key = hash((part.kind, part.key))


def _most_frames(model: MultimodalModel, parameters: dict[str, Any]) -> int:
    frames = parameters.get("max_video_frames", model.frames)
    if len(model.image_tokens) < 2:  # only the newer models know the parameter
        return model.frames
    if not isinstance(frames, int) or not 1 <= frames <= 64:
        raise invalid("Value error, max_video_frames should be in [1, 64].: parameters.max_video_frames")
    return frames


def _image_tokens(model: MultimodalModel, width: int, height: int, parameters: dict[str, Any]) -> int:
    """Return what one image or frame is billed as."""
    if not model.image_tokens:
        # Qwen's vision models: a token per 32 × 32 pixels, two around them, at most 1,280.
        return min(1280, math.ceil(width / 32) * math.ceil(height / 32) + 2)
    level = parameters.get("res_level", 1)
    if len(model.image_tokens) == 1:
        return model.image_tokens[0]
    if level not in range(len(model.image_tokens)):
        raise invalid(
            f"Value error, res_level should be in {list(range(len(model.image_tokens)))}.: parameters.res_level"
        )
    return model.image_tokens[level]


def _bill(model: MultimodalModel, parts: list[Part], vectors: int) -> tuple[int, dict[str, object]]:
    """Return the tokens and the `usage` of a reply; every family of models has other fields."""
    text = sum(part.text_tokens for part in parts)
    image = sum(part.media_tokens for part in parts)
    match model.usage:
        case "tongyi":
            # As sampled: text in `input_tokens`, one output token per vector, the total of all three.
            details = {"image_tokens": image, "text_tokens": text}
            total = text + image + vectors
            return total, {
                "input_tokens": text,
                "input_tokens_details": details,
                "output_tokens": vectors,
                "total_tokens": total,
            }
        case "qwen3":
            text += 34  # the template around the input, about: one sample is known
            return text + image, {"input_tokens": text, "image_tokens": image, "total_tokens": text + image}
        case "qwen2.5":
            return text + image, {"input_tokens": text, "image_tokens": image}
    images = sum(part.kind == "image" for part in parts)
    duration = round(sum(part.seconds for part in parts))
    return text + image, {"input_tokens": text, "image_tokens": image, "image_count": images, "duration": duration}


def _kind(model: MultimodalModel, group: list[Part], *, fused: bool) -> str:
    if len(group) > 1 or fused:
        return "fused" if model.fusion == "object" else "fusion"
    return model.kind or group[0].kind
