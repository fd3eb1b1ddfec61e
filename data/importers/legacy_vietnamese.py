"""Text in Vietnamese encodings from before Unicode.

Three of them still turn up in files of provinces and carriers: TCVN3, the
one-byte code of the "ABC" fonts (.VnTime, .VnArial); VNI-Windows, which writes a
letter and its marks as two characters (VNI-Times); and Windows-1258. VISCII is
rarer. A file or a column in one of them is recognised by what it says: read in
the right encoding its words are Vietnamese syllables, read in a wrong one they
are not.

Sources of the tables: TCVN 5712:1993 (VSCII, sets VN1 to VN3; the fonts hold
VN3), RFC 1456 (VISCII), the code chart of the VNI-Windows fonts, and Python's
own codec for Windows-1258.
"""

from __future__ import annotations

import codecs
import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

TCVN3 = "TCVN3"
VNI = "VNI-Windows"
VISCII = "VISCII"
WINDOWS_1258 = "Windows-1258"
TCVN_5712 = "TCVN 5712"
DOUBLE_UTF8 = "UTF-8 read as Windows-1252"

_TCVN_UPPER = (
    "ÀẢÃÁẠẶẬÈẺẼÉẸỆÌỈĨ"  # 80
    "ÍỊÒỎÕÓỌỘỜỞỠỚỢÙỦŨ"  # 90
)
_TCVN_REST = (
    "\xa0ĂÂÊÔƠƯĐăâêôơưđẰ"  # A0
    "\u0300\u0309\u0303\u0301\u0323àảãáạẲằẳẵắẴ"  # B0: marks that follow their letter
    "ẮẦẨẪẤỀặầẩẫấậèỂẻẽ"  # C0
    "éẹềểễếệìỉỄẾỒĩíịò"  # D0
    "Ổỏõóọồổỗốộờởỡớợù"  # E0
    "ỖủũúụừửữứựỳỷỹýỵỐ"  # F0
)
_TCVN_LOW = {
    **dict(zip((0x01, 0x02, 0x04, 0x05, 0x06), "ÚỤỪỬỮ", strict=True)),
    **dict(zip(range(0x11, 0x18), "ỨỰỲỶỸÝỴ", strict=True)),
}
_VISCII_HIGH = (
    "ẠẮẰẶẤẦẨẬẼẸẾỀỂỄỆỐ"  # 80
    "ỒỔỖỘỢỚỜỞỊỎỌỈỦŨỤỲ"  # 90
    "Õắằặấầẩậẽẹếềểễệố"  # A0
    "ồổỗỠƠộờởịỰỨỪỬơớƯ"  # B0
    "ÀÁÂÃẢĂẳẵÈÉÊẺÌÍĨỳ"  # C0
    "ĐứÒÓÔạỷừửÙÚỹỵÝỡư"  # D0
    "àáâãảăữẫèéêẻìíĩỉ"  # E0
    "đựòóôõỏọụùúũủýợỮ"  # F0
)
_VISCII_LOW = dict(zip((0x02, 0x05, 0x06, 0x14, 0x19, 0x1E), "ẲẴẪỶỸỴ", strict=True))

#: VNI-Windows: letters that are one character.
_VNI_SINGLE = {
    **dict(zip("ñôöîíìæóò", "đơưỵíìỉĩị", strict=True)),
    **dict(zip("ÑÔÖÎÍÌÆÓÒ", "ĐƠƯỴÍÌỈĨỊ", strict=True)),
}
#: VNI-Windows: the mark that follows a letter, as Unicode's combining marks.
_VNI_TONES = dict(
    zip("ùøûõï", ("\u0301", "\u0300", "\u0309", "\u0303", "\u0323"), strict=True),
)
_VNI_CIRCUMFLEX = {
    "â": "\u0302",
    "á": "\u0302\u0301",
    "à": "\u0302\u0300",
    "å": "\u0302\u0309",
    "ã": "\u0302\u0303",
    "ä": "\u0302\u0323",
}
_VNI_BREVE = {
    "ê": "\u0306",
    "é": "\u0306\u0301",
    "è": "\u0306\u0300",
    "ú": "\u0306\u0309",
    "ü": "\u0306\u0303",
    "ë": "\u0306\u0323",
}


