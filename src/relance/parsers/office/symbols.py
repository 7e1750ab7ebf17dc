"""Characters that Word keeps by their place in the font Symbol or Wingdings."""

from __future__ import annotations

__all__ = ["symbol"]

# The font Symbol, from 0x20 on; `.` where a place is empty or a mere piece of a bracket.
_SYMBOL = " !∀#∃%&∋()∗+,−./0123456789:;<=>?≅ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ[∴]⊥_‾αβχδεφγηιϕκλμνοπθρστυϖωξψζ{|}∼"
_SYMBOL_HIGH = "€ϒ′≤⁄∞ƒ♣♦♥♠↔←↑→↓°±″≥×∝∂•÷≠≡≈…⏐⎯↵ℵℑℜ℘⊗⊕∅∩∪⊃⊇⊄⊂⊆∈∉∠∇®©™∏√⋅¬∧∨⇔⇐⇑⇒⇓◊〈®©™∑"
_WINGDINGS = {
    0x4A: "☺", 0x4C: "☹", 0x6C: "●", 0x6E: "■", 0x6F: "□", 0x71: "❑", 0x72: "❒", 0x75: "◆", 0x76: "❖", 0x9F: "•",
    0xA1: "○", 0xA7: "▪", 0xA8: "◻", 0xAB: "★", 0xD8: "➢", 0xDF: "←", 0xE0: "→", 0xE1: "↑", 0xE2: "↓", 0xE8: "➔",
    0xF0: "⇨", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑",
}  # fmt: skip
_PRIVATE = 0xF000


def symbol(code: str, font: str) -> str:
    """Return the character at a place of a font, in hexadecimal; U+FFFD where it cannot be told."""
    try:
        at = int(code, 16)
    except ValueError:
        return ""
    place = at - _PRIVATE if _PRIVATE <= at <= _PRIVATE + 0xFF else at
    if place < 0x20 or at > 0xFFFF:
        return "\ufffd"
    name = font.lower()
    if name == "symbol":
        if place - 0x20 < len(_SYMBOL):
            return _SYMBOL[place - 0x20]
        return _SYMBOL_HIGH[place - 0xA0] if 0 <= place - 0xA0 < len(_SYMBOL_HIGH) else "\ufffd"
    if name.startswith("wingdings"):
        return _WINGDINGS.get(place, "\ufffd")
    return chr(at) if at < 0xE000 or at > 0xF8FF else chr(place)
