"""Antenna pattern files in the Planet text format (`.msi`, `.pln`).

The format has no standard; what is read here is what makers and planning tools
write: keyword lines (NAME, MAKE, FREQUENCY, GAIN, TILT ...), then `HORIZONTAL n`
and `VERTICAL n`, each followed by `n` lines "angle attenuation". Attenuation is
in dB below the greatest gain, without a minus sign. Horizontal angles run
clockwise from the main lobe; vertical angles run from the horizon (0) downwards
(90 is the ground). A gain without a unit is in dBd.

Files that say something else are refused with the reason, except where only one
reading makes sense; then `PatternFile.notes` says what was assumed.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data.errors import InputError, Message, message

#: Gain of a half-wave dipole over an isotropic antenna, as the format rounds it. [dB]
DIPOLE_GAIN_DBI = 2.15

#: Suffixes of pattern files in a folder.
SUFFIXES = (".msi", ".pln")

#: Larger files are not pattern files. [bytes]
MAX_BYTES = 4_000_000

MAX_ATTENUATION_DB = 200.0

#: Values this little below 0 are taken as the rounding of a normalisation. [dB]
_ROUNDING_DB = 0.5

#: How far the gain may lie above what the shape of the pattern allows; the two
#: cuts give the directivity of a sector antenna to a few dB only. [dB]
_GAIN_TOLERANCE_DB = 6.0

#: Attenuation in direction 0 of the horizontal cut from which it is no main lobe. [dB]
_NO_MAIN_LOBE_DB = 10.0

_CUTS = ("HORIZONTAL", "VERTICAL")
_USUAL = {
    "NAME",
    "MAKE",
    "FREQUENCY",
    "H_WIDTH",
    "V_WIDTH",
    "FRONT_TO_BACK",
    "GAIN",
    "TILT",
    "ELECTRICAL_TILT",
    "POLARIZATION",
    "COMMENT",
}
_KEYWORD = re.compile(r"[A-Za-z][A-Za-z0-9_/-]*")
_NUMBER = r"[-+]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d+)?"


@dataclass(frozen=True, eq=False)
class PatternFile:
    """An antenna pattern as its file gives it.

    Parameters
    ----------
    name
        Name of the antenna.
    gain_dbi
        Greatest gain. [dBi]
    horizontal_db
        Attenuation from 0 to 360 degrees clockwise from the main lobe, in equal
        steps, 0 or positive. [dB]
    vertical_db
        Attenuation from 0 (horizon) over 90 (ground) to 360 degrees, in equal
        steps, 0 or positive. [dB]
    frequency_mhz
        Frequency of the measurement, or None. [MHz]
    electrical_tilt_deg
        Electrical downtilt that the pattern contains, or None where the file
        does not say. [degrees]
    make
        Maker; may be empty.
    other
        The other keyword lines, in the order of the file.
    notes
        What was assumed where the file leaves room.
    """

    name: str
    gain_dbi: float
    horizontal_db: NDArray[np.float64]
    vertical_db: NDArray[np.float64]
    frequency_mhz: float | None = None
    electrical_tilt_deg: float | None = None
    make: str = ""
    other: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Message, ...] = ()

    @property
    def main_lobe_deg(self) -> float:
        """Angle of the main lobe below the horizon, -180 to 180. [degrees].

        The middle of the stretch around the smallest attenuation that lies
        within 0.05 dB of it.
        """
        values = self.vertical_db
        count = len(values)
        best = int(np.argmin(values))
        flat = values <= values[best] + 0.05
        if flat.all():
            return 0.0
        low = high = best
        while flat[(low - 1) % count]:
            low -= 1
        while flat[(high + 1) % count]:
            high += 1
        angle = 0.5 * (low + high) * 360.0 / count
        return (angle + 180.0) % 360.0 - 180.0


def read(source: Path | str | bytes, *, file: str | None = None) -> PatternFile:
    """Read a pattern file.

    Parameters
    ----------
    source
        Path, or the content of the file.
    file
        Name for messages where `source` is the content.

    Returns
    -------
    PatternFile
        The pattern.

    Raises
    ------
    InputError
        If it is not a complete pattern file; the sentence names file and line.
    """
    if isinstance(source, bytes):
        content, name = source, file or "antenna pattern"
    else:
        path = Path(source)
        name = file or path.name
        try:
            if path.stat().st_size > MAX_BYTES:
                raise InputError("{file}: too large for an antenna pattern file", file=name)
            content = path.read_bytes()
        except OSError as error:
            raise InputError(
                "{file}: the file cannot be read ({reason})",
                file=name,
                reason=error.strerror or "unknown reason",
            ) from error
    return _Reader(name).read(_text(content, name))


def read_folder(folder: Path) -> dict[str, PatternFile]:
    """Read all pattern files of a folder.

    Parameters
    ----------
    folder
        Searched for `.msi` and `.pln` files, not below; may be absent.

    Returns
    -------
    dict
        Pattern by the antenna's name and by the file's name without its suffix.

    Raises
    ------
    InputError
        If a file cannot be read or two different files give the same name.
    """
    found: dict[str, PatternFile] = {}
    origin: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            continue
        pattern = read(path)
        for name in dict.fromkeys((pattern.name, path.stem)):
            if name in found:
                raise InputError(
                    "{file}: antenna name {name} is also that of {other} (expected each name once)",
                    file=path.name,
                    name=name,
                    other=origin[name].name,
                )
            found[name], origin[name] = pattern, path
    return found


def add_to_folder(paths: Sequence[Path], folder: Path) -> list[PatternFile]:
    """Copy pattern files into a folder, all of them or none.

    Parameters
    ----------
    paths
        Pattern files. One of the same name in the folder is replaced.
    folder
        Made if absent.

    Returns
    -------
    list of PatternFile
        The patterns, in the order of the files.

    Raises
    ------
    InputError
        If a file cannot be used, or its antenna's name is also that of another
        file; then nothing is changed.
    """
    if not paths:
        raise InputError("No antenna pattern file was given")
    folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, bytes] = {}
    patterns = []
    # The folder as it would become is read as a whole before anything is changed.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as trial:
        for path in folder.iterdir():
            if path.suffix.lower() in SUFFIXES and path.is_file():
                shutil.copyfile(path, Path(trial) / path.name)
        for path in paths:
            patterns.append(read(path))
            suffix = path.suffix.lower()
            name = path.stem + (suffix if suffix in SUFFIXES else SUFFIXES[0])
            if name in content:
                raise InputError("{file}: there are two files of this name", file=name)
            content[name] = path.read_bytes()
            for old in Path(trial).iterdir():
                if old.name.lower() == name.lower():
                    old.unlink()
            (Path(trial) / name).write_bytes(content[name])
        read_folder(Path(trial))
        for path in list(folder.iterdir()):
            for name in content:
                if path.name.lower() == name.lower() and path.name != name:
                    path.unlink()
        for name in content:
            (Path(trial) / name).replace(folder / name)
    return patterns


def to_text(pattern: PatternFile) -> str:
    """Write a pattern in the Planet format.

    Parameters
    ----------
    pattern
        The pattern.

    Returns
    -------
    str
        Text that `read` gives back with the same values to 0.0001 dB.
    """
    lines = [f"NAME {_one_line(pattern.name)}"]
    if pattern.make:
        lines.append(f"MAKE {_one_line(pattern.make)}")
    if pattern.frequency_mhz is not None:
        lines.append(f"FREQUENCY {_decimal(pattern.frequency_mhz)}")
    lines.append(f"GAIN {_decimal(pattern.gain_dbi)} dBi")
    if pattern.electrical_tilt_deg is not None:
        lines.append(f"TILT ELECTRICAL {_decimal(pattern.electrical_tilt_deg)}")
    lines += [f"{key} {_one_line(value)}".rstrip() for key, value in pattern.other.items()]
    for cut, values in zip(_CUTS, (pattern.horizontal_db, pattern.vertical_db), strict=True):
        lines.append(f"{cut} {len(values)}")
        step = 360.0 / len(values)
        lines += [
            f"{_decimal(index * step)} {_decimal(value)}" for index, value in enumerate(values)
        ]
    return "\n".join(lines) + "\n"


def write(pattern: PatternFile, path: Path) -> None:
    """Write a pattern file in one step.

    Parameters
    ----------
    pattern
        The pattern.
    path
        Where to; an existing file is replaced.
    """
    handle, part = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(to_text(pattern))
        Path(part).chmod(0o644)
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)


def directivity_dbi(horizontal_db: NDArray[np.float64], vertical_db: NDArray[np.float64]) -> float:
    """Estimate the directivity of an antenna from its two cuts.

    The attenuation in any direction is taken as the sum of the two cuts; the
    vertical one is moved so that its main lobe lies on the horizon.

    Parameters
    ----------
    horizontal_db, vertical_db
        Attenuation in equal steps over 360 degrees. [dB]

    Returns
    -------
    float
        4 pi over the integral of the relative power over the sphere. [dBi]

    Examples
    --------
    >>> round(directivity_dbi(np.zeros(360), np.zeros(360)), 1)
    0.0
    """
    around = float(np.mean(10.0 ** (-0.1 * horizontal_db)))
    count = len(vertical_db)
    levelled = np.roll(vertical_db, -int(np.argmin(vertical_db)))
    angle = np.arange(count) * (2.0 * np.pi / count)
    front = np.cos(angle) > 0.0
    weight = np.cos(angle[front])
    power = 10.0 ** (-0.1 * levelled[front])
    up_and_down = float(np.sum(power * weight) / np.sum(weight))
    return 10.0 * math.log10(1.0 / (around * up_and_down))


def _decimal(value: float) -> str:
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _text(content: bytes, name: str) -> str:
    if len(content) > MAX_BYTES:
        raise InputError("{file}: too large for an antenna pattern file", file=name)
    if not content.strip():
        raise InputError("{file}: the file is empty", file=name)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]", text):
            return text
    raise InputError(
        "{file}: not a text file (expected an antenna pattern in Planet format, with the lines "
        "HORIZONTAL 360 and VERTICAL 360)",
        file=name,
    )


class _Reader:
    """The state of reading one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.notes: list[Message] = []
        self.fields: dict[str, tuple[int, str]] = {}

    def fail(self, line: int, value: str | Message, expected: Message) -> InputError:
        return InputError(
            "{file}, line {line}: {value} ({expected})",
            file=self.file,
            line=line,
            value=value,
            expected=expected,
        )

    def read(self, text: str) -> PatternFile:
        lines = re.split(r"\r\n|\n|\r", text)
        cuts = self._sections(lines)
        for cut in _CUTS:
            if cut not in cuts:
                raise InputError(
                    "{file}: there is no line {cut} (expected an antenna pattern in Planet format "
                    "with both cuts)",
                    file=self.file,
                    cut=f"{cut} 360",
                )
        horizontal = self._values("HORIZONTAL", *cuts["HORIZONTAL"])
        vertical = self._values("VERTICAL", *cuts["VERTICAL"])
        tilt = self._tilt()
        vertical = self._downwards(vertical, tilt, cuts["VERTICAL"][0])
        gain = self._gain()
        self._check_gain(gain, horizontal, vertical)
        name = self._field("NAME") or Path(self.file).stem
        known = {"NAME", "MAKE", "FREQUENCY", "GAIN", "TILT", "ELECTRICAL_TILT"}
        return PatternFile(
            name=name,
            gain_dbi=gain,
            horizontal_db=horizontal,
            vertical_db=vertical,
            frequency_mhz=self._frequency(),
            electrical_tilt_deg=tilt,
            make=self._field("MAKE"),
            other={key: value for key, (_, value) in self.fields.items() if key not in known},
            notes=tuple(self.notes),
        )

    def _field(self, key: str) -> str:
        return self.fields[key][1] if key in self.fields else ""

    def _sections(self, lines: list[str]) -> dict[str, tuple[int, list[tuple[int, str]]]]:
        """Split the file: keyword lines go to `fields`, the two cuts are returned."""
        cuts: dict[str, tuple[int, list[tuple[int, str]]]] = {}
        body: list[tuple[int, str]] | None = None
        wanted = 0
        for number, raw in enumerate(lines, start=1):
            line = raw.strip()
            if not line:
                continue
            word = _KEYWORD.match(line)
            if word is None:
                if body is None or len(body) >= wanted:
                    self._stray(number, line, body is not None)
                else:
                    body.append((number, line))
                continue
            key = word.group().upper()
            value = line[word.end() :].strip(" \t:=")
            if key in _CUTS:
                if key in cuts:
                    raise self.fail(
                        number,
                        message("{cut} is there twice", cut=key),
                        message("expected each cut once"),
                    )
                if body is not None and len(body) < wanted:
                    raise self._too_few(number, list(cuts)[-1], len(body), wanted, f"'{line[:40]}'")
                wanted = self._count(number, key, value)
                body = []
                cuts[key] = (number, body)
            elif body is not None and len(body) < wanted:
                raise self._too_few(number, list(cuts)[-1], len(body), wanted, f"'{line[:40]}'")
            elif not self.fields and key not in _USUAL:
                # Some makers leave the word NAME away on the first line.
                self.fields["NAME"] = (number, line)
            else:
                self.fields.setdefault(key, (number, value))
        if body is not None and len(body) < wanted:
            raise self._too_few(
                len(lines), list(cuts)[-1], len(body), wanted, message("end of the file")
            )
        return cuts

    def _stray(self, number: int, line: str, after_cut: bool) -> None:
        if not after_cut and not self.fields:
            # A first line such as "742 215" is the name without its keyword.
            self.fields["NAME"] = (number, line)
            return
        expected = (
            message("expected no more lines than the number after the cut's name says")
            if after_cut
            else message("expected a keyword such as NAME, GAIN or HORIZONTAL")
        )
        raise self.fail(number, f"'{line[:40]}'", expected)

    def _too_few(
        self, number: int, cut: str, found: int, wanted: int, what: str | Message
    ) -> InputError:
        return self.fail(
            number,
            what,
            message(
                "expected {wanted} lines of angle and attenuation after {cut}, found {found}; "
                "the file is cut short or lines are missing",
                wanted=wanted,
                cut=cut,
                found=found,
            ),
        )

    def _count(self, number: int, cut: str, value: str) -> int:
        if not re.fullmatch(r"\d{1,5}", value) or not 4 <= int(value) <= 3601:
            raise self.fail(
                number,
                f"'{cut} {value[:20]}'",
                message("expected the number of angles after {cut}, such as 360", cut=cut),
            )
        return int(value)

    def _values(self, cut: str, start: int, body: list[tuple[int, str]]) -> NDArray[np.float64]:
        """Return the attenuation of a cut from 0 to 360 degrees in equal steps."""
        by_angle: dict[float, tuple[float, int]] = {}
        for number, line in body:
            angle, value = self._pair(number, line)
            turned = round(angle % 360.0, 6) % 360.0
            if turned in by_angle:
                earlier, at = by_angle[turned]
                if angle in (360.0, 180.0) and abs(earlier - value) <= _ROUNDING_DB:
                    continue  # 0 and 360 are the same direction
                raise self.fail(
                    number,
                    message("angle {angle} is there twice", angle=f"{angle:g}"),
                    message("expected each angle once; line {line} has it too", line=at),
                )
            by_angle[turned] = (value, number)
        angles = np.array(sorted(by_angle))
        step = 360.0 / len(angles)
        usual = float(np.median(np.diff(angles)))
        gaps = np.diff(np.append(angles, 360.0 + angles[0]))
        worst = int(np.argmax(gaps))
        if angles[0] != 0.0 or abs(gaps[worst] - step) > 0.01 * step:
            missing = 0.0 if angles[0] != 0.0 else float(angles[worst] + usual)
            raise self.fail(
                start,
                message("angle {angle} of the cut {cut} is missing", angle=f"{missing:g}", cut=cut),
                message("expected angles in equal steps all round, from 0 to 360 degrees"),
            )
        values = np.array([by_angle[angle][0] for angle in angles])
        return self._attenuation(cut, start, values, [by_angle[angle][1] for angle in angles])

    def _pair(self, number: int, line: str) -> tuple[float, float]:
        expected = message("expected an angle in degrees and an attenuation in dB")
        parts = re.split(r"[\s;]+", line.strip(" \t;"))
        if len(parts) == 1 and line.count(",") == 1:
            parts = line.split(",")
        if len(parts) != 2 or not all(re.fullmatch(_NUMBER, part) for part in parts):
            raise self.fail(number, f"'{line[:40]}'", expected)
        angle, value = (float(part.replace(",", ".")) for part in parts)
        if not -360.0 <= angle <= 360.0:
            raise self.fail(number, f"{angle:g}", message("expected an angle from 0 to 360"))
        if not abs(value) <= MAX_ATTENUATION_DB:
            raise self.fail(
                number,
                f"{value:g}",
                message("expected an attenuation from 0 to {high} dB", high=MAX_ATTENUATION_DB),
            )
        return angle, value

    def _attenuation(
        self, cut: str, start: int, values: NDArray[np.float64], lines: list[int]
    ) -> NDArray[np.float64]:
        """Check the sign and the unit of the values of a cut."""
        if values.max() <= 0.0 and values.min() < -_ROUNDING_DB and values.max() > -_ROUNDING_DB:
            # Nothing above 0 and 0 at the main lobe: gain relative to it.
            values = -values
            self.notes.append(
                message(
                    "{file}: {cut} holds negative values up to 0; taken as gain relative to the "
                    "main lobe",
                    file=self.file,
                    cut=cut,
                )
            )
        lowest = int(np.argmin(values))
        if values[lowest] < -_ROUNDING_DB:
            raise self.fail(
                lines[lowest],
                message("attenuation {value} dB", value=f"{values[lowest]:g}"),
                message(
                    "expected 0 or more: attenuation below the greatest gain; the file seems to "
                    "hold gains"
                ),
            )
        if values[lowest] < 0.0:
            self.notes.append(
                message(
                    "{file}: {cut} goes down to {value} dB; moved up so that the main lobe is at 0",
                    file=self.file,
                    cut=cut,
                    value=f"{values[lowest]:g}",
                )
            )
            values = values - values[lowest]
        if cut == "VERTICAL":
            # Even a tilted main lobe sends far more than this within 10 degrees of the horizon.
            power = 10.0 ** (-0.1 * values)
            near = len(values) // 36
            front = np.concatenate((power[: near + 1], power[len(values) - near :]))
            if front.mean() < 0.1 * power.mean():
                raise self.fail(
                    start,
                    message("VERTICAL attenuates most near the horizon"),
                    message(
                        "expected attenuation below the greatest gain, near 0 in the main lobe; "
                        "the file seems to hold gains"
                    ),
                )
        elif values[0] > _NO_MAIN_LOBE_DB:
            raise self.fail(
                lines[0],
                message("HORIZONTAL attenuates {value} dB in direction 0", value=f"{values[0]:g}"),
                message(
                    "expected the main lobe there, near 0 dB; the file seems to hold gains or to "
                    "be turned"
                ),
            )
        if values.min() > 6.0:
            raise self.fail(
                start,
                message(
                    "the smallest attenuation of {cut} is {value} dB",
                    cut=cut,
                    value=f"{values.min():g}",
                ),
                message("expected about 0 dB in the main lobe"),
            )
        return values

    def _tilt(self) -> float | None:
        for key in ("ELECTRICAL_TILT", "TILT"):
            if key not in self.fields:
                continue
            number, value = self.fields[key]
            if "MECHANICAL" in value.upper():
                continue
            found = re.search(_NUMBER, value)
            if found is None:
                return None
            tilt = float(found.group().replace(",", "."))
            if not -45.0 <= tilt <= 45.0:
                raise self.fail(
                    number,
                    f"{key} {value[:30]}",
                    message("expected a downtilt from -45 to 45 degrees"),
                )
            return tilt
        return None

    def _downwards(
        self, vertical: NDArray[np.float64], tilt: float | None, start: int
    ) -> NDArray[np.float64]:
        """Make the angles run downwards, if the stated tilt shows that they run upwards."""
        if tilt is None:
            return vertical
        shape = PatternFile("", 0.0, vertical, vertical)
        beam = 0.5 * float(np.sum(vertical < 3.0)) * 360.0 / len(vertical)
        allowed = max(2.0, beam)
        lobe = shape.main_lobe_deg
        if abs(lobe - tilt) <= allowed and abs(lobe - tilt) <= abs(lobe + tilt):
            return vertical
        if abs(lobe + tilt) <= allowed:
            self.notes.append(
                message(
                    "{file}: the vertical angles run upwards (main lobe at {lobe} with a downtilt "
                    "of {tilt} degrees); turned round",
                    file=self.file,
                    lobe=f"{lobe % 360.0:g}",
                    tilt=f"{tilt:g}",
                )
            )
            return np.roll(vertical[::-1], 1)
        raise self.fail(
            start,
            message("the main lobe lies {lobe} degrees below the horizon", lobe=f"{lobe:g}"),
            message("expected it near the stated electrical tilt of {tilt}", tilt=f"{tilt:g}"),
        )

    def _gain(self) -> float:
        if "GAIN" not in self.fields:
            raise InputError(
                "{file}: there is no line GAIN (expected e.g. GAIN 15.3 dBd)", file=self.file
            )
        number, value = self.fields["GAIN"]
        found = re.fullmatch(rf"({_NUMBER})\s*\(?([A-Za-z]*)\)?", value)
        unit = found.group(2).lower() if found else ""
        if found is None or unit not in ("", "dbd", "dbi"):
            raise self.fail(
                number,
                f"GAIN {value[:30]}",
                message("expected a number with the unit dBd or dBi"),
            )
        gain = float(found.group(1).replace(",", "."))
        if not -30.0 <= gain <= 60.0:
            raise self.fail(
                number, f"GAIN {value[:30]}", message("expected a gain from -30 to 60 dB")
            )
        if not unit:
            self.notes.append(
                message(
                    "{file}: the gain has no unit; taken as dBd, as the format says", file=self.file
                )
            )
        return gain if unit == "dbi" else gain + DIPOLE_GAIN_DBI

    def _check_gain(
        self, gain: float, horizontal: NDArray[np.float64], vertical: NDArray[np.float64]
    ) -> None:
        """Refuse a gain that the shape cannot have: no antenna has more gain than directivity."""
        most = directivity_dbi(horizontal, vertical)
        if gain > most + _GAIN_TOLERANCE_DB:
            number = self.fields["GAIN"][0]
            raise self.fail(
                number,
                message("the gain of {gain} dBi", gain=f"{gain:.1f}"),
                message(
                    "expected at most about {most} dBi for lobes this wide; the gain or the "
                    "attenuations are not in dB",
                    most=f"{most:.0f}",
                ),
            )

    def _frequency(self) -> float | None:
        number, value = self.fields.get("FREQUENCY", (0, ""))
        if not value:
            return None
        found = re.fullmatch(
            rf"({_NUMBER})(?:\s*(?:-|to|\s)\s*({_NUMBER}))?\s*([A-Za-z]*)", value.strip()
        )
        scale = {"": 1.0, "mhz": 1.0, "ghz": 1000.0, "khz": 0.001, "hz": 1e-6}
        if found is None or found.group(3).lower() not in scale:
            raise self.fail(
                number, f"FREQUENCY {value[:30]}", message("expected a frequency in MHz")
            )
        ends = [float(text.replace(",", ".")) for text in found.groups()[:2] if text]
        frequency = abs(sum(map(abs, ends))) / len(ends) * scale[found.group(3).lower()]
        if len(ends) == 2:
            self.notes.append(
                message(
                    "{file}: the file is for a band; its middle {value} MHz is kept",
                    file=self.file,
                    value=f"{frequency:g}",
                )
            )
        if not 10.0 <= frequency <= 300_000.0:
            raise self.fail(
                number,
                f"FREQUENCY {value[:30]}",
                message("expected a frequency from 10 to 300000 MHz"),
            )
        return frequency
