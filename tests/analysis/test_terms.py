"""Terms say what a group of texts is about, in its own language, and not how that language works."""

from __future__ import annotations

import pytest

from relance.analysis.terms import distinguishing_terms, terms_of

SAILING = [
    "The sailing boat crossed the harbour with its mast down.",
    "In the harbour every sailing boat lowers its mast and its sails.",
    "A mast of wood is what this sailing boat had when it left.",
]
BREAD = [
    "The sourdough is baked in the oven until the crust is dark.",
    "Flour and water make the sourdough; the oven makes the crust.",
    "This is what the crust of a sourdough looks like in the oven.",
]
# The texts of the vendor's page about embeddings, and some more of their kind.
COMPANIES = ["手機公司A發售新款手機", "搜尋引擎公司B推出新款系統", "某公司發布最新AI晶片", "這家公司的新款手機很受歡迎"]
SPORTS = [
    "世界盃決賽阿根廷對陣法國",
    "奧運會中國隊再添一金",
    "歐洲杯賽事報道：決賽今晚開始",
    "中國隊在奧運會決賽中獲勝",
]
FOOTBALL = [
    "赵鹏，中国足球运动员，司职后卫，2002年进入一线队。",
    "邹游是中国足球运动员，司职中场，开始了职业足球生涯。",
    "张世昌，中国足球运动员，司职守门员，以出众的身体协调性闻名。",
]
STATIONS = [
    "固始站是宁西铁路上的一座车站，位于河南省固始县。",
    "嘉善南站是沪昆客运专线的一个车站，位于浙江省，是一座铁路车站。",
    "武藏浦和站是一个位于埼玉县的铁路车站，是东日本旅客铁道的车站。",
]


def test_english_groups_are_named_by_what_they_are_about():
    sailing, bread = distinguishing_terms([SAILING, BREAD])
    assert set(sailing[:3]) <= {"sailing boat", "harbour", "mast"}
    assert set(bread[:3]) <= {"sourdough", "crust", "oven"}
    for term in sailing + bread:
        assert term.lower() not in {"the", "is", "in", "its", "this", "what", "and"}


def test_chinese_groups_are_named_by_words_not_by_halves_of_them():
    football, stations = distinguishing_terms([FOOTBALL, STATIONS])
    assert any("足球" in term for term in football[:3])
    assert "司职" in football[:4]
    assert any("车站" in term for term in stations[:3])
    for term in football + stations:
        assert len(term) > 1
        assert term[0] not in "的了是在"
        assert term[-1] not in "的了是在"


def test_the_vendor_page_in_traditional_characters():
    companies, sports = distinguishing_terms([COMPANIES, SPORTS])
    assert {"公司", "手機"} & set(companies[:3])
    assert {"決賽", "奧運會", "中國隊"} & set(sports[:3])


def test_both_languages_at_once():
    groups = distinguishing_terms([SAILING, FOOTBALL])
    assert "sailing boat" in groups[0]
    assert any("足球" in term for term in groups[1])


def test_what_is_as_common_elsewhere_is_no_term():
    shared = [f"{text} Rivelune measures rivers." for text in SAILING], [f"{text} Rivelune measures." for text in BREAD]
    for terms in distinguishing_terms(list(shared)):
        assert not any("rivelune" in term.lower() or term == "measures" for term in terms)


def test_texts_of_no_group_count_against_a_term():
    assert "harbour" in distinguishing_terms([SAILING])[0]
    elsewhere = [f"harbour {number}" for number in range(20)]
    assert "harbour" not in distinguishing_terms([SAILING], background=elsewhere)[0]


def test_terms_are_written_as_they_mostly_are():
    texts = ["LoRa links", "LoRa antennas", "a lora module"]
    assert distinguishing_terms([texts, ["bread", "butter"]])[0][0] == "LoRa"


def test_one_name_for_one_thing():
    terms = distinguishing_terms([["panel flutter", "panels flutter", "panel flutter of panels"], ["jet", "jets"]])[0]
    assert not {"panel", "panels"} <= set(terms)
    assert len(terms) == len(set(terms))


def test_a_hyphen_makes_no_other_term():
    texts = ["shock waves meet", "shock-waves part", "shock waves end", "shock-waves bend", "weak shock waves"]
    terms = distinguishing_terms([texts, ["bread", "butter"]])[0]
    assert len({term.replace("-", " ") for term in terms} & {"shock waves"}) == 1
    assert not {"shock waves", "shock-waves"} <= set(terms)


@pytest.mark.parametrize("groups", [[], [[]], [[""]], [["", "  "], ["1 2 3", "——"]], [["的了是", "一二三"], ["的"]]])
def test_texts_without_words_have_no_terms(groups):
    assert distinguishing_terms(groups) == [[] for _ in groups]


def test_units_after_numbers_and_numerals_are_no_terms():
    found = {term.text for term in terms_of("1949年至1952年，十五年，3公里") if len(term.text) > 1}
    assert not any(term.startswith("年") for term in found)
    assert distinguishing_terms([["十五", "十五"], ["车站", "车站"]])[0] == []


def test_other_scripts():
    russian = ["Река и мост", "Мост через реку", "Старый мост"]
    japanese = ["東京タワーに行きました", "タワーは東京にあります"]
    groups = distinguishing_terms([russian, japanese])
    assert groups[0][0].lower() == "мост"
    assert {"タワー", "東京"} <= set(groups[1])
