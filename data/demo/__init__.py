"""The embedded default area, generated, and areas of any size for tests."""

from data.demo.areas import AreaSpec, hanam_spec, plain_spec
from data.demo.generator import DEFAULT_SEED, GeneratedArea, generate

__all__ = ["DEFAULT_SEED", "AreaSpec", "GeneratedArea", "generate", "hanam_spec", "plain_spec"]
