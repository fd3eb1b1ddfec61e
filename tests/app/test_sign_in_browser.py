"""Signing in with a real browser against a real server."""

from __future__ import annotations

import http.client
import re
import shutil
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from data.records.engine import Records
from data.store import Workspace
from planning import accounts
from planning.accounts import COMMAND_LINE
from tests.app.server import serving

pytestmark = pytest.mark.browser

PASSWORD = "mưa rào tháng sáu"


@pytest.fixture
def server(bare: Workspace, tmp_path, monkeypatch):
    """A server of its own, beside whose workspace accounts can be made."""
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    shutil.copytree(bare.folder, tmp_path / "home" / "area")
    with serving(tmp_path / "home" / "area", tmp_path / "server.log") as address:
        yield address


def _sign_in(page: Page, login: str) -> None:
    page.get_by_test_id("stPopover").get_by_role("button", name="Sign in").click()
    page.get_by_label("Login name").fill(login)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_test_id("stFormSubmitButton").get_by_role("button", name="Sign in").click()


def test_the_first_administrator_lets_others_in(server, page, tmp_path) -> None:
    page.goto(f"{server}/administration?lang=en")
    page.get_by_label("Login name").fill("lan")
    page.get_by_label("Name shown to others").fill("<img src=x onerror=alert(1)> **Lan**")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password once more").fill(PASSWORD)
    page.get_by_role("button", name="Make the administrator").click()
    user = page.locator(".ps-user")
    expect(user).to_contain_text("<img src=x onerror=alert(1)> **Lan**")
    expect(page.locator("[data-testid=stDataFrame] >> visible=true")).to_have_count(1)

    # A reload is a new session, which has to sign in; a link to a page for others says so.
    page.goto(f"{server}/administration?lang=en")
    expect(page.get_by_text("This page is for people with the role administrator")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.goto(f"{server}/data?lang=en")
    expect(page.get_by_role("link", name="Administration")).to_have_count(0)
    page.get_by_role("tab", name="Upload a file").click()
    expect(page.get_by_text("Only planners and administrators change data")).to_be_visible()
    _sign_in(page, "lan")
    expect(page.locator("input[type=file]")).to_have_count(1)
    expect(page.get_by_role("link", name="Administration")).to_have_count(1)

    # An upload that is too large is refused by the browser's side and by the server.
    small, large = tmp_path / "masts.csv", tmp_path / "large.csv"
    small.write_text("mast_id,lon,lat\n")
    with large.open("wb") as file:
        file.truncate(1 << 30)
    with page.expect_request(lambda sent: sent.method == "PUT") as upload:
        page.locator("input[type=file]").set_input_files(small)
    assert _answer(upload.value.url, page) == 413
    addresses: list[str] = []
    page.on("request", lambda sent: addresses.append(sent.url) if sent.method == "PUT" else None)
    page.locator("input[type=file]").set_input_files(large)
    expect(page.get_by_text(re.compile("200.*MB or smaller"))).to_be_visible()
    assert addresses == []

    # An ended session is over at the next click.
    records = Records.open(tmp_path / "home")
    accounts.sign_out_everywhere(records, COMMAND_LINE, 1)
    records.close()
    page.get_by_role("tab", name="Export").click()
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    expect(user).to_have_count(0)


def _answer(url: str, page: Page) -> int:
    """Announce 1 GB to the address of an upload, with the browser's cookies; return the answer."""
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}
    token = next(value for name, value in cookies.items() if "xsrf" in name)
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.putrequest("PUT", parts.path)
    connection.putheader("Cookie", "; ".join(f"{name}={value}" for name, value in cookies.items()))
    connection.putheader("X-Xsrftoken", token)
    connection.putheader("Content-Type", "multipart/form-data; boundary=x")
    connection.putheader("Content-Length", str(1 << 30))
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_server_for_others_wants_its_code(bare, page, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("PHUSONG_DATABASE_URL", raising=False)
    shutil.copytree(bare.folder, tmp_path / "home" / "area")
    log = tmp_path / "server.log"
    with serving(tmp_path / "home" / "area", log, listen="0.0.0.0") as address:
        page.goto(f"{address}/data?lang=en")
        page.get_by_role("button", name="Set up the first administrator").click()
        expect(page.get_by_label("One-time code", exact=True)).to_be_visible()
        code = re.findall(r"give this code: (\S+)", log.read_text())
        assert len(code) == 1
        for given in ("wrong", code[0]):
            page.get_by_label("One-time code", exact=True).fill(given)
            page.get_by_label("Login name").fill("lan")
            page.get_by_label("Name shown to others").fill("Lan")
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            page.get_by_label("Password once more").fill(PASSWORD)
            page.get_by_role("button", name="Make the administrator").click()
            if given == "wrong":
                expect(page.get_by_text("This is not the code")).to_be_visible()
        expect(page.locator(".ps-user")).to_contain_text("Lan")
        page.goto("about:blank")
