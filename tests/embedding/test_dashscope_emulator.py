"""DashScope's own protocol against the emulator, which was written from the same pages by somebody else."""

import asyncio
import io

import numpy as np
import pytest
from dashscope_service import KEY, MULTIMODAL, TEXTS, ask, embed, spec_for, words

from relance.config.settings import read_settings
from relance.documents import Media
from relance.embedding.providers.dashscope.media import DashScopeMedia
from relance.embedding.providers.dashscope.models import MODELS
from relance.errors import AccountError
from relance_emulator import EmulatorConfig, running


def picture(colour="red"):
    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return Media("image", data=(out.getvalue(),), media_types=("image/png",), content_hash=colour)


@pytest.mark.parametrize("name", TEXTS)
def test_the_emulator_takes_the_fullest_request_of_every_text_model(emulator, name):
    model = MODELS[name]
    shortest = min(next(iter(model.offers.values())).dimensions or model.dimensions)
    spec = spec_for(emulator.url, name, dimension=shortest)
    reply = ask(spec, [f"text number {n}" for n in range(model.batch_inputs)], input_type="query")
    assert reply.vectors.shape == (model.batch_inputs, shortest)
    np.testing.assert_allclose(np.linalg.norm(reply.vectors, axis=1), 1, rtol=1e-3)
    longest = words(min(model.max_tokens - 1, 20_000))
    assert ask(spec, [longest]).tokens >= min(model.max_tokens - 1, 20_000)


@pytest.mark.parametrize("name", [name for name in TEXTS if MODELS[name].sparse])
def test_the_emulator_makes_each_kind_of_vector(emulator, name):
    texts = ["wind and water", "风"]
    both = ask(spec_for(emulator.url, name, output_type="dense&sparse"), texts)
    sparse = ask(spec_for(emulator.url, name, output_type="sparse"), texts)
    dense = ask(spec_for(emulator.url, name), texts)
    np.testing.assert_array_equal(both.vectors, dense.vectors)
    assert both.sparse == sparse.sparse
    assert sparse.vectors.shape == (2, 0)
    assert dense.sparse is None


@pytest.mark.parametrize("name", MULTIMODAL)
def test_the_emulator_takes_words_and_pictures_of_every_model(emulator, name):
    spec = spec_for(emulator.url, name)
    for inputs in (["a red picture"], [picture()]):
        reply = ask(spec, inputs)
        assert reply.vectors.shape == (1, MODELS[name].dimensions[0])
        assert reply.tokens > 0
        prices = next(iter(MODELS[name].offers.values()))
        assert (reply.cost_usd is None) == (prices.media_price is None)


@pytest.mark.parametrize("name", [name for name in MULTIMODAL if MODELS[name].media.fusion])
def test_the_emulator_fuses_picture_and_caption_into_one_vector(emulator, name):
    spec = spec_for(emulator.url, name, fuse=True)
    plain, captioned = picture(), picture()
    captioned = Media("image", data=captioned.data, media_types=captioned.media_types, caption="a boat at sea")
    one, other = ask(spec, [plain]).vectors, ask(spec, [captioned]).vectors
    assert one.shape == other.shape == (1, MODELS[name].dimensions[0])
    assert not np.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("name", [name for name in MULTIMODAL if MODELS[name].media.sets])
def test_the_emulator_makes_one_vector_of_a_set(emulator, name):
    views = Media("images", data=picture().data + picture("blue").data, media_types=("image/png",) * 2)
    assert ask(spec_for(emulator.url, name), [views, "hi"]).vectors.shape == (2, MODELS[name].dimensions[0])


def video():
    """Half a second of blue."""
    import av

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            frame = np.zeros((48, 64, 3), dtype=np.uint8)
            frame[..., 2] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def test_files_lent_to_the_emulator_are_found_again(emulator):
    async def main():
        spec = spec_for(emulator.url, "tongyi-embedding-vision-plus", region="beijing")
        provider = DashScopeMedia(spec, read_settings())
        try:
            address = await provider.upload(picture().data[0], "red.png", "image/png")
            film = await provider.upload(video(), "blue.mp4", "video/mp4")
            lent = [Media("image", urls=(address,)), Media("video", urls=(film,))]
            return (
                await provider.embed(lent, input_type="document"),
                await provider.embed([picture()], input_type="document"),
            )
        finally:
            await provider.aclose()

    lent, sent = asyncio.run(main())
    np.testing.assert_allclose(lent.vectors[:1], sent.vectors, atol=1e-6)  # a batch is rounded otherwise
    assert lent.vectors.shape == (2, 1152)


@pytest.mark.parametrize(
    "action", ["reset", "truncated", "ok_with_code", "html", "missing_item", "Throttling.RateQuota", "RequestTimeOut"]
)
def test_what_passes_is_waited_out_at_the_emulator(emulator, action):
    emulator.faults([{"action": action, "times": 1, "kind": "text"}])
    result = embed(spec_for(emulator.url), [f"{action} {n}" for n in range(10)])
    assert (result.failures, result.requests, result.embedded) == ({}, 2, 10)


@pytest.mark.parametrize("action", ["shuffled", "missing_usage", "gzip"])
def test_what_is_odd_but_right_is_taken_at_the_emulator(emulator, action):
    spec = spec_for(emulator.url)
    expected = embed(spec, ["one", "two", "three"]).vectors
    emulator.faults([{"action": action, "times": 1, "kind": "text"}])
    result = embed(spec, ["one", "two", "three"])
    np.testing.assert_array_equal(result.vectors, expected)
    assert result.requests == 1
    assert result.tokens > 0


@pytest.mark.parametrize("action", ["InvalidApiKey", "Arrearage", "AllocationQuota.FreeTierOnly", "FreeAllocatedQuota"])
def test_an_account_error_of_the_emulator_ends_everything_after_one_request(emulator, action):
    emulator.faults([{"action": action, "kind": "text"}])
    with pytest.raises(AccountError, match=r"127\.0\.0\.1"):
        embed(spec_for(emulator.url, max_concurrency=1), [f"{action} {n}" for n in range(50)])
    assert emulator.stats()["requests"] == 1


def test_a_key_of_another_region_is_refused_with_a_sentence_that_says_so():
    config = EmulatorConfig(vectors="hash", keys={KEY: "beijing"}, region="singapore")
    with running(config) as url, pytest.raises(AccountError, match="a key works only in the region it was made in"):
        ask(spec_for(url), ["a"])