def _vni_pairs() -> dict[str, str]:
    """Return the letters that are two characters, in both cases of both of them."""
    marks = {
        "a": {**_VNI_TONES, **_VNI_CIRCUMFLEX, **_VNI_BREVE},
        "e": {**_VNI_TONES, **_VNI_CIRCUMFLEX},
        "o": {**_VNI_TONES, **_VNI_CIRCUMFLEX},
        "u": _VNI_TONES,
        "y": {mark: _VNI_TONES[mark] for mark in "ùøûõ"},
        "ô": _VNI_TONES,
        "ö": _VNI_TONES,
    }
    pairs = {}
    for base, found in marks.items():
        letter = _VNI_SINGLE.get(base, base)
        for mark, combining in found.items():
            lower = unicodedata.normalize("NFC", letter + combining)
            for second in (mark, mark.upper()):
                pairs[base + second] = lower
                pairs[base.upper() + second] = lower.upper()
    return pairs


_VNI_PAIRS = _vni_pairs()
_VNI_PATTERN = re.compile(
    "|".join((*map(re.escape, _VNI_PAIRS), f"[{re.escape(''.join(_VNI_SINGLE))}]"))
)


def _windows_1252(code: int) -> str:
    try:
        return bytes([code]).decode("cp1252")
    except UnicodeDecodeError:
        return chr(code)


#: The 256 bytes as a program reads them that knows nothing of Vietnamese.
_WESTERN = "".join(map(_windows_1252, range(256)))
#: Byte of a character; programs also write the micro sign, "à" in TCVN3, as the Greek letter.
_TO_BYTE = {ord(char): code for code, char in enumerate(_WESTERN)} | {0x03BC: 0xB5}


def decoded_text(raw: bytes) -> tuple[str, str] | None:
    r"""Decode a text file in a Vietnamese encoding from before Unicode.

    Parameters
    ----------
    raw
        Content of the file.

    Returns
    -------
    tuple or None
        The text in Unicode NFC and the name of its encoding; None where it is
        UTF-8, plain ASCII, of another language or cannot be told.

    Examples
    --------
    >>> decoded_text(b"C\xe9ng h\xdfa x\xb7 h\xe9i ch\xf1 ngh\xdca")
    ('Cộng hòa xã hội chủ nghĩa', 'TCVN3')
    """
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return None
    sample = re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", raw[:_SAMPLE_BYTES])[:_SAMPLE_LINES]
    found = _best(_western(b"\n".join(sample)))
    return None if found is None else (_DECODERS[found](_western(raw)), found)


def decoded_as(raw: bytes, encoding: str) -> str:
    """Decode a text file in a known encoding.

    Parameters
    ----------
    raw
        Content of the file.
    encoding
        One of `NAMES`.

    Returns
    -------
    str
        Text in Unicode NFC.
    """
    return _DECODERS[encoding](_western(raw))


def converted(text: str) -> tuple[str, str] | None:
    """Convert text whose characters stand for the bytes of an older encoding.

    Workbooks and databases hold text typed in an ABC or VNI font as Western
    European characters: ``Hµ Nam`` is "Hà Nam" in .VnTime. Decide over a whole
    column, not over single cells: join its cells with line breaks.

    Parameters
    ----------
    text
        The text.

    Returns
    -------
    tuple or None
        The text in Unicode NFC and the name of the encoding; None where it is
        proper text already or cannot be told.

    Notes
    -----
    The capitals of the fonts .VnTimeH and the like have the codes of small
    letters. A word whose other letters are two or more capitals is taken as
    written in such a font, and so is a word of one capital in a line of such
    words. What was typed in small letters
    stays small, as nothing tells it from text in small letters.

    Examples
    --------
    >>> converted("Hµ Nam")
    ('Hà Nam', 'TCVN3')
    >>> converted("Thaønh phoá Phuû Lyù")
    ('Thành phố Phủ Lý', 'VNI-Windows')
    """
    found = encoding_of([text])
    return None if found is None else (in_unicode(text, found), found)


