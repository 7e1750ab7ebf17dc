"""Pages that a browser saved with their pictures (MHTML)."""

import base64
import quopri

import pytest
from mutations import mutations, truncations
from parsing import read, reason

from relance.errors import DocumentError
from relance.parsers import Raw, installed_parsers

BODY = "Die Pumpe fördert Wasser aus dem unteren in den oberen Behälter."
HTML = f"<html lang=de><head><title>Pumpe | ACME</title></head><body><nav>Menü</nav><h1>Pumpe</h1><p>{BODY}</p><img src=cid:p alt=Zeichnung></body></html>"
PICTURE = (
    b"--B\r\nContent-Type: image/png\r\nContent-ID: <p>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n"
)


def saved(html=HTML, charset="utf-8", encode=quopri.encodestring, coding="quoted-printable", frames=b"", start=""):
    head = (
        "From: <Saved by Blink>\r\nSnapshot-Content-Location: https://x.example/pump\r\nSubject: =?utf-8?Q?P=C3=BCmp?=\r\n"
        f'MIME-Version: 1.0\r\nContent-Type: multipart/related; type="text/html"; boundary="B"{start}\r\n\r\n'
        f"--B\r\nContent-Type: text/html; charset={charset}\r\nContent-ID: <frame-1@x>\r\n"
        f"Content-Transfer-Encoding: {coding}\r\nContent-Location: https://x.example/pump\r\n\r\n"
    )
    return head.encode() + encode(html.encode(charset)) + b"\r\n" + PICTURE + frames + b"--B--\r\n"


@pytest.mark.parametrize(
    "data",
    [
        saved(),
        saved(encode=base64.encodebytes, coding="base64"),
        saved(charset="iso-8859-1", encode=lambda data: data, coding="8bit"),
        saved().replace(b"; charset=utf-8", b""),
    ],
)
@pytest.mark.parametrize("name", ["a.mhtml", "a.mht"])
def test_the_page_in_it_is_read(name, data):
    parsed = read(name, data)
    assert parsed.text == f"# Pumpe\n\n{BODY}\n\nZeichnung"
    assert parsed.title == "Pumpe"
    assert parsed.metadata == {"language": "de", "canonical": "https://x.example/pump"}
    assert parsed.warnings == ()


def test_without_a_title_it_has_the_subject_it_was_saved_under():
    assert read("a.mht", saved(f"<p>{BODY}</p>")).title == "Pümp"


def test_frames_are_left_out_with_a_word_and_the_page_is_the_one_that_is_named():
    frame = b"--B\r\nContent-Type: text/html\r\nContent-ID: <frame-2@x>\r\n\r\n<p>The main one.</p>\r\n"
    parsed = read("a.mht", saved(frames=frame))
    assert "Die Pumpe" in parsed.text
    assert parsed.warnings == ("1 frame of the page left out",)
    parsed = read("a.mht", saved(frames=frame, start='; start="<frame-2@x>"'))
    assert parsed.text == "The main one."


def test_its_pictures_are_named():
    raw = Raw(saved(HTML.replace("cid:p", "https://x.example/p.png")), "a.mht", "multipart/related")
    assert [found.url for found in installed_parsers().references(raw)] == ["https://x.example/p.png"]


def test_a_file_without_a_page_is_a_failure():
    assert reason("a.mht", b"From: x\r\n\r\nhello") == "no page in it; truncated, or no MHTML"
    assert "no page in it" in reason("a.mht", saved()[:150])


@pytest.mark.parametrize("damaged", [*mutations(saved(), 60), *truncations(saved(), 10)])
def test_a_damaged_file_is_text_or_a_failure_in_one_sentence(damaged):
    try:
        assert read("a.mht", damaged).text.strip()
    except DocumentError as error:
        assert "\n" not in error.reason  # noqa: PT017  # either outcome is right
        assert "cannot be parsed" not in error.reason  # noqa: PT017
