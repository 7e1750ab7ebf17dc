"""Which words of a text are marked, and which passage is shown."""

from __future__ import annotations

import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relance.search import best_passage, highlights


@pytest.mark.parametrize(
    ("query", "text", "marked"),
    [
        ("river gauge", "A River Gauge measures the river.", ["River", "Gauge", "river"]),
        ("gauge", "Gauges are no gauge.", ["gauge"]),
        ("how is the river", "How the river is.", ["river"]),
        ("who is it", "Who is it?", ["Who", "is", "it"]),
        ("cafe SAONE", "Le Café de la Saône; café.", ["Café", "Saône", "café"]),
        ("Café", "un cafe\u0301 noir", ["cafe\u0301"]),
        ("STRASSE", "Die Straße.", ["Straße"]),
        ("传感器 多久上传一次数据", "传感器安装在桥墩上，每小时上传一次数据。", ["传感器", "上传一次数据"]),
        ("桥", "传感器安装在桥墩上。", ["桥"]),
        ("桥墩", "桥在墩上。", []),
        ("LanceDB的索引", "用LanceDB建索引。", ["LanceDB", "索引"]),
        ("ｆｕｌｌ　ｗｉｄｔｈ", "full width", ["full", "width"]),
        ("42 km", "It is 42 km, not 420.", ["42", "km"]),
        ("zeros", "Call numpy.zeros now.", ["zeros"]),
        ("open_valve", "valve.open_valve(30)", ["open_valve"]),
        ("max_tokens", "self.max_tokens, max", ["max_tokens"]),
        ("tokens", "self.max_tokens", ["tokens"]),
        ("1.2.3", "v1.2.3, 2 and 11.2.3", ["1.2.3"]),
        ("user", "getUserName USER_ID", ["User", "USER"]),
        ("getusername user", "getUserName", ["getUserName"]),
        ("3.14", "3.14, 3, 14", ["3.14"]),
        ("Größe", "GRÖSSE_MAX", ["GRÖSSE"]),
        ("", "text", []),
        ("🦀 +++", "a 🦀 +++", []),
        ("word", "", []),
    ],
)
def test_words_of_the_question_are_marked_whole_without_case_and_accents(
    query: str, text: str, marked: list[str]
) -> None:
    assert [text[start:end] for start, end in highlights(query, text)] == marked


words = st.sampled_from(
    ["river", "Straße", "café", "cafe\u0301", "İstanbul", "传感器", "桥", "ﬁn", "🦀", "a\u0308", " ", ".", "\n"]
)
texts = st.lists(words | st.characters(), max_size=60).map("".join)


@given(query=texts, text=texts)
@example(query="عليه الله", text="ﷺ")
@example(query="1 2", text="½")
def test_spans_are_in_order_and_within_and_what_they_hold_is_asked_for(query: str, text: str) -> None:
    spans, (first, last) = best_passage(query, text)
    assert 0 <= first <= last <= len(text)
    assert last - first <= 300
    assert [place for span in spans for place in span] == sorted(place for span in spans for place in span)
    for start, end in spans:
        assert 0 <= start < end <= len(text)
        assert folded(text[start:end]) in folded(query) or len(text[start:end]) > 2


def folded(text: str) -> str:
    plain = (unicodedata.normalize("NFKD", letter.casefold()) for letter in text)
    return "".join(letter for part in plain for letter in part if not unicodedata.combining(letter))


@pytest.mark.parametrize(
    "text",
    [
        "Die Straße nach MÜNCHEN, die straßen … 3 m² und m2, ½ Pumpe, naïve Café–Pumpen.",
        "The running Pump runs v1.2 and 1.2.3, not 1.2; x².5 too.",
        "max_tokens, getName, HTTPServer and name-server’s names",
        "",
    ],
)
@pytest.mark.parametrize("query", ["strasse münchen m2", "running pumps 1.2.3", "name server tokens cafe", "2.5 ½ 3"])
@pytest.mark.parametrize("language", ["none", "german", "english"])
def test_texts_in_latin_letters_are_marked_as_those_that_are_not(query: str, text: str, language: str) -> None:
    assert highlights(query, text, language) == highlights(query, f"{text} 好", language)


def test_the_passage_is_the_one_with_most_of_the_words() -> None:
    filler = "Nothing of that kind is to be found in this sentence, however long it may be. " * 8
    text = f"{filler}The river is here. {filler}The river gauge in winter is what was asked for. {filler}"
    spans, (start, end) = best_passage("river gauge in winter", text)
    assert "The river gauge in winter is what was asked for." in text[start:end]
    assert 200 <= end - start <= 300
    assert (text[start - 1], text[end]) == (" ", " "), "words are whole"
    assert [text[a:b] for a, b in spans] == ["river", "river", "gauge", "winter"]


@pytest.mark.parametrize("text", ["short", "x" * 1000, "word " * 200, "汉" * 1000, ""])
def test_without_a_word_of_the_question_it_is_the_beginning(text: str) -> None:
    _, (start, end) = best_passage("river", text)
    assert start == 0
    assert end <= 300
    assert end == len(text) or end >= 280


def test_many_searches_at_once_find_the_endings_of_words() -> None:
    words = [f"{stem}{number}ization{ending}" for number in range(400) for stem in ("gauge", "river")
             for ending in ("", "s", "al")]  # fmt: skip
    texts = [" ".join(words[at : at + 12]) for at in range(0, len(words), 12)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda text: best_passage(text, text, "english")[0], texts * 4))
    assert all(found)
