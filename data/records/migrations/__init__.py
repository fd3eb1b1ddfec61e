"""The steps from one form of the records database to the next (Alembic)."""

#: Revision of the newest step; a test holds it against the chain of files.
HEAD = "0004"