def encoding_of(texts: Iterable[str]) -> str | None:
    """Return the older encoding whose bytes the characters of a column stand for.

    Parameters
    ----------
    texts
        Cells of one column.

    Returns
    -------
    str or None
        Name of the encoding, for `in_unicode`; None where there is none.
    """
    marked = dict.fromkeys(text for text in texts if not text.isascii())
    whole = "\n".join(itertools.islice(marked, _SAMPLE_LINES))
    if not whole:
        return None
    if _double_utf8(whole) is not None:
        return DOUBLE_UTF8
    # Letters that no Western byte stands for show that the column is in Unicode.
    if any(_is_letter(char) and ord(char) not in _TO_BYTE for char in set(whole)):
        return None
    found = _best(whole)
    # "Trung tâm" makes syllables in TCVN3, too; what is Vietnamese as it stands stays so.
    return None if found is None or _is_vietnamese(whole) else found


def in_capital_font(text: str) -> bool:
    """Return whether TCVN3 text holds words that are taken as typed in a font of capitals.

    Parameters
    ----------
    text
        The cell, not yet converted.

    Returns
    -------
    bool
        Whether `in_unicode` makes capitals of small letters in it.
    """
    plain = _FONT(text)
    return _raised(plain) != plain


def _is_letter(char: str) -> bool:
    return char.isalpha() or unicodedata.combining(char) > 0


def in_unicode(text: str, encoding: str) -> str:
    """Convert one cell of a column in a known encoding.

    Parameters
    ----------
    text
        The cell.
    encoding
        As `encoding_of` returns it.

    Returns
    -------
    str
        Text in Unicode NFC; what cannot be converted is left as it is.
    """
    if encoding == DOUBLE_UTF8:
        done = _double_utf8(text)
        return text if done is None else done
    return _DECODERS[encoding](text)


@functools.cache
def _typed(encoding: str) -> dict[str, str]:
    """Return the characters that stand for each letter in an encoding."""
    if encoding == VNI:
        typed = {letter: pair for pair, letter in reversed(_VNI_PAIRS.items())}
        return typed | {letter: single for single, letter in _VNI_SINGLE.items()}
    return {_DECODERS[encoding](char): char for char in map(chr, range(0xA0, 0x100))}


def as_typed(text: str, encoding: str) -> str:
    """Return the Western characters that a program shows for text in an older encoding.

    Parameters
    ----------
    text
        Vietnamese text.
    encoding
        `TCVN3` or `VNI`.

    Returns
    -------
    str
        What `converted` undoes; letters that the encoding lacks are kept.

    Examples
    --------
    >>> as_typed("Hà Nam", TCVN3), as_typed("Phủ Lý", VNI)
    ('Hµ Nam', 'Phuû Lyù')
    """
    typed = _typed(encoding)
    return "".join(typed.get(char, char) for char in unicodedata.normalize("NFC", text))


# How text is decoded


def _western(raw: bytes) -> str:
    return codecs.charmap_decode(raw, "strict", _WESTERN)[0]


def _double_utf8(text: str) -> str | None:
    """Undo the reading of UTF-8 as Windows-1252; None where that is not what happened."""
    try:
        return unicodedata.normalize(
            "NFC", bytes(_TO_BYTE[ord(char)] for char in text).decode("utf-8")
        )
    except (KeyError, UnicodeDecodeError):
        return None


def _one_to_one(first: int, table: str, low: Mapping[int, str]) -> Callable[[str], str]:
    """Return the decoding where the bytes from `first` on mean the characters of `table`.

    Signs behind a number, as in 20° or 5 m², are not letters of a word.
    """
    of_byte = {**low, **dict(zip(range(first, 256), table, strict=True))}
    mapping: dict[int, str] = {
        char: of_byte[code] for char, code in _TO_BYTE.items() if code in of_byte
    }
    # A program may also leave a byte that Windows-1252 uses for a sign as a control character.
    mapping |= of_byte

    def decoded(text: str) -> str:
        aside = _BEHIND_NUMBERS.sub(lambda match: match.group().translate(_ASIDE), text)
        return unicodedata.normalize("NFC", aside.translate(mapping).translate(_BACK))

    return decoded


#: Signs that other bytes than letters stand for behind a number: 20°, 35 m².
_BEHIND_NUMBERS = re.compile(
    "(?<=\\d)[\u00b0-\u00b4]|(?<=\\d[km])[\u00b2\u00b3]|(?<=\\d m)[\u00b2\u00b3]"
)
_ASIDE = {code: 0xE000 + code for code in range(0xB0, 0xB5)}
_BACK = {aside: code for code, aside in _ASIDE.items()}


