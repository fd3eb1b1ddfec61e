"""The table of open sources."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest

import data.sources
from data import schema
from data.errors import InputError
from data.sources import registry
from data.sources.source import Source
from tests.vectors import ROOT

METHODS = {
    "find": ["place"],
    "size_up": ["items"],
    "fetch": ["items", "place", "on_progress"],
    "read": ["fetched", "place", "folder"],
}


@pytest.mark.parametrize("name", registry.SOURCES)
def test_each_source_has_what_all_have(name) -> None:
    source = registry.named(name)
    assert source.name == name
    assert len(source.title) > 10
    assert len(source.licence) > 5
    assert source.gives
    for method, parameters in METHODS.items():
        signature = inspect.signature(getattr(source, method))
        assert list(signature.parameters) == parameters
    assert signature.parameters.keys() == {"fetched", "place", "folder"}


def test_what_they_give_is_known() -> None:
    known = {*schema.LAYERS, *schema.RASTERS}
    for source in registry.SOURCES.values():
        assert set(source.gives) <= known, source.name
    assert {"copernicus_dem", "srtm"} <= set(registry.giving("terrain"))
    assert registry.giving("clutter") == ("worldcover",)
    assert {"worldpop", "kontur"} <= set(registry.giving("population"))


def test_no_source_is_forgotten() -> None:
    registered = {module for module, _ in registry._PLACES.values()}
    for module in pkgutil.iter_modules(data.sources.__path__):
        loaded = importlib.import_module(f"data.sources.{module.name}")
        for thing in vars(loaded).values():
            if not inspect.isclass(thing) or thing.__module__ != loaded.__name__:
                continue
            if not all(hasattr(thing, method) for method in METHODS) or thing is Source:
                continue
            parameters = inspect.signature(thing).parameters.values()
            if all(one.default is not inspect.Parameter.empty for one in parameters):
                assert module.name in registered, thing  # the others need a file of the user's


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"no source nowhere; known sources: .*copernicus_dem, srtm"
    ):
        registry.named("nowhere")
    assert "nowhere" not in registry.SOURCES
    with pytest.raises(KeyError):
        registry.SOURCES["nowhere"]
    assert len(registry.SOURCES) == len(list(registry.SOURCES))


def test_the_table_itself_loads_no_source() -> None:
    program = (
        "import sys; from data.sources import registry; list(registry.SOURCES); "
        "assert not {'data.sources.ookla', 'data.sources.worldpop'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
