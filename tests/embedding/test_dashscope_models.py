"""The table of DashScope's models, the regions they are in, and what may be asked of each before any request."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.config import EmbeddingSpec, MediaEmbeddingSpec
from relance.config.settings import read_settings
from relance.embedding.budget import stale_price
from relance.embedding.providers import open_provider
from relance.embedding.providers.dashscope import DashScopeSpec
from relance.embedding.providers.dashscope.models import MODELS
from relance.embedding.providers.dashscope.pages import READ
from relance.embedding.providers.dashscope.regions import (
    REGIONS,
    address_of,
    is_dashscope,
    is_loopback,
    place_of,
    region_of,
)
from relance.embedding.providers.dashscope.text import DashScopeText
from relance.errors import ConfigurationError, InputError
from relance.media import Facts
from relance.media.rules import check
from relance_emulator.models import MODELS as EMULATED

KEY = "sk-very-secret-0123456789"
TEXT = {name: model for name, model in MODELS.items() if not model.media}
MEDIA = {name: model for name, model in MODELS.items() if model.media}
OFFERS = [(name, region) for name, model in MODELS.items() for region in model.offers]


def spec_of(name, **fields):
    kind = MediaEmbeddingSpec if name in MEDIA else EmbeddingSpec
    return kind.of({"model": f"dashscope/{name}", "api_key": KEY} | fields)


def info_of(name, **fields):
    return open_provider(spec_of(name, **fields)).info


@pytest.mark.parametrize(("name", "region"), OFFERS)
def test_every_model_can_be_opened_where_it_is_offered_with_each_of_its_dimensions_and_no_other(name, region):
    model, offer = MODELS[name], MODELS[name].offers[region]
    info = info_of(name, region=region)
    assert (info.region, info.dimension) == (region, model.dimensions[0])
    assert info.price_per_million_tokens == max(offer.price or 0, offer.media_price or 0) > 0
    assert (info.requests_per_minute, info.tokens_per_minute) == (offer.requests_per_minute, offer.tokens_per_minute)
    assert info.requests_per_minute > 0
    lengths = offer.dimensions or model.dimensions
    spaces = {info_of(name, region=region, dimension=length).space for length in lengths}
    assert len(spaces) == len(lengths)
    wrong = {length + step for length in lengths for step in (-1, 1)} - set(lengths)
    for length in wrong:
        with pytest.raises(ConfigurationError, match=rf"embedding\.dimension: .*{lengths[0]}.*, not {length}\.$"):
            info_of(name, region=region, dimension=length)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("region", ["singapore", "beijing", "hongkong", "us"])
def test_a_region_without_the_model_is_refused_with_those_that_have_it(name, region):
    model = MODELS[name]
    if region in model.offers:
        assert info_of(name, region=region)
        return
    with pytest.raises(ConfigurationError, match=rf"embedding\.region: dashscope/{name} is served in ") as caught:
        info_of(name, region=region)
    assert all(f"({other})" in str(caught.value) for other in model.offers)
    assert f"not in {REGIONS[region].title}" in str(caught.value)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("fields", "can", "field"),
    [
        ({"output_type": "sparse"}, lambda model: model.sparse, "output_type"),
        ({"output_type": "dense&sparse"}, lambda model: model.sparse, "output_type"),
        ({"instruct": "Find what answers."}, lambda model: model.instruct, "instruct"),
    ],
    ids=["sparse", "dense&sparse", "instruct"],
)
def test_what_a_model_cannot_do_is_refused_with_those_that_can(name, fields, can, field):
    region = next(iter(MODELS[name].offers))
    if can(MODELS[name]):
        assert info_of(name, region=region, **fields)
        return
    with pytest.raises(ConfigurationError, match=rf"embedding\.{field}: dashscope/{name} .*text-embedding-v4"):
        info_of(name, region=region, **fields)


@pytest.mark.parametrize("name", MEDIA)
def test_fusing_is_refused_by_models_that_cannot_with_those_that_can(name):
    region = next(iter(MEDIA[name].offers))
    if MEDIA[name].media.fusion:
        assert ":fused" in info_of(name, region=region, fuse=True).space
        return
    with pytest.raises(ConfigurationError, match=r"media\.embedding\.fuse: .*qwen3-vl-embedding"):
        info_of(name, region=region, fuse=True)


@pytest.mark.parametrize("name", MODELS)
def test_the_client_never_asks_for_more_than_the_emulator_that_was_written_without_it(name):
    model, other = MODELS[name], EMULATED[name]
    assert set(model.dimensions) <= {other.dimension, *other.dimensions}
    assert model.dimensions[0] == other.dimension
    assert set(model.offers) <= other.regions
    for region, offer in model.offers.items():
        if region in other.rates:
            assert offer.requests_per_minute <= other.rates[region].requests_per_minute
            assert offer.tokens_per_minute <= other.rates[region].tokens_per_minute
    if name in TEXT:
        assert (model.batch_inputs, model.max_tokens, model.sparse) == (other.texts, other.tokens, other.newer)
        return
    side = model.media
    assert model.max_tokens <= other.text_tokens
    assert model.batch_inputs <= other.contents
    assert side.images <= max(other.images, other.views)
    assert side.per_request["image"] <= other.images
    assert side.per_request["video"] <= other.videos
    assert side.sets == bool(other.views)
    assert side.rules.max_image_bytes <= other.image_bytes
    assert side.rules.max_video_bytes <= other.video_bytes


@pytest.mark.parametrize("name", MEDIA)
def test_the_rules_for_media_hold_on_both_sides_of_every_limit(name):
    rules = info_of(name, region="beijing").media_rules
    good: dict[str, Any] = {"width": 640, "height": 480, "duration_s": 0.0, "frames": 1}
    for media_type in rules.image_formats:
        image = Facts("image", media_type, size=rules.max_image_bytes, **good)
        check(image, rules, inline=True)  # the largest image can also be sent as Base64
        with pytest.raises(InputError, match="MiB"):
            check(Facts("image", media_type, size=rules.max_image_bytes + 1, **good), rules)
    for media_type in rules.video_formats:
        codec = next(iter(rules.video_codecs), "")
        check(Facts("video", media_type, size=rules.max_video_bytes, codec=codec, **good), rules)
        with pytest.raises(InputError, match="MiB"):
            check(Facts("video", media_type, size=rules.max_video_bytes + 1, codec=codec, **good), rules)
    for bad in (
        Facts("image", "image/svg+xml", size=1, **good),
        Facts("image", "image/gif", size=1, **good),
        Facts("video", "video/x-ms-wmv", size=1, **good),
    ):
        with pytest.raises(InputError, match="the model takes"):
            check(bad, rules)


def test_prices_given_in_yuan_follow_the_vendors_own_pair():
    beijing = MODELS["text-embedding-v4"].offers["beijing"]
    assert (beijing.price, beijing.batch_price) == (0.069, 0.0345)  # ¥0.5 and ¥0.25
    assert MODELS["text-embedding-v1"].offers["beijing"].price == pytest.approx(0.7 / 0.5 * 0.069)


def test_the_spec_sets_another_price():
    assert info_of("text-embedding-v4", price_per_million_tokens=1.5).price_per_million_tokens == 1.5
    assert info_of("tongyi-embedding-vision-flash", price_per_million_tokens=0).price_per_million_tokens == 0


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("text-embedding-v5", "did you mean dashscope/text-embedding-v4?"),
        ("text-embeding-v3", "did you mean dashscope/text-embedding-v3?"),
        ("tongyi-vision-plus", "did you mean dashscope/tongyi-embedding-vision-plus?"),
        ("nothing", "there are text-embedding-v4, text-embedding-v3"),
    ],
)
def test_an_unknown_model_is_met_with_the_nearest_and_another_way(name, hint):
    with pytest.raises(ConfigurationError) as caught:
        open_provider(spec_of(name))
    assert hint in str(caught.value)
    assert f"openai/{name}" in str(caught.value)


def test_a_text_model_for_media_is_refused_before_anything_is_asked():
    spec = MediaEmbeddingSpec.of({"model": "dashscope/text-embedding-v4", "api_key": KEY, "fuse": True})
    with pytest.raises(ConfigurationError, match=r"media\.embedding\.fuse"):
        open_provider(spec)
    assert open_provider(spec_of("text-embedding-v4")).info.modalities == {"text"}


# Regions and addresses


@pytest.mark.parametrize(
    ("base_url", "region", "address"),
    [
        ("", "singapore", "https://dashscope-intl.aliyuncs.com/api/v1"),
        ("", "beijing", "https://dashscope.aliyuncs.com/api/v1"),
        ("", "hongkong", "https://cn-hongkong.dashscope.aliyuncs.com/api/v1"),
        ("", "us", "https://dashscope-us.aliyuncs.com/api/v1"),
        ("https://dashscope.aliyuncs.com/api/v1/", "singapore", "https://dashscope.aliyuncs.com/api/v1"),
        ("https://dashscope.aliyuncs.com", "singapore", "https://dashscope.aliyuncs.com/api/v1"),
        ("https://dashscope.aliyuncs.com/compatible-mode/v1", "us", "https://dashscope.aliyuncs.com/api/v1"),
        ("http://127.0.0.1:8000/compatible-mode/v1/embeddings", "us", "http://127.0.0.1:8000/api/v1"),
        (
            "https://dashscope.aliyuncs.com/api/v1/services/embeddings/text-embedding/text-embedding",
            "us",
            "https://dashscope.aliyuncs.com/api/v1",
        ),
        ("http://[::1]:8000", "singapore", "http://[::1]:8000/api/v1"),
        ("http://proxy.example/dash/api/v1", "singapore", "http://proxy.example/dash/api/v1"),
        ("http://proxy.example/dash/compatible-mode/v1", "singapore", "http://proxy.example/dash/api/v1"),
        ("https://ws.ap-southeast-1.maas.aliyuncs.com", "us", "https://ws.ap-southeast-1.maas.aliyuncs.com/api/v1"),
    ],
)
def test_an_address_is_understood_however_it_is_written(base_url, region, address):
    assert address_of(base_url, region, field="embedding.base_url") == address


@pytest.mark.parametrize(
    "base_url",
    [
        "https://dashscope.aliyuncs.com/api/v2",
        "https://dashscope.aliyuncs.com/v1",
        "dashscope.aliyuncs.com/api/v1",
        "https://user:pw@dashscope.aliyuncs.com/api/v1",
        "https://dashscope.aliyuncs.com/api/v1?key=pw",
        "https:///api/v1",
    ],
)
def test_an_address_that_cannot_be_right_is_refused_without_its_secrets(base_url):
    with pytest.raises(ConfigurationError, match=r"^media\.embedding\.base_url: ") as caught:
        address_of(base_url, "singapore", field="media.embedding.base_url")
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "region"),
    [
        *((region.host, region.name) for region in REGIONS.values() if region.host),
        *((f"llm-ws1.{region.code}.maas.aliyuncs.com", region.name) for region in REGIONS.values()),
        ("dashscope-finance.aliyuncs.com", ""),
        ("ws.mars-north-1.maas.aliyuncs.com", ""),
        ("dashscope.aliyuncs.com.example.com", ""),
        ("localhost", ""),
    ],
)
def test_a_host_tells_its_region(host, region):
    assert region_of(host) == region
    assert is_dashscope(host) == host.endswith(".aliyuncs.com")
    assert place_of(f"https://{host}/api/v1") == (f"{host} ({REGIONS[region].title})" if region else host)


@given(st.from_regex(r"[a-z0-9.-]{1,40}", fullmatch=True))
def test_no_foreign_host_passes_for_dashscope(host):
    assert not is_dashscope(host + ".example")
    assert not is_dashscope(host.removesuffix(".aliyuncs.com"))


def test_loopback_is_told_from_other_addresses():
    assert all(map(is_loopback, ["localhost", "127.0.0.1", "127.8.9.1", "::1", "emulator.localhost"]))
    assert not any(map(is_loopback, ["10.0.0.1", "example.com", "localhost.example.com", "0.0.0.0", "::"]))


def test_the_address_decides_the_region_its_prices_and_what_is_served():
    host = "https://ws.cn-beijing.maas.aliyuncs.com"
    assert info_of("text-embedding-v4", base_url=host).region == "beijing"
    assert info_of("text-embedding-v4", base_url=host).price_per_million_tokens == 0.069
    with pytest.raises(ConfigurationError, match=r"not in Singapore"):
        info_of("qwen3-vl-embedding", region="beijing", base_url="https://dashscope-intl.aliyuncs.com/api/v1")


def test_where_no_page_says_what_is_served_an_address_is_believed():
    with pytest.raises(
        ConfigurationError, match=r"not in US \(Virginia\)\. If your account has it there, set embedding"
    ):
        info_of("text-embedding-v4", region="us")
    info = info_of("text-embedding-v4", base_url="https://dashscope-us.aliyuncs.com/api/v1")
    assert (info.region, info.price_per_million_tokens) == ("us", None)


def test_the_region_is_no_part_of_a_vectors_space():
    assert (
        info_of("text-embedding-v4").space
        == info_of("text-embedding-v4", region="hongkong").space
        != info_of("text-embedding-v4", output_type="dense&sparse").space
    )


# The key


def test_a_missing_key_names_the_variable_and_the_region():
    spec = DashScopeSpec(model="dashscope/text-embedding-v4", region="beijing")
    with pytest.raises(ConfigurationError, match=r"DASHSCOPE_API_KEY to one made for Beijing.*embedding\.region"):
        open_provider(spec)


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:9/api/v1", "http://localhost:9", "http://[::1]:9"])
def test_an_emulator_on_this_machine_can_be_tried_without_a_key(base_url):
    assert open_provider(EmbeddingSpec(model="dashscope/text-embedding-v4", base_url=base_url)).info
    with pytest.raises(ConfigurationError, match="needs a key"):
        open_provider(EmbeddingSpec(model="dashscope/text-embedding-v4", base_url="http://192.0.2.1/api/v1"))


@pytest.mark.parametrize("key", ["sk-line\nbreak", "sk-ümlaut", "sk-tab\there"])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key):
    for fields in ({"api_key": key}, {"workspace": key}):
        with pytest.raises(ConfigurationError, match="copied whole") as caught:
            open_provider(spec_of("text-embedding-v4", **fields))
        assert key not in str(caught.value)


def test_the_key_is_in_no_repr():
    provider = DashScopeText(spec_of("text-embedding-v4"), read_settings())
    for thing in (provider, provider.info, provider._connection, provider._connection.service):
        assert KEY not in repr(thing)


@pytest.mark.parametrize(("name", "region"), OFFERS)
def test_each_price_says_which_page_it_is_from(name, region):
    page = MODELS[name].offers[region].page
    assert page is not None
    assert page.url.startswith(("https://help.aliyun.com/", "https://www.alibabacloud.com/help/"))


def test_a_price_says_when_it_was_read_and_is_warned_of_half_a_year_later():
    info = info_of("text-embedding-v4")
    assert info.priced_on == READ
    assert stale_price(info, READ + timedelta(days=180)) == []
    (note,) = stale_price(info, READ + timedelta(days=181))
    assert "the price of dashscope/text-embedding-v4 was read on 28 November 2026, more than 180 days ago" in note
    assert stale_price(info_of("text-embedding-v4", price_per_million_tokens=1.0), date(2040, 1, 1)) == []


def test_a_workspace_has_a_host_of_its_own():
    provider: Any = open_provider(
        spec_of("text-embedding-v4", region="beijing", host="workspace", workspace="ws-1a2b3c")
    )
    assert provider._connection.service.url == "https://ws-1a2b3c.cn-beijing.maas.aliyuncs.com/api/v1"
    assert (provider.info.region, provider.info.price_per_million_tokens) == ("beijing", 0.069)
    for workspace in ("", "a.evil.example/", "-x"):
        with pytest.raises(ConfigurationError, match=r"embedding\.host: workspace needs embedding\.workspace"):
            open_provider(spec_of("text-embedding-v4", host="workspace", workspace=workspace))


@pytest.mark.parametrize("field", ["max_video_frames", "res_level"])
def test_only_the_newest_models_take_frames_and_resolutions(field):
    with pytest.raises(ConfigurationError, match=rf"{field}: dashscope/tongyi-embedding-vision-plus "):
        info_of("tongyi-embedding-vision-plus", **{field: 2})
    newest = {"name": "tongyi-embedding-vision-plus-2026-03-06", "region": "beijing"}
    plain, other = info_of(**newest), info_of(**newest, **{field: 2})
    assert plain.space != other.space, "other vectors"
    assert plain.media_tokens["video"] != other.media_tokens["video"]
