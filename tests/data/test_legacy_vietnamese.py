"""Vietnamese text in encodings from before Unicode is recognised by what it says."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.importers import legacy_vietnamese as legacy

VOWELS = "aăâeêioôơuưy"
TONES = ["", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323"]
LETTERS = [unicodedata.normalize("NFC", vowel + tone) for vowel in VOWELS for tone in TONES] + ["đ"]
MARKED = [letter for letter in LETTERS if not letter.isascii()]

SENTENCES = [
    "Cộng hòa xã hội chủ nghĩa Việt Nam",
    "Độc lập - Tự do - Hạnh phúc",
    "Trạm thu phát sóng xã Thanh Hương, huyện Thanh Liêm, tỉnh Hà Nam",
    "Mã trạm;Tên trạm;Kinh độ;Vĩ độ;Chiều cao cột (m);Đơn vị quản lý",
    "Cột ăng ten tự đứng cao 42 m, đặt tại thửa đất của ông Nguyễn Văn Hưởng",
    "Quy hoạch hạ tầng viễn thông thụ động đến năm 2030, tầm nhìn đến năm 2050",
]

#: The first sentence as old programs showed it, from texts of that time.
KNOWN = {
    legacy.TCVN3: "Céng hßa x· héi chñ nghÜa ViÖt Nam",
    legacy.VNI: "Coäng hoøa xaõ hoäi chuû nghóa Vieät Nam",
    legacy.VISCII: "Cµng hòa xã hµi chü nghîa Vi®t Nam",
}

FOREIGN = [
    "Où est la forêt où Noël a été né ? Là, près de l'école déjà fermée, à côté du château.",
    "Hélène, Élodie, François, Gaël, Zoë, Jérôme, Benoît, Agnès, Inès, Anaïs, Loïc, Raphaël",
    "Für die Straße über den großen Fluß müssen schöne Brücken gebaut werden, möglichst früh.",
    "El niño comió piñas en la montaña; después bebió agua del río. ¿Cuándo volverá? Mañana.",
    "Señal débil según medición; estación número 5, Alcalá, León, Málaga, Cádiz, Córdoba",
    "São João não é avó; ação, coração, pão, à noite, até amanhã, José, Conceição",
    "Ångström, Malmö, Århus, Tromsø, Ærø, fjäll, sjö, blå, grön, å, ö",
    "10 µm, 5 µs, 20 °C ± 2, 35 m², € 5, © 2020, «x», ½",
]


def encoded(text: str, encoding: str) -> bytes:
    """Encode by the inverse of the tables; letters that the encoding lacks are replaced."""
    if encoding == legacy.WINDOWS_1258:
        out = b""
        for char in text:
            try:
                out += char.encode("cp1258")
            except UnicodeEncodeError:
                base, *tones = unicodedata.normalize("NFD", char)
                marks = [tone for tone in tones if tone in TONES]
                rest = "".join(tone for tone in tones if tone not in TONES)
                letter = unicodedata.normalize("NFC", base + rest)
                out += (letter + "".join(marks)).encode("cp1258")
        return out
    out = bytearray()
    for char in unicodedata.normalize("NFC", text):
        out += _bytes_of(encoding)[char] if not char.isascii() else char.encode()
    return bytes(out)


_KNOWN_BYTES: dict[str, dict[str, bytes]] = {}


def _bytes_of(encoding: str) -> dict[str, bytes]:
    if encoding not in _KNOWN_BYTES:
        if encoding == legacy.VNI:
            found = {legacy.decoded_as(bytes([k]), encoding): bytes([k]) for k in range(0xC0, 256)}
            upper = {legacy.decoded_as(b, encoding): b for b in _pairs()}
            found |= {char: code for char, code in upper.items() if len(char) == 1}
        else:
            found = {legacy.decoded_as(bytes([k]), encoding): bytes([k]) for k in range(256)}
        _KNOWN_BYTES[encoding] = found
    return _KNOWN_BYTES[encoding]


def _pairs() -> list[bytes]:
    lower = [bytes([a, b]) for a in b"aeouy\xf4\xf6" for b in range(0xE0, 256)]
    upper = [bytes([a, b]) for a in b"AEOUY\xd4\xd6" for b in range(0xC0, 0xE0)]
    return lower + upper


ONE_CASE = [legacy.TCVN3]
BOTH_CASES = [legacy.TCVN_5712, legacy.VNI, legacy.VISCII, legacy.WINDOWS_1258]


def test_there_are_134_letters_with_marks() -> None:
    assert len(MARKED) == 67


@pytest.mark.parametrize("encoding", ONE_CASE + BOTH_CASES)
def test_every_letter_goes_there_and_back(encoding: str) -> None:
    letters = MARKED + ([letter.upper() for letter in MARKED] if encoding in BOTH_CASES else [])
    if encoding in ONE_CASE:
        letters += list("ĂÂÊÔƠƯĐ")
    for letter in letters:
        raw = encoded(letter, encoding)
        assert legacy.decoded_as(raw, encoding) == letter
    assert len({encoded(letter, encoding) for letter in letters}) == len(letters)


@pytest.mark.parametrize("encoding", list(KNOWN))
def test_text_that_old_programs_wrote(encoding: str) -> None:
    assert legacy.converted(KNOWN[encoding]) == (SENTENCES[0], encoding)
    assert legacy.decoded_text(KNOWN[encoding].encode("cp1252")) == (SENTENCES[0], encoding)


def test_windows_1258_agrees_with_the_codec() -> None:
    text = "\n".join(SENTENCES)
    assert legacy.decoded_as(encoded(text, legacy.WINDOWS_1258), legacy.WINDOWS_1258) == text
    codec = encoded(text, legacy.WINDOWS_1258).decode("cp1258")
    assert unicodedata.normalize("NFC", codec) == text


@pytest.mark.parametrize("encoding", ONE_CASE + BOTH_CASES)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_sentences_are_recognised(encoding: str, sentence: str) -> None:
    raw = encoded(sentence, encoding)
    found = legacy.decoded_text(raw)
    assert found is not None
    assert found[0] == sentence
    if encoding != legacy.TCVN_5712:  # without capitals it is the same as TCVN3
        assert found[1] == encoding
        assert legacy.converted(raw.decode("cp1252", "replace")) is not None


def test_a_table_of_mostly_plain_text_is_recognised() -> None:
    rows = [f"HNM{k:04d};A2b;42,5;105,9{k};20,5{k};Hà Nam" for k in range(500)]
    rows[400] = rows[400].replace("Hà Nam", "Duy Tiên, Phủ Lý")
    raw = encoded("\r\n".join(["Mã trạm;Loại;Cao;X;Y;Tỉnh", *rows]), legacy.TCVN3)
    found = legacy.decoded_text(raw)
    assert found is not None
    assert found[0].splitlines()[401] == rows[400]


@pytest.mark.parametrize("text", FOREIGN + SENTENCES + ["", "plain ASCII", "Hà Nội", "M1"])
def test_other_text_is_left_alone(text: str) -> None:
    assert legacy.decoded_text(text.encode()) is None
    assert legacy.converted(text) is None
    assert legacy.encoding_of([text]) is None
    if text in FOREIGN:
        assert legacy.decoded_text(text.encode("cp1252", "replace")) is None
        assert legacy.encoding_of(text.split()) is None


@pytest.mark.parametrize(
    "names", [["Trung tâm", "Xã A"], ["Xã Đô", "Có"], ["Thôn Hòa", "Làng Cá", "Xã Hà"]]
)
def test_short_columns_of_proper_unicode_are_left_alone(names: list[str]) -> None:
    assert legacy.encoding_of(names) is None


@pytest.mark.parametrize("text", [*SENTENCES, unicodedata.normalize("NFD", SENTENCES[2])])
def test_proper_unicode_is_left_alone(text: str) -> None:
    assert legacy.decoded_text(text.encode("utf-8")) is None
    assert legacy.converted(text) is None


def test_utf8_read_as_western_is_undone() -> None:
    text = "Trạm Đồng Văn, xã Chuyên Ngoại"
    seen = "".join(
        bytes([b]).decode("cp1252") if b not in (0x81, 0x8D, 0x8F, 0x90, 0x9D) else chr(b)
        for b in text.encode()
    )
    assert legacy.converted(seen) == (text, legacy.DOUBLE_UTF8)


def test_capitals_of_capital_fonts_come_back() -> None:
    assert legacy.in_unicode("NGUYÔN V¡N H¦ëNG", legacy.TCVN3) == "NGUYỄN VĂN HƯỞNG"
    assert legacy.in_unicode("Hµ NAM", legacy.TCVN3) == "HÀ NAM"
    assert legacy.in_unicode("UBND x· Hµ Nam", legacy.TCVN3) == "UBND xã Hà Nam"
    assert legacy.in_unicode("ViÖt Nam", legacy.TCVN3) == "Việt Nam"
    # Nothing tells small letters of a capital font from small letters.
    assert legacy.in_unicode("hµ nam", legacy.TCVN3) == "hà nam"


def test_signs_of_coordinates_and_areas_survive() -> None:
    text = "Trạm số 5; 20°32'45\" Bắc; 35 m²; ±3 dB; “cột”"
    raw = encoded("Trạm số 5; 20", legacy.TCVN3) + b"\xb032'45\" B" + encoded("ắc", legacy.TCVN3)
    raw += b"; 35 m\xb2; \xb13 dB; \x93c" + encoded("ộ", legacy.TCVN3) + b"t\x94"
    assert legacy.decoded_text(raw) == (text, legacy.TCVN3)


def test_a_column_is_decided_as_a_whole() -> None:
    cells = ["§ång V¨n", "Hoµ M¹c", "Hµ Nam", "BTS 5", "Phñ Lý"]
    encoding = legacy.encoding_of(cells)
    assert encoding == legacy.TCVN3
    assert [legacy.in_unicode(cell, encoding) for cell in cells] == [
        "Đồng Văn",
        "Hoà Mạc",
        "Hà Nam",
        "BTS 5",
        "Phủ Lý",
    ]


RARE = """
nghiêng khuỷu quỳnh giếng đường trường nguyễn khúc ngõ ruộng đặng lưỡi thuỷ xuống bưởi gặp mỡ
rẽ vẫn sẵn kỹ chẳng bịnh luỹ hoẵng ễnh ương ngoẹo tuổi kẻ nở bẩy
"""
SYLLABLES = sorted(
    {
        word.lower()
        for sentence in SENTENCES
        for word in sentence.replace(";", " ").replace(",", " ").split()
        if word.isalpha() and len(word) > 1
    }
    | set(RARE.split())
)
SPECIAL = [word for word in SYLLABLES if any(ord(char) > 0xFF for char in word)]


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    encoding=st.sampled_from(ONE_CASE + BOTH_CASES),
    case=st.sampled_from([str.lower, str.capitalize, str.upper]),
)
def test_any_vietnamese_text_is_recognised(
    data: st.DataObject, encoding: str, case: Callable[[str], str]
) -> None:
    words = data.draw(st.lists(st.sampled_from(SYLLABLES), min_size=3, max_size=30))
    words += data.draw(st.lists(st.sampled_from(SPECIAL), min_size=4, max_size=10, unique=True))
    random.Random(len(words)).shuffle(words)
    # The set of the fonts has no such capitals.
    text = " ".join(words if encoding == legacy.TCVN3 else map(case, words))
    assert sum(char.isalpha() for char in text) >= 15
    found = legacy.decoded_text(encoded(text, encoding))
    assert found is not None
    assert found[0] == text
