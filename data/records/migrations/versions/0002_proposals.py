"""The carriers' proposals: plans, sites, documents, comments, evaluations, files and news."""

import sqlalchemy as sa
from alembic import op

from data.records import geopackage
from data.records.column_types import Json, Place, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    op.create_table(
        "site_plans",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("day", sa.Text()),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("valid_to", sa.Text()),
        sa.Column("parent_id", sa.Integer()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_plans")),
        sa.CheckConstraint("level IN ('provincial', 'carrier')", name=op.f("ck_site_plans_level")),
        sa.CheckConstraint(
            "status IN ('submitted', 'in_force', 'refused')", name=op.f("ck_site_plans_status")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["site_plans.id"], name=op.f("fk_site_plans_parent_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_site_plans_area_organisation"), "site_plans", ["area", "organisation"])
    op.create_table(
        "proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("request_digest", sa.Text(), nullable=False),
        sa.Column("place", Place(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("mast_id", sa.Text(), nullable=False),
        sa.Column("mast_class", sa.Text(), nullable=False),
        sa.Column("height_m", sa.Float(), nullable=False),
        sa.Column("building_height_m", sa.Float()),
        sa.Column("radius_m", sa.Float()),
        sa.Column("shareable", sa.Boolean(), nullable=False),
        sa.Column("max_tenants", sa.Integer()),
        sa.Column("technologies", Json(), nullable=False),
        sa.Column("cells", Json(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Integer()),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("permit_required", sa.Boolean()),
        sa.Column("scenario_id", sa.Integer()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("submitted_at", UtcDateTime()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposals")),
        sa.CheckConstraint("kind IN ('new', 'share')", name=op.f("ck_proposals_kind")),
        sa.ForeignKeyConstraint(["plan_id"], ["site_plans.id"], name=op.f("fk_proposals_plan_id")),
        sa.UniqueConstraint(
            "area",
            "organisation",
            "request_id",
            name=op.f("uq_proposals_area_organisation_request_id"),
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_proposals_area_status"), "proposals", ["area", "status"])
    op.create_table(
        "proposal_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("valid_to", sa.Text()),
        sa.Column("account_id", sa.Integer()),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_steps")),
        sa.CheckConstraint(
            "kind IN ('consent', 'permit', 'emf_certificate', 'on_air')",
            name=op.f("ck_proposal_steps_kind"),
        ),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_proposal_steps_proposal_id")
        ),
        sa.UniqueConstraint(
            "proposal_id", "kind", "number", name=op.f("uq_proposal_steps_proposal_id_kind_number")
        ),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "proposal_comments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_comments")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_proposal_comments_proposal_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_proposal_comments_proposal_id"), "proposal_comments", ["proposal_id"])
    op.create_table(
        "proposal_evaluations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("inputs", Json(), nullable=False),
        sa.Column("result", Json(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_evaluations")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_proposal_evaluations_proposal_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_proposal_evaluations_proposal_id"), "proposal_evaluations", ["proposal_id"]
    )
    op.create_table(
        "proposal_attachments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer()),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proposal_attachments")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_proposal_attachments_proposal_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_proposal_attachments_proposal_id"), "proposal_attachments", ["proposal_id"]
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("area", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("organisation", sa.Text(), nullable=False),
        sa.Column("proposal_id", sa.Integer()),
        sa.Column("action", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notifications")),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name=op.f("fk_notifications_proposal_id")
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_notifications_area_organisation"), "notifications", ["area", "organisation"]
    )
    op.create_index(op.f("ix_notifications_area_role"), "notifications", ["area", "role"])
    op.create_table(
        "notification_reads",
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("reader", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("notification_id", "reader", name=op.f("pk_notification_reads")),
        sa.ForeignKeyConstraint(
            ["notification_id"],
            ["notifications.id"],
            name=op.f("fk_notification_reads_notification_id"),
        ),
    )
    geopackage.register(connection, "proposals", place="place")
    geopackage.register(
        connection,
        "site_plans",
        "proposal_steps",
        "proposal_comments",
        "proposal_evaluations",
        "proposal_attachments",
        "notifications",
        "notification_reads",
    )
