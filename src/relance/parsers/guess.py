"""Telling encodings apart that do not say what they are, by what their text would read like."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import NamedTuple

__all__ = ["guess", "reads_like_language"]

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
_COMPUTERS_SIMPLIFIED = (
    "件用数在法有个为字中名一符时行定使标式选表置项到对可能输要列作效以入和于录语示或错设据已本指未器存包值程分将类取号新进参信误命型模"
    "接除失令务打大制显动序过被格支没息间前提上配加库后位建正户组败如密重部所称下多关索果开区认应码更内发空系子图查并需签度现成同持"
)
_COMPUTERS_TRADITIONAL = (
    "檔無案定法在有式數使字個選目中為時名設指是項取出示一列入位件語要元標行輸錯資以到稱可效作已或號新未存誤能錄本顯除表訊程符引區於結組"
    "分者值提動和將格開令重沒變後如文模對料合正前大失更置建預鍵過所間來碼版執支型敗立讀會包器果啟了下發理解度生交印態空從上機否被參類"
)
_CHINESE, _TAIWANESE = _COMPUTERS_SIMPLIFIED + _BOTH + _SIMPLIFIED, _COMPUTERS_TRADITIONAL + _BOTH + _TRADITIONAL
_HANGUL = (
    "다이니지을수에습는로를시하자없가일스정의파합기용서음사리할인트어한은션오않터문위있대드아그제만상옵름보값으프함부치작모해실크입력표패식"
    "버전형데명나소키바중행설면업경고된도여되요디성열출적들못블목메라록과구세호변동거비레령개료잘필번야미환테류원내장조화렉태단했재마"
    "국까학년것전과공동게우신"
)
_JAPANESE = (
    "".join(map(chr, [*range(0x3041, 0x3097), *range(0x30A1, 0x30FB)])) + "日本人大年一会国出行用名使字定示指文無合効"
)
_CJK_MARKS = "，。、“”‘’：；？！（）《》「」『』・ー　…—"

# Letters beyond ASCII by how often they come, of the translations that Linux programs ship. Text in an encoding is
# made of one of its alphabets; the marks may stand in each.
_MARKS = "’“”–—…«»‘„•·°§©®€£\xa0¿¡½×™‚‹›"
_FRENCH, _GERMAN, _SPANISH, _PORTUGUESE = "éèàêôçîâÉùûÀœïëÊÇ", "üäößÜÄÖ", "óáíéñúÓÚÍÑÁüºª", "ãçáéíóõúêâàÃôÇÁÉÍÓÚÕºª"
_NORDIC, _DANISH, _ICELANDIC, _ITALIAN = "äöåÄÖÅéšž", "åøæØÆÅéóò", "ðíáóæúýöþéÓÞÍÁÚÖÝ", "èàòùéìÈÀ"
_WESTERN = (_FRENCH, _GERMAN, _SPANISH, _PORTUGUESE, _NORDIC, _DANISH, _ICELANDIC, _ITALIAN)
_CENTRAL = (
    "łżąęśóćńźŁŻŚÓŃĄŹĆĘ",  # Polish
    "íářéčýžěšůúŘČÁóňŽŠťĚďÉÝŮĎÚÓäôľĺĽÍ",  # Czech, Slovak
    "áéíóöőüúűÁÉÓÍÖÚŐÜŰ",  # Hungarian
    "ăâîşţşŞÎŢÂĂșț",  # Romanian
    "čšžćđŠČŽĐĆ",  # Slovene, Croatian
    _GERMAN,
)
_TURKISH = ("ışçüğöİÇÖÜŞĞâî",)
_BALTIC = ("šėųįąžčūęŠĮŽČĖĄĘŪŲ", "āēīšūļņķžģŠĒĻčĪČĀĶŽŪŅĢ", "äõüöÕÜšÄžÖŠ")
_GREEK = ("αοετινρσμηπκυςλίγδήέόάχωθύφώΑβξΕζΠΤΣΜΟΔΗΚψΝΓΛΧΙΡΈΒΥΆΦΘΌϊΖΏΉΊϋ",)
_CYRILLIC = (
    "оеаинтрслвкпдмуязьыйбчгжцфхюшщНПОСАВэИёРКЕДТМЛЗФУъБЧГЙЭЦШХЮЯЖЩЫЬ",  # Russian, Bulgarian
    "аониетврікслдупмязбьйчгжцєхфюшїПНщВАСКРОЗМДТЛІБЕИФУЧГЯЙЦШЄЇ",  # Ukrainian
    "анрыкіелстдявомупцзьэўгчбйшПхжАфНКюСВМРДБЗТЦЛёГУФІШЭХЧЫЯОЕ",  # Belarusian
    "аеионртскудпвмјзлбгчњшљцНПАжћИОДСхКРТЕфђБУВМГЛЗЈЦФШЧХЊџЉЋ",  # Serbian
)
_HEBREW = ("יותהלמראנשבקפדסגעחטכםןצזךץ־׳ף״ְִֹּ\u200f",)
_ARABIC = ("اليمرتوةندفبعسحكقصأجطهخشإغذزّضى،ثئءظُؤًَآ؛ِ؟ْ", "اینردهتومبشسکلپزگفخجعقصٔحطچآظذغض،ّئژثأ؟")
_THAI = ("ารอ่กมนเ้งดัลีติยสบแวไขทหพคจป์ืูะชำใถฟุโซ็ณผธภึษญฐฮศฉๆฝฤ",)
_VIETNAMESE = ("đôưáàêộâọ́̀́̉ảãíìúùăéèõơýĐ",)

_ALPHABETS: dict[str, tuple[str, ...]] = {
    "cp1252": _WESTERN,
    "gb18030": (_CHINESE,),
    "big5hkscs": (_TAIWANESE,),
    "cp932": (_JAPANESE,),
    "euc_jp": (_JAPANESE,),
    "cp949": (_HANGUL,),
    "utf-16-le": (_CHINESE, _TAIWANESE, _JAPANESE, _HANGUL),
    "utf-16-be": (_CHINESE, _TAIWANESE, _JAPANESE, _HANGUL),
    "cp1250": _CENTRAL,
    "iso8859_2": _CENTRAL,
    "cp852": _CENTRAL,
    "cp1251": _CYRILLIC,
    "koi8_u": _CYRILLIC,
    "cp866": _CYRILLIC,
    "iso8859_5": _CYRILLIC,
    "mac_cyrillic": _CYRILLIC,
    "cp1253": _GREEK,
    "cp1254": _TURKISH,
    "cp1255": _HEBREW,
    "cp1256": _ARABIC,
    "iso8859_6": _ARABIC,
    "cp1257": _BALTIC,
    "cp1258": _VIETNAMESE,
    "cp874": _THAI,
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp437": _WESTERN,
}
_WIDE = frozenset({"utf-16-le", "utf-16-be"})
_EAST_ASIAN = frozenset({"gb18030", "big5hkscs", "cp932", "euc_jp", "cp949"}) | _WIDE
# Encodings of another age have to fit clearly better than today's, and all better than that of most old files.
_RARE = (
    {"cp1252": -6.0}
    | dict.fromkeys(("mac_roman", "cp850", "cp437", "cp852", "mac_cyrillic", "cp866", "iso8859_6", "cp1258"), 6.0)
    | {
        "iso8859_5": 3.0,
        "koi8_u": 1.0,
        "utf-16-le": 4.0,
        "utf-16-be": 4.0,
    }
)

_SAMPLE = 16 * 1024
# Logarithms of probabilities: of an ASCII character, of a letter outside the alphabet, of bytes that are none, of a
# capital within a word and a symbol between letters.
_ASCII, _UNKNOWN, _NONE, _MISPLACED = -3.7, -11.5, -14.0, -5.0
_RARE_HAN = math.log(0.3 / 20_000)
_PAIR = re.compile(r"(?P<before>.)(?P<high>[^\x00-\x7f])(?=(?P<after>.?))", re.DOTALL)
# Worse than this a character, it is no text; a guess that is better than the next by so much in all is none.
_WORST = -11.0
_CLEARLY = 15.0


class _Fit(NamedTuple):
    score: float
    name: str
    text: str


def guess(data: bytes) -> tuple[str | None, bool]:
    """Name the likeliest encoding of bytes that are not UTF-8, and say whether no other one is near; None if none fits.

    Each encoding is asked how likely these bytes are in a language it was made for.
    """
    sample = b"\n".join(islice(_high_lines(data), 400))[:_SAMPLE]
    fits = []
    for name, alphabets in _ALPHABETS.items():
        some = data[:_SAMPLE] if name in _WIDE else sample
        if name in _WIDE and len(data) % 2:
            continue
        text = some.decode(name, "replace")
        fits.append(_Fit(_score(text, name, alphabets) * len(sample) / len(some), name, text))
    fits.sort(reverse=True)
    best = fits[0]
    high = sum(byte > 0x7F for byte in sample)
    if best.score - _ASCII * (len(sample) - high) < _WORST * max(high, 1):
        return None, False
    other = next((fit for fit in fits if fit.text != best.text), None)
    return best.name, other is None or best.score - other.score >= _CLEARLY


def reads_like_language(text: str) -> bool:
    """Whether a text is made of common letters, as a text with its bytes swapped is not."""
    common = sum(character.isascii() or character in _letters() for character in text)
    return common * 5 >= len(text) or bool(re.fullmatch(r"[\w\s\u0400-\u04ff]*", text))


def _high_lines(data: bytes) -> Iterator[bytes]:
    for line in data.split(b"\n"):
        if not line.isascii():
            yield line


def _score(text: str, name: str, alphabets: tuple[str, ...]) -> float:
    counts = Counter(text)
    controls = sum(counts[character] for character in map(chr, range(32)) if character not in "\t\n\r\f\x1b")
    ascii_ones = sum(count for character, count in counts.items() if character <= "\x7f")
    high = {character: count for character, count in counts.items() if character > "\x7f"}
    unknown = _RARE_HAN if name in _EAST_ASIAN else _UNKNOWN
    score = max(
        sum(
            count
            * (_NONE if character == "\ufffd" else known.get(character, unknown if character.isalpha() else _UNKNOWN))
            for character, count in high.items()
        )
        for known in (_likelihoods(alphabet, name in _EAST_ASIAN) for alphabet in alphabets)
    )
    misplaced = 0 if name in _EAST_ASIAN else sum(map(_is_misplaced, _PAIR.finditer(text)))
    return score + ascii_ones * _ASCII + controls * _NONE + misplaced * _MISPLACED - _RARE.get(name, 0.0)


def _is_misplaced(pair: re.Match[str]) -> bool:
    """Whether a capital stands within a word, a symbol between letters, or a letter in a word of another script."""
    before, here, after = pair["before"], pair["high"], pair["after"]
    if not here.isalpha():
        mark = here in "’·\xad-" or "\u0300" <= here <= "\u0e4f"
        return not mark and before.isalpha() and after.isalpha()
    if here > "\u036f" and not "\u1e00" <= here <= "\u1eff":  # beyond Latin
        return (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())
    return here.isupper() and before.islower()


@cache
def _likelihoods(alphabet: str, east_asian: bool) -> dict[str, float]:
    """Give each letter and mark the logarithm of its probability."""
    letters = list(dict.fromkeys(alphabet))
    if east_asian:
        weights = {letter: 1 / (rank + 40) for rank, letter in enumerate(letters)}
        marks, share = _CJK_MARKS, 0.6
    else:
        weights = {letter: 1 / (rank + 3) for rank, letter in enumerate(letters)}
        marks, share = _MARKS, 0.9
    total = sum(weights.values())
    likely = {mark: math.log(0.1 / len(marks)) for mark in marks}
    return likely | {letter: math.log(share * weight / total) for letter, weight in weights.items()}


@cache
def _letters() -> frozenset[str]:
    return frozenset("".join([*(each for some in _ALPHABETS.values() for each in some), _MARKS, _CJK_MARKS]))
