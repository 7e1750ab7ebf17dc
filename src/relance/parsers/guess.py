"""Telling encodings apart that do not say what they are, by what their text would read like."""

from __future__ import annotations

import re

__all__ = ["guess", "reads_like_language"]

_SAMPLE = 64 * 1024
_BOTH = (
    "的一是不了在人有我他中上大和地到以要就出可也你能而子那得下自之年作用道行所然家事成方多去法如都同面起看定天分好小部其些主理心她"
    "本前但因只日者意力它把十民第公此已工使情明性知全三又正外高由很最重物手向文政美相被利什二等或新己制身果加西月合回特代信表化老"
    "世位次度任常先海通教原立及比水名真入口平活更打女四神少才反受目太量再感建必件期市直命山金指至形社便空治科司五基非白界光放"
    "即像且思王完式色路南品住告求程北死交取格望共今切"
)
_SIMPLIFIED = (
    "这个们来为国说时会对生于着过发后里种经么学现当没动还进样开从想实军无与长机关点业将两间问并应战头体见产斯话内给门儿东声提员解论处走"
    "义各几认条系气题尔别变总何电数安报结务做接场计管德资克许统区保队决展马眼书则听却达强难权象设记类据边张该规万拉觉术领确传师观清院"
    "让识候带导争运"
)
_TRADITIONAL = (
    "這個們來為國說時會對生於著過發後裡種經麼學現當沒動還進樣開從想實軍無與長機關點業將兩間問並應戰頭體見產斯話內給門兒東聲提員解論處走"
    "義各幾認條係系氣題爾別變總何電數安報結務做接場計管德資克許統區保隊決展馬眼書則聽卻達強難權象設記類據邊張該規萬拉覺術領確傳師觀清院"
    "讓識候帶導爭運臺灣"
)
_HANGUL = (
    "이다는을의에가고를지한하은도로기사리자그나아서인어시대해라정있수으전만일들과부장"
    "구여보원상주제스니면오동요게조우성던공습마신비것않년했까할국학"
)
_MARKS = "，。、“”‘’：；？！（）《》「」『』・ー　…—"
_KANA = frozenset(map(chr, [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)]))

# What a text in each encoding is mostly made of: between a quarter and all of its non-ASCII characters.
_COMMON = {
    "gb18030": frozenset(_BOTH + _SIMPLIFIED + _MARKS),
    "big5hkscs": frozenset(_BOTH + _TRADITIONAL + _MARKS),
    "cp932": _KANA | frozenset(_MARKS),
    "euc_jp": _KANA | frozenset(_MARKS),
    "cp949": frozenset(_HANGUL),
}
_ANY_LANGUAGE = frozenset().union(*_COMMON.values())
_ENOUGH = 0.2

# Western European letters and marks: Polish or Czech read as cp1252 shows ¹ ³ š ž ý, which are not among them.
_WESTERN = frozenset("äöüßéèêëàâáãåæçñóòôõøíìîïúùûœÄÖÜÉÈÊÀÁÂÃÅÆÇÑÓÔÕØÍÎÚ¿¡«»‹›–—‘’‚“”„…°€£§©®™·•´ªº½¼×\xa0")
# A single-byte text has more ASCII letters than others; the rest is left to charset-normalizer.
_SINGLE_BYTE = [
    "cp1250",
    "cp1251",
    "cp1252",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp437",
    "cp850",
    "cp852",
    "cp866",
]
_SINGLE_BYTE += ["cp874", "koi8_r", "iso8859_2", "iso8859_5", "iso8859_7", "mac_roman"]
_MULTI_BYTE = list(_COMMON)


def guess(data: bytes) -> str | None:
    """Name the likeliest encoding of bytes that are not UTF-8 and hold no zero byte; None if nothing fits."""
    sample = data
    if len(data) > _SAMPLE:  # cut behind a line or blank: anywhere else may be inside a character
        cut = max(data.rfind(b"\n", 0, _SAMPLE), data.rfind(b" ", 0, _SAMPLE))
        sample = data[: cut + 1] if cut > _SAMPLE // 2 else data[:_SAMPLE]
    if _is_western(sample):
        return "cp1252"
    scores = {name: _share(sample, name, common) for name, common in _COMMON.items()}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= _ENOUGH:
        return best
    wide = {name: _share(sample, name, _ANY_LANGUAGE) for name in ("utf-16-le", "utf-16-be")}
    widest = max(wide, key=lambda name: wide[name])
    if len(data) % 2 == 0 and wide[widest] >= _ENOUGH:
        return widest
    from charset_normalizer import from_bytes

    found = from_bytes(sample, cp_isolation=_SINGLE_BYTE + _MULTI_BYTE).best()
    return found.encoding if found else None


def reads_like_language(text: str) -> bool:
    """Whether a text is made of common letters, as a text with its bytes swapped is not."""
    common = sum(character in _ANY_LANGUAGE or character.isascii() or character in _WESTERN for character in text)
    return common >= _ENOUGH * len(text) or bool(re.fullmatch(r"[\w\s\u0400-\u04ff]*", text))


def _share(sample: bytes, name: str, common: frozenset[str]) -> float:
    """Share of a sample's non-ASCII characters that are common; 0 if it does not decode."""
    try:
        text = sample.decode(name)
    except UnicodeDecodeError as error:
        if len(sample) - error.start > 3 or len(sample) < _SAMPLE // 2:  # else the cut went through a character
            return 0.0
        text = sample[: error.start].decode(name)
    high = [character for character in text if character > "\x7f"]
    return sum(character in common for character in high) / max(len(high), 1)


def _is_western(sample: bytes) -> bool:
    high = [character for character in sample.decode("cp1252", "replace") if character > "\x7f"]
    return len(high) * 3 <= len(sample) and sum(character in _WESTERN for character in high) * 20 >= len(high) * 19
