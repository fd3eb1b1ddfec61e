"""Read what people have: tables, drawings, antenna patterns, measurements."""

from data.importers.layer import ColumnUse as ColumnUse
from data.importers.layer import ImportReport as ImportReport
from data.importers.layer import Preview as Preview
from data.importers.layer import forget as forget
from data.importers.layer import history as history
from data.importers.layer import import_layer as import_layer
from data.importers.layer import preview as preview
from data.importers.layer import undo as undo
from data.importers.raster import import_raster as import_raster
from data.importers.table import read_table as read_table