#: Signs that stand where TCVN 5712 has the marks which follow a vowel: 20°, 5 m².
_SIGNS = re.compile(r"(?<![aeiouyAEIOUY\u00a1-\u00a6\u00a8-\u00ad])[\u00b0-\u00b4]")


def _tcvn(first: int, table: str, low: Mapping[int, str]) -> Callable[[str], str]:
    decode = _one_to_one(first, table, low)

    def decoded(text: str) -> str:
        aside = _SIGNS.sub(lambda match: match.group().translate(_ASIDE), text)
        return decode(aside).translate(_BACK)

    return decoded


def _vni(text: str) -> str:
    return _VNI_PATTERN.sub(
        lambda match: _VNI_PAIRS.get(match.group()) or _VNI_SINGLE[match.group()], text
    )


_TONES = frozenset("\u0300\u0309\u0303\u0301\u0323")
_WORD = re.compile(r"[^\W\d_]+")


def _raised(text: str) -> str:
    """Give words in capitals the capitals that a font showed and the encoding lacks.

    See the notes of `converted`.
    """

    def of_line(line: str) -> str:
        words = list(_WORD.finditer(line))
        forms = [_form(word.group()) for word in words]
        alike = {form for form in forms if form != "one"} == {"capitals"}
        done, end = [], 0
        for word, form in zip(words, forms, strict=True):
            up = form == "capitals" or (form == "one" and alike)
            done += [line[end : word.start()], word.group().upper() if up else word.group()]
            end = word.end()
        return "".join((*done, line[end:]))

    return "".join(
        line if line.isascii() else of_line(line) for line in text.splitlines(keepends=True)
    )


@functools.lru_cache(maxsize=100_000)
def _form(word: str) -> str:
    """Return how those letters are written that the fonts have in both cases."""
    plain = [char for char in word if not _TONES.intersection(unicodedata.normalize("NFD", char))]
    upper = sum(char.isupper() for char in plain)
    if upper != len(plain):
        return "small"
    return "capitals" if upper >= 2 else "one"


_CP1258 = "".join(bytes([code]).decode("cp1258", "replace") for code in range(0x80, 0x100))

_FONT = _tcvn(0xA0, _TCVN_REST, {})

_DECODERS: dict[str, Callable[[str], str]] = {
    # The fonts' set VN3 has no capitals with tones; Windows' punctuation is in their place.
    TCVN3: lambda text: _raised(_FONT(text)),
    TCVN_5712: _tcvn(0x80, _TCVN_UPPER + _TCVN_REST, _TCVN_LOW),
    VNI: _vni,
    VISCII: _one_to_one(0x80, _VISCII_HIGH, _VISCII_LOW),
    WINDOWS_1258: _one_to_one(0x80, _CP1258, {}),
}

#: Encodings that `decoded_as` knows.
NAMES = tuple(_DECODERS)


# Which decoding makes Vietnamese

_SAMPLE_BYTES = 4_000_000
_SAMPLE_LINES = 3000

#: Least share of the words with marks that must be Vietnamese syllables.
_LEAST_VALID = 0.8

#: Least share of them that must differ from what a Western program reads.
_LEAST_CHANGED = 0.15

_CHUNK = re.compile(r"(?:[A-Za-z]|[^\x00-\x7f]|[\x01-\x08\x0e-\x1f])+")
#: What stands around words without being part of them.
_AROUND = "“”‘’–—…«»•°±²³´×€®©\xa0"
#: Western letters, or a unit like µm.
_PLAIN_WORD = re.compile("[µμ]?[A-Za-zŒœŠšŽžŸªºÀ-ÖØ-öø-ÿ]+")
_ABBREVIATION = re.compile("[BCDĐGHKLMNPQRSTVX]+")

