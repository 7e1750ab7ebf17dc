"""The limits of DashScope's models on one request, on both sides of each."""

import numpy as np
import pytest
from dashscope_service import MULTIMODAL, TEXTS, ask, embed, spec_for, words

from relance.documents import Media
from relance.embedding.providers import open_provider
from relance.embedding.providers.dashscope.models import MODELS
from relance.errors import InputError

SERVICE = "dashscope_service"


@pytest.mark.parametrize("name", TEXTS)
def test_a_request_has_as_many_texts_as_the_model_takes_and_no_more(service, name):
    most = MODELS[name].batch_inputs
    texts = [f"text {n}" for n in range(most + 1)]
    for count, sizes in ((most, [most]), (most + 1, [most, 1])):
        service.bodies.clear()
        embed(spec_for(service.url, name, max_concurrency=1), texts[:count])
        assert [len(body["input"]["texts"]) for body in service.bodies] == sizes
    with pytest.raises(InputError, match=f"takes {most} inputs at once, not {most + 1}"):
        ask(spec_for(service.url, name), texts)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_of_the_last_token_is_sent_and_one_more_is_refused_before(service, name):
    spec = spec_for(service.url, name, tokens_per_minute=10**9)
    most = MODELS[name].max_tokens - 1  # the service counts the end of a text as one more
    assert open_provider(spec).tokenizer.count([words(most)]).tolist() == [most]
    result = embed(spec, [words(most), words(most + 1)])
    assert result.failures.keys() == {1}
    assert f"{most + 1:,} tokens" in result.failures[1]
    assert sum(len(body["input"]["texts"]) for body in service.bodies) == 1


@pytest.mark.parametrize("name", [name for name in TEXTS if MODELS[name].batch_tokens])
def test_the_tokens_of_a_request_stay_within_the_models_limit(service, name):
    model = MODELS[name]
    # As the service counts: each text with its end.
    half = model.batch_tokens // 2 - 1
    for texts, requests in (([words(half), words(half - 1)], 1), ([words(half), words(half + 1)], 2)):
        service.bodies.clear()
        embed(spec_for(service.url, name, tokens_per_minute=10**9), texts)
        assert len(service.bodies) == requests


@pytest.mark.parametrize("name", MULTIMODAL)
@pytest.mark.parametrize("kind", ["image", "video", "images"])
def test_a_request_has_as_many_media_as_the_model_takes_and_no_more(service, name, kind):
    side = MODELS[name].media
    spec = spec_for(service.url, name)
    if kind == "images" and not side.sets:
        with pytest.raises(InputError, match="no sets of images"):
            ask(spec, [Media("images", urls=("https://x.test/1.png", "https://x.test/2.png"))])
        assert not service.bodies
        return
    most = side.per_request[kind]
    media = [
        Media(kind, urls=(f"https://x.test/{n}",) * (1 + (kind == "images")), content_hash=str(n))
        for n in range(most + 1)
    ]
    for count, requests in ((most, 1), (most + 1, 2)):
        service.bodies.clear()
        result = embed(spec, media[:count], tokens=np.ones(count, dtype=np.int64))
        assert (result.failures, len(service.bodies)) == ({}, requests)


@pytest.mark.parametrize("name", [name for name in MULTIMODAL if MODELS[name].media.sets])
def test_a_set_has_as_many_images_as_the_model_takes_and_no_more(service, name):
    most = MODELS[name].media.images
    urls = tuple(f"https://x.test/{n}" for n in range(most + 1))
    ask(spec_for(service.url, name), [Media("images", urls=urls[:most])])
    assert len(service.bodies[0]["input"]["contents"][0]["multi_images"]) == most
    with pytest.raises(InputError, match=f"{most} images at once, not {most + 1}"):
        ask(spec_for(service.url, name), [Media("images", urls=urls)])
    assert len(service.bodies) == 1


def test_images_alone_and_in_sets_count_together(service):
    spec = spec_for(service.url, "tongyi-embedding-vision-plus")
    views = Media("images", urls=("https://x.test/a", "https://x.test/b"), content_hash="views")
    images = [Media("image", urls=(f"https://x.test/{n}",), content_hash=str(n)) for n in range(7)]
    with pytest.raises(InputError, match="8 images at once, not 9"):
        ask(spec, [views, *images])
    ask(spec, [views, *images[:6]])
    # Nobody has to know: the embedder sends them in parts.
    result = embed(spec, [views, *images], tokens=np.ones(8, dtype=np.int64))
    assert result.failures == {}
