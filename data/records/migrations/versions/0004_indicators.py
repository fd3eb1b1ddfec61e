"""Indicators: what people changed of their definitions, and values over time."""

import sqlalchemy as sa
from alembic import op

from data.records import geopackage
from data.records.column_types import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXTS = (
    "title_vi",
    "title_en",
    "definition_vi",
    "definition_en",
    "unit",
    "denominator",
    "computed_by",
)


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "indicators",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("group_code", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in _TEXTS),
        sa.Column("target", sa.Float()),
        sa.Column("target_year", sa.Integer()),
        sa.Column("target_source", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("issued_on", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("related", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicators")),
        sa.UniqueConstraint("area", "indicator", name=op.f("uq_indicators_area_indicator")),
        sa.CheckConstraint(
            "kind IN ('figure', 'statement', 'document')", name=op.f("ck_indicators_kind")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "indicator_values",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("indicator", sa.Text(), nullable=False),
        sa.Column("seed", sa.Text()),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("zone_code", sa.Text(), nullable=False),
        sa.Column("as_of", sa.Text(), nullable=False),
        sa.Column("value", sa.Float()),
        sa.Column("part_count", sa.Float()),
        sa.Column("whole_count", sa.Float()),
        sa.Column("interval_low", sa.Float()),
        sa.Column("interval_high", sa.Float()),
        sa.Column("denominator", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_indicator_values")),
        sa.UniqueConstraint("area", "seed", name=op.f("uq_indicator_values_area_seed")),
        sa.CheckConstraint(
            "kind IN ('reported', 'computed')", name=op.f("ck_indicator_values_kind")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_indicator_values_area_indicator"), "indicator_values", ["area", "indicator"]
    )
    geopackage.register(op.get_bind(), "indicators", "indicator_values")
