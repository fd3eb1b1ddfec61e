"""What the tables of all parts have in common."""

from __future__ import annotations

from sqlalchemy import Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

#: Names of constraints, the same in all databases, so that later steps can refer to them.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables.

    Texts are `Text`, numbers `Integer` or `Float`, flags `Boolean`; for the rest
    see `data.records.column_types`. With these types the SQLite file is a
    GeoPackage that other programs read without complaint.
    """

    metadata = MetaData(naming_convention=NAMES)


class Versioned:
    """A row that several people may change: every change raises `version` by one.

    A change of a row that somebody else changed in the meantime fails as
    `engine.StaleError` when it is written.
    """

    version: Mapped[int] = mapped_column(Integer, nullable=False)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, object]:  # noqa: N805 - SQLAlchemy's convention
        return {"version_id_col": cls.__table__.c.version}  # type: ignore[attr-defined]
