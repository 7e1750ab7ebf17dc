"""Which row of the table a spec means, and whether what it asks for can be had."""

from __future__ import annotations

from difflib import get_close_matches

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.embedding.providers.dashscope.model import Model, Offer
from relance.embedding.providers.dashscope.models import MODELS
from relance.embedding.providers.dashscope.regions import REGIONS
from relance.embedding.providers.dashscope.spec import DashScopeSpec
from relance.errors import ConfigurationError

__all__ = ["find_model", "find_offer"]


def find_model(spec: EmbeddingSpec) -> Model:
    """Return the row of the spec's model; raises ConfigurationError that names what it may have meant."""
    name = spec.model.partition("/")[2]
    if name in MODELS:
        return MODELS[name]
    close = get_close_matches(name, MODELS, 1, 0.7)
    hint = f"did you mean dashscope/{close[0]}?" if close else f"there are {', '.join(MODELS)}."
    more = f"A model relance does not know can be had as openai/{name}, with base_url …/compatible-mode/v1."
    raise ConfigurationError(f"{spec.section}.model: there is no {spec.model}; {hint} {more}")


def find_offer(model: Model, spec: EmbeddingSpec, region: str, *, addressed: bool) -> Offer:
    """Return what a region offers; raises ConfigurationError for anything asked that the model does not do there.

    Args:
        model: row of the table.
        spec: what is asked for.
        region: where, by the address if that tells.
        addressed: whether the spec or the environment names the address. Where no page says what a region serves, the
            user may then know better.
    """
    section = spec.section
    offer = model.offers.get(region)
    if offer is None:
        undocumented = not any(region in other.offers for other in MODELS.values())
        if not (undocumented and addressed):
            there = ", ".join(f"{REGIONS[name].title} ({name})" for name in model.offers)
            hint = f" If your account has it there, set {section}.base_url." if undocumented else ""
            raise ConfigurationError(
                f"{section}.region: {spec.model} is served in {there}, not in {REGIONS[region].title}.{hint}"
            )
        offer = Offer(None)
    lengths = offer.dimensions or model.dimensions
    if spec.dimension not in {0, *lengths}:
        allowed = ", ".join(map(str, sorted(lengths, reverse=True)))
        place = f" in {REGIONS[region].title}" if offer.dimensions else ""
        raise ConfigurationError(f"{section}.dimension: {spec.model} has {allowed}{place}, not {spec.dimension}.")
    own = spec if isinstance(spec, DashScopeSpec) else DashScopeSpec()  # not by the compatible protocol
    if own.output_type != "dense" and not model.sparse:
        raise ConfigurationError(
            f"{section}.output_type: {spec.model} makes dense vectors only; sparse ones are made by "
            f"{_those(sparse=True)}."
        )
    if own.instruct and not model.instruct:
        raise ConfigurationError(
            f"{section}.instruct: {spec.model} takes no instruction; {_those(instruct=True)} do, or leave it empty."
        )
    fuse = isinstance(spec, MediaEmbeddingSpec) and spec.fuse
    if fuse and not (model.media and model.media.fusion):
        raise ConfigurationError(
            f"{section}.fuse: {spec.model} makes a vector of each input; {_those(fusion=True)} can fuse."
        )
    return offer


def _those(*, sparse: bool = False, instruct: bool = False, fusion: bool = False) -> str:
    """Name the models that can do something."""
    fits = (
        model.name
        for model in MODELS.values()
        if (not sparse or model.sparse)
        and (not instruct or (model.instruct and model.media is None))
        and (not fusion or (model.media is not None and model.media.fusion))
    )
    return ", ".join(fits)