_ONSET_LIST = "ngh ch gh gi kh ng nh ph qu th tr b c d đ g h k l m n p r s t v x"
_RHYME_LIST = (
    "a ac ach ai am an ang anh ao ap at au ay ăc ăk ăm ăn ăng ăp ăt âc âm ân âng âp ât âu ây "
    "e ec em en eng eo ep et ê êch êm ên êng ênh êp êt êu "
    "i ia ich im in inh ip it iu iêc iêm iên iêng iêp iêt iêu "
    "o oa oac oach oai oam oan oang oanh oao oap oat oay oăc oăm oăn oăng oăt oc oe oem oen oeo "
    "oet oi om on ong ooc oong op ot ô ôc ôi ôm ôn ông ôp ôt ơ ơi ơm ơn ơp ơt "
    "u ua uc ui um un ung up ut uân uâng uât uây uê uêch uênh uêu uôc uôi uôm uôn uông uôt "
    "uơ uơn uy uya uych uyn uynh uyp uyt uyu uyên uyêt "
    "ư ưa ưc ưi ưm ưn ưng ưt ưu ươc ươi ươm ươn ương ươp ươt ươu "
    "y ych ynh yp yt yêm yên yêng yêt yêu"
)
_ONSETS = (*_ONSET_LIST.split(), "")
_RHYMES = frozenset(_RHYME_LIST.split())
_FRONT = frozenset("eêiy")
_STOPS = ("c", "ch", "k", "p", "t")
_TONES_OF_STOPS = (["\u0301"], ["\u0323"])

#: The letters with marks that texts have most.
_COMMON = frozenset("àáạảãâấầậăắđêếềệểôốộồơớờợưứừữựủúìịíọóý")


def _best(text: str) -> str | None:
    """Return the encoding that makes Vietnamese of a text read as Western, if one does."""
    chunks = Counter(
        chunk for chunk in _CHUNK.findall(text) if not chunk.isascii() and chunk.strip(_AROUND)
    )
    scores = {name: _score(chunks, decode) for name, decode in _DECODERS.items()}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > (0.0, 0.0) else None


def _score(chunks: Mapping[str, int], decode: Callable[[str], str]) -> tuple[float, float]:
    """Return how Vietnamese a decoding is, 0 if it is not: share of syllables, common letters."""
    total = valid = changed = marked = common = 0
    proofs = 0.0
    for chunk, count in chunks.items():
        word = decode(chunk).strip(_AROUND)
        if not word or word.isascii() or _ABBREVIATION.fullmatch(word):
            continue
        total += count
        if not _is_syllable(word):
            continue
        valid += count
        letters = [char for char in word.lower() if not char.isascii()]
        marked += count * len(letters)
        common += count * sum(char in _COMMON for char in letters)
        if word != chunk.strip(_AROUND):
            changed += count
            # A sign within a word is no coincidence; two odd words are none either.
            proofs += 0.5 if _PLAIN_WORD.fullmatch(chunk) else 1.0
    if not total or valid < _LEAST_VALID * total or changed < _LEAST_CHANGED * total:
        return 0.0, 0.0
    return (valid / total, common / marked) if proofs >= 1.0 else (0.0, 0.0)


def _is_vietnamese(text: str) -> bool:
    """Return whether every word with marks could be written so in Vietnamese."""
    words = {chunk.strip(_AROUND) for chunk in _CHUNK.findall(text)}
    return all(_is_syllable(word) for word in words if word and not word.isascii())


@functools.lru_cache(maxsize=100_000)
def _is_syllable(word: str) -> bool:
    """Return whether a word could be written in Vietnamese, by its letters and their case."""
    if not (word.islower() or word.isupper() or (word[0].isupper() and word[1:].islower())):
        return False
    letters: list[str] = []
    tones: list[str] = []
    for char in unicodedata.normalize("NFD", word.lower()):
        (tones if char in _TONES else letters).append(char)
    if len(tones) > 1:
        return False
    plain = unicodedata.normalize("NFC", "".join(letters))
    for onset in _ONSETS:
        rhyme = plain[len(onset) :]
        if plain.startswith(onset) and rhyme in _RHYMES and _fit(onset, rhyme):
            return not rhyme.endswith(_STOPS) or tones in _TONES_OF_STOPS
    return False


def _fit(onset: str, rhyme: str) -> bool:
    """Return whether spelling allows an onset before the first letter of a rhyme."""
    front = rhyme[0] in _FRONT
    if onset in ("k", "gh", "ngh"):
        return front
    if onset in ("c", "ng"):
        return not front
    return onset != "g" or not front or rhyme[0] == "i"
