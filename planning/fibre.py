"""Design of fibre networks."""

from planning.steiner import SteinerTree as SteinerTree
from planning.steiner import steiner_tree as steiner_tree
