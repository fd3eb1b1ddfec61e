"""Errors that a person can act on, in a form that can be translated.

Every error carries its English sentence as a template with named fields. The
packages below the app speak English; the app translates the template and puts
the same fields in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Message:
    """A sentence with named fields, to be shown in any language.

    Parameters
    ----------
    template
        English text with ``{field}`` marks.
    values
        The fields; a value may itself be a `Message`.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**{key: str(value) for key, value in self.values.items()})


def message(template: str, **values: object) -> Message:
    """Build a `Message`; the template is what translators see.

    Parameters
    ----------
    template
        English text with ``{field}`` marks.
    **values
        The fields.

    Returns
    -------
    Message
        The sentence.

    Examples
    --------
    >>> str(message("{count} rows", count=3))
    '3 rows'
    """
    return Message(template, values)


class PhuSongError(Exception):
    """Base of the errors raised on purpose; `str` gives one readable sentence.

    Parameters
    ----------
    template
        English text with ``{field}`` marks.
    **values
        The fields of the template.
    """

    def __init__(self, template: str, **values: object) -> None:
        self.message = Message(template, values)
        super().__init__(str(self.message))

    def __reduce__(self) -> tuple[object, ...]:
        # The usual way calls `__init__` with the finished sentence in place of its template.
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[PhuSongError], args: tuple[object, ...], state: dict[str, object]
) -> PhuSongError:
    """Rebuild an error that came from another process."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(PhuSongError, ValueError):
    """Something given by the user is not what was expected."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a layer: where it is, what stands there, what was expected.

    Parameters
    ----------
    layer
        Layer name, e.g. ``"cells"``.
    row
        Row number as the user sees it in the file (the first data row of a
        sheet with one header row is 2), or None if it is not about a row.
    column
        Column name, or None if it is not about a column.
    value
        The offending value as text, or a sentence that says what is wrong.
    expected
        What should stand there.
    file
        File name, where the data came from a file.
    severity
        ``"error"``: the data cannot be used; ``"warning"``: doubtful, but kept.
    """

    layer: str
    row: int | None
    column: str | None
    value: str | Message
    expected: Message
    file: str | None = None
    severity: Literal["error", "warning"] = "error"

    @property
    def message(self) -> Message:
        """The fault as one sentence."""
        place = {"file": self.file or self.layer, "row": self.row, "column": self.column}
        values = {**place, "value": self.value, "expected": self.expected}
        if self.row is not None and self.column is not None:
            return Message("{file}, row {row}, column {column}: {value} ({expected})", values)
        if self.row is not None:
            return Message("{file}, row {row}: {value} ({expected})", values)
        if self.column is not None:
            return Message("{file}, column {column}: {value} ({expected})", values)
        return Message("{file}: {value} ({expected})", values)

    def __str__(self) -> str:
        return str(self.message)


class ValidationError(InputError):
    """A layer does not fit its schema.

    Parameters
    ----------
    problems
        The faults, at least one.

    Attributes
    ----------
    problems
        The faults, row by row.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        first = self.problems[0].message
        if len(self.problems) == 1:
            super().__init__("{first}", first=first)
        else:
            super().__init__(
                "{first}; and {count} more problems", first=first, count=len(self.problems) - 1
            )


class CancelledError(PhuSongError):
    """The user stopped a long computation; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was changed")
