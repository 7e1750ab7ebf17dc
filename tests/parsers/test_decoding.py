"""Bytes become the text that was written, whatever the encoding."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance.errors import DocumentError
from relance.parsers.decoding import clean, clean_all, codec, decode, detect

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
UKRAINIAN = "Щоранку мешканці міста виходять на берег річки й ловлять рибу, а їхні діти граються."
HEBREW = "בכל בוקר יוצאים תושבי העיר אל גדת הנהר ודגים דגים. המקום שקט מאוד."
ARABIC = "كل صباح يخرج سكان المدينة إلى ضفة النهر ويصطادون السمك في هدوء."
GREEK = "Κάθε πρωί οι κάτοικοι της πόλης βγαίνουν στην όχθη του ποταμού και ψαρεύουν."
TURKISH = "Her sabah şehrin sakinleri nehir kıyısına çıkar ve balık tutar. Çok güzel, ağaçlı bir yer."
THAI = "ทุกเช้าชาวเมืองออกไปที่ริมแม่น้ำและจับปลา เป็นสถานที่ที่เงียบสงบมาก"
LITHUANIAN = "Kiekvieną rytą miesto gyventojai išeina prie upės ir gaudo žuvį. Čia labai gražu ir ramu, šviečia saulė."

WRITTEN = [
    *[(SIMPLIFIED, name) for name in ("utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be")],
    *[(TRADITIONAL, name) for name in ("big5", "utf-16-le", "utf-32", "utf-32-le")],
    *[(JAPANESE, name) for name in ("shift_jis", "euc-jp", "utf-16-be")],
    (KOREAN, "euc-kr"),
    *[(FRENCH, name) for name in ("latin-1", "cp1252", "utf-16-le", "utf-16-be", "utf-32-be")],
    (GERMAN, "latin-1"),
    *[(POLISH, name) for name in ("cp1250", "iso8859-2")],
    *[(RUSSIAN, name) for name in ("cp1251", "koi8-r", "cp866", "iso8859-5", "utf-16-le")],
    (UKRAINIAN, "cp1251"),
    (HEBREW, "cp1255"),
    *[(ARABIC, name) for name in ("cp1256", "iso8859-6")],
    (GREEK, "cp1253"),
    (TURKISH, "cp1254"),
    (THAI, "cp874"),
    (LITHUANIAN, "cp1257"),
    *[(JAPANESE, name) for name in ("iso2022-jp", "iso2022-jp-2")],
    (KOREAN, "iso2022-kr"),
    (GERMAN, "cp850"),
    (FRENCH, "mac-roman"),
]


@pytest.mark.parametrize(("text", "encoding"), WRITTEN, ids=[f"{e}-{t[:6]}" for t, e in WRITTEN])
def test_a_paragraph_is_read_in_the_encoding_it_was_written_in(text, encoding):
    assert decode(text.encode(encoding), "a.txt") == text


@pytest.mark.parametrize("text", ["Café crème", "naïve", "Müller", "今天天气很好", "– “quoted” – it’s fine"])
def test_a_few_words_are_enough(text):
    encoding = "gbk" if "今" in text else "cp1252"
    assert decode(text.encode(encoding), "a.txt") == text


@pytest.mark.parametrize("text", ["Hi", "é", "no\n", "第一，最后一页 7", "ĀBOLI UN ĪRISI", "Крым 7", "─ ─ ─\n"])
def test_a_few_words_in_utf16_without_a_mark_are_enough(text):
    for encoding in ("utf-16-le", "utf-16-be"):
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


@pytest.mark.parametrize(
    ("text", "damage"),
    [
        (SIMPLIFIED, b"\xff"),
        ("It’s the operator’s job. The “red” lamp – and only that one – means stop.", b"\x92"),
        ("The pump costs 500 € and the café is open.", b"\xe9"),
        ("Ein schöner Tag", b"\x80"),
        (RUSSIAN, b"\xd0"),
    ],
)
def test_a_damaged_byte_costs_a_character_not_the_document(text, damage):
    warnings = []
    data = text.encode() + damage + b" and so on. " + text.encode()
    assert decode(data, "a.txt", warnings=warnings) == f"{text}\ufffd and so on. {text}"
    assert warnings == ["1 damaged character (\ufffd in the text): it is not quite UTF-8"]


def test_a_replacement_character_that_was_written_is_no_damage():
    warnings = []
    assert decode("a \ufffd b".encode(), "a.txt", warnings=warnings) == "a \ufffd b"
    assert not warnings


@pytest.mark.parametrize(
    ("text", "encoding"), [("שלום עולם", "cp1255"), ("中文", "gbk"), ("naïve", "cp1252"), ("日本語", "shift_jis")]
)
def test_of_a_few_words_the_encoding_is_said_to_be_a_guess(text, encoding):
    warnings = []
    assert decode(text.encode(encoding), "a.txt", warnings=warnings) == text
    (warning,) = warnings
    assert warning.startswith("its encoding is a guess: ")
    assert decode(text.encode(encoding), "a.txt", encoding=encoding, warnings=warnings) == text
    assert len(warnings) == 1, "what the user says is no guess"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(text * 4, name) for text, name in WRITTEN if name not in {"latin-1", "iso8859-2"}],
    ids=[f"{name}-{text[:6]}" for text, name in WRITTEN if name not in {"latin-1", "iso8859-2"}],
)
def test_of_a_long_text_it_is_none(text, encoding):
    warnings = []
    assert decode(text.encode(encoding), "a.txt", warnings=warnings) == text
    assert not warnings


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("da\u00adta\u200bba\u2060se\ufeff", "database"),
        ("\x1b[1;31merror\x1b[0m: \x1b]8;;http://a.test\x07link\x1b]8;;\x07", "error: link"),
        ("N\x08NA\x08AM\x08ME\x08E _\x08x", "NAME x"),
        ("a\x00b\x7fc\x93d", "abcd"),
        ("one\u2028two\u2029three\x85four\rfive", "one\ntwo\nthree\nfour\nfive"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क्\u200dष 👩\u200d🔬 ❤\ufe0f", "क्\u200dष 👩\u200d🔬 ❤\ufe0f"),
        ("שלום\u200f!", "שלום\u200f!"),
        ("cafe\u200b\u0301", "café"),
    ],
)
def test_what_nobody_sees_leaves_the_text_and_what_spells_stays(written, text):
    assert clean(written) == text
    assert clean_all(["plain", written]) == ["plain", text]
    assert clean(clean(written)) == text


@pytest.mark.parametrize("unit", ["\x1b[", "\x1b]", "\x08", "a\x08", "\x1b", "\u200b", "\xad", "\x9b0"])
def test_cleaning_takes_linear_time(unit):
    began = time.process_time()
    clean(unit * (500_000 // len(unit)))
    assert time.process_time() - began < 3


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
        b"ab\0\x01",
        b"ab\0\x01cd\0\x02",
        b"\0\x01\x02\x03",
        b"xy\0\0",
        b"ab\0",
        b"\0\x01",
        b"GIF89a\x01\0\x01\0",
        b"\x7fELF\x02\x01\x01\0",
    ],
    ids=["png", "elf", "controls", "zero", "number", "numbers", "bytes", "zeros", "odd", "two", "gif", "short elf"],
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
