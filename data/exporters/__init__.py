"""Write layers to files that other programs open, and that can be imported again."""

from data.exporters.export import FORMATS as FORMATS
from data.exporters.export import ExportReport as ExportReport
from data.exporters.export import export as export
from data.exporters.export import export_layer as export_layer
