"""The container files: what can be checked of them without Docker."""

from pathlib import Path

import yaml

from data.records import connections

ROOT = Path(__file__).parent.parent


def test_the_services_fit_the_program() -> None:
    services = yaml.safe_load((ROOT / "docker" / "compose.yml").read_text())["services"]
    build = services["app"]["build"]
    folder = (ROOT / "docker" / build["context"]).resolve()
    assert folder == ROOT
    assert (folder / build["dockerfile"]).is_file()
    url = services["app"]["environment"]["PHUSONG_DATABASE_URL"]
    start, rest = url.split("${POSTGRES_PASSWORD", 1)
    address = connections.address_of(ROOT, f"{start}secret{rest.split('}', 1)[1]}")
    database = services["database"]["environment"]
    assert (address.username, address.database) == (
        database["POSTGRES_USER"],
        database["POSTGRES_DB"],
    )
    assert address.host in services
    assert set(services["app"]["depends_on"]) == {address.host}
    # Nobody but this machine reaches the app before its administrator says so.
    assert services["app"]["ports"][0].startswith("${PHUSONG_ADDRESS:-127.0.0.1}:")


def test_no_secret_is_built_into_the_image() -> None:
    left_out = (ROOT / ".dockerignore").read_text().split()
    assert {"docker/.env", ".streamlit/secrets.toml", ".git"} <= set(left_out)
    example = (ROOT / "docker" / "example.env").read_text()
    assert "POSTGRES_PASSWORD=\n" in example
