"""Bytes become the text that was written, whatever the encoding."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import DocumentError
from relance.parsers.decoding import clean, codec, decode, detect

SIMPLIFIED = (
    "图书馆的开放时间是上午九点到下午五点，周末和国家法定假日不开放。读者可以在网上预约座位，也可以借阅十本书。"
)
TRADITIONAL = "圖書館的開放時間是上午九點到下午五點，週末和國定假日不開放。讀者可以在網路上預約座位，也可以借閱十本書。"
JAPANESE = "毎朝、町の人々は川のほとりに出て魚を釣ります。とても静かな場所です。"
KOREAN = "매일 아침 마을 사람들은 강가에 나가 물고기를 잡습니다."
FRENCH = "L'été dernier, nous avons visité un château près de la forêt ; c'était très agréable."
GERMAN = "Die Straße führt über die Brücke zum schönen Schloß, wo früher Könige lebten."
POLISH = "Wszystkie miasta leżą nad rzeką, a mieszkańcy łowią ryby każdego ranka. Źródło jest czyste."
RUSSIAN = "Каждое утро жители города выходят на берег реки и ловят рыбу."

WRITTEN = [
    *[(SIMPLIFIED, name) for name in ("utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be")],
    *[(TRADITIONAL, name) for name in ("big5", "utf-16-le", "utf-32", "utf-32-le")],
    *[(JAPANESE, name) for name in ("shift_jis", "euc-jp", "utf-16-be")],
    (KOREAN, "euc-kr"),
    *[(FRENCH, name) for name in ("latin-1", "cp1252", "utf-16-le", "utf-16-be", "utf-32-be")],
    (GERMAN, "latin-1"),
    *[(POLISH, name) for name in ("cp1250", "iso8859-2")],
    *[(RUSSIAN, name) for name in ("cp1251", "koi8-r", "utf-16-le")],
]


@pytest.mark.parametrize(("text", "encoding"), WRITTEN, ids=[f"{e}-{t[:6]}" for t, e in WRITTEN])
def test_a_paragraph_is_read_in_the_encoding_it_was_written_in(text, encoding):
    assert decode(text.encode(encoding), "a.txt") == text


@pytest.mark.parametrize("text", ["Café crème", "naïve", "Müller", "今天天气很好", "– “quoted” – it’s fine"])
def test_a_few_words_are_enough(text):
    encoding = "gbk" if "今" in text else "cp1252"
    assert decode(text.encode(encoding), "a.txt") == text


def test_long_text_is_judged_by_its_beginning_and_decoded_to_its_end():
    text = (SIMPLIFIED + "\n") * 3000
    assert decode(text.encode("gbk"), "a.txt") == text


@given(st.text())
def test_utf8_is_never_taken_for_anything_else(text):
    data = text.replace("\0", "").encode("utf-8", "replace")
    assert detect(data) in {"utf-8", "utf-8-sig", "utf-16"}  # the latter: a text that begins with U+FEFF's bytes
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        assert detect(data) != "utf-16"


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_clean_text_is_nfc_with_unix_line_ends_and_cleaning_it_again_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once or once.startswith("\ufeff")
    assert unicodedata.is_normalized("NFC", once)
    assert not set(once) & {"\r", "\0"}


@given(st.text())
def test_clean_text_can_be_stored_as_utf8(text):
    clean(text + "\ud83d").encode("utf-8")


def test_one_damaged_byte_costs_one_character_not_the_document():
    data = (SIMPLIFIED * 5).encode() + b"\xff" + SIMPLIFIED.encode()
    assert decode(data, "a.txt") == SIMPLIFIED * 5 + "\ufffd" + SIMPLIFIED


def test_what_the_user_says_wins_over_what_the_bytes_look_like():
    assert decode(FRENCH.encode(), "a.txt", encoding="latin-1") == FRENCH.encode().decode("cp1252", "replace")


def test_a_mark_wins_over_what_the_user_says():
    assert decode(FRENCH.encode("utf-16"), "a.txt", encoding="gb18030") == FRENCH


def test_a_declared_encoding_is_believed_only_if_the_text_is_not_utf8():
    assert decode("žluť".encode("cp1250"), "a.html", declared="cp1250") == "žluť"
    assert decode("žluť".encode(), "a.html", declared="cp1250") == "žluť"


def test_bytes_outside_the_given_encoding_are_named():
    with pytest.raises(DocumentError, match=r"^a\.txt: not valid utf-8 at byte 1; correct `encoding`"):
        decode(b"a\xff", "a.txt", encoding="utf-8")


@pytest.mark.parametrize(
    "data",
    [
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
        b"\x7fELF\x02\x01\x01" + bytes(600),
        bytes(range(1, 32)) * 20,
        b"text, then\0a zero",
    ],
    ids=["png", "elf", "controls", "zero"],
)
def test_binary_content_with_the_name_of_a_text_is_refused(data):
    with pytest.raises(DocumentError, match=r"binary content in a file named \.txt"):
        decode(data, "notes/a.txt")


@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_give_storable_text_or_a_plain_reason(data):
    try:
        text = decode(data, "a.txt")
    except DocumentError as error:
        assert error.uri == "a.txt"  # noqa: PT017  # either outcome is right
    else:
        text.encode("utf-8")
        assert not set(text) & {"\r", "\0"}


@pytest.mark.parametrize("label", ["no-such", "rot13", "hex", "base64"])
def test_what_is_no_text_encoding_is_refused(label):
    with pytest.raises(LookupError):
        codec(label)
