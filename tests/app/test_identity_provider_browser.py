"""Signing in with an organisation's account: OpenID Connect, from the button to the role."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from data.records.engine import Records
from data.store import Workspace
from planning.__main__ import main
from tests.app.identity_provider import Provider, providing
from tests.app.server import free_port, serving

pytestmark = pytest.mark.browser

USERS = {
    "Lan": {"email": "lan@example.org", "name": "Lan", "email_verified": True},
    "Impostor": {"email": "lan@example.org", "name": "Lan", "email_verified": False},
    "Stranger": {"email": "stranger@example.org", "name": "Stranger", "email_verified": True},
}


@pytest.fixture(scope="module")
def served(bare: Workspace, tmp_path_factory) -> Iterator[tuple[str, Provider]]:
    """A server that trusts a provider, with an account for one of its users."""
    home = tmp_path_factory.mktemp("provider")
    shutil.copytree(bare.folder, home / "area")
    port = free_port()
    with pytest.MonkeyPatch.context() as patch, providing(USERS) as provider:
        patch.delenv("PHUSONG_DATABASE_URL", raising=False)
        add = ["records", "account", "add", "--workspace", str(home / "area")]
        lan = ["lan@example.org", "--name", "Lan", "--role", "planner"]
        assert main([*add, *lan, "--issuer", provider.issuer]) == 0
        # The same address at another provider is somebody else.
        other = ["stranger@example.org", "--name", "Other", "--role", "administrator"]
        assert main([*add, *other, "--issuer", "https://id.example.org"]) == 0
        secrets = home / "secrets.toml"
        secrets.write_text(provider.secrets_file(f"http://127.0.0.1:{port}"), encoding="utf-8")
        with serving(
            home / "area", home / "server.log", port=port, STREAMLIT_SECRETS_FILES=str(secrets)
        ) as address:
            yield address, provider
        Records.open(home).close()


def sign_in(page: Page, address: str, user: str) -> None:
    page.goto(f"{address}/?lang=en")
    page.get_by_test_id("stPopover").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign in with the organisation's account").click()
    page.get_by_role("link", name=user).click()
    page.wait_for_url(f"{address}/**")


def test_an_account_of_the_provider_has_its_role_until_it_signs_out(served, page) -> None:
    address, provider = served
    sign_in(page, address, "Lan")
    user = page.locator(".ps-user")
    expect(user).to_contain_text("Lan")
    # The provider sends visitors back to the bare address; they go on in their language.
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links.filter(has_text="Scenarios")).to_have_count(1)
    with page.expect_request("**/end?*") as ended:
        page.get_by_test_id("stSidebar").locator(".st-key-sign-out button").click()
    assert ended.value.url.startswith(provider.issuer)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(user).to_have_count(0)
    # A new visit of the same browser is nobody's, too.
    page.goto(f"{address}/?lang=en")
    expect(page.get_by_test_id("stPopover").get_by_role("button", name="Sign in")).to_be_visible()
    expect(links.filter(has_text="Scenarios")).to_have_count(0)


@pytest.mark.parametrize("user", ["Impostor", "Stranger"])
def test_others_of_the_provider_only_look(served, page, user) -> None:
    address, provider = served
    sign_in(page, address, user)
    page.goto(f"{address}/?lang=en")
    expect(page.get_by_text(f"Signed in as {provider.users[user]['email']}")).to_be_visible()
    expect(page.locator(".ps-user")).to_have_count(0)
    links = page.get_by_test_id("stSidebarNavLink")
    expect(links.filter(has_text="Overview")).to_have_count(1)
    expect(links.filter(has_text="Scenarios")).to_have_count(0)
