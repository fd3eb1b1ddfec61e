"""Commands about the records database: accounts, backups, layers for other programs."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import InputError
from planning.accounts import COMMAND_LINE, Role

if TYPE_CHECKING:
    from data.records.backup import Contents
    from data.records.engine import Records
    from data.store import Workspace

    Progress = Callable[[float], None]


def _records(arguments: argparse.Namespace) -> Records:
    """Open the database beside the workspace asked for."""
    from data.records.engine import Records
    from data.store import default_workspace

    folder = getattr(arguments, "workspace", None) or default_workspace("demo")
    # Resolved, so that `--workspace demo` means the folder that holds demo.
    return Records.open(Path(folder).absolute().parent)


def declare(
    commands: argparse._SubParsersAction[Any],
    add: Callable[..., argparse.ArgumentParser],
    run_publish: Callable[[argparse.Namespace], None],
) -> None:
    """Declare the commands.

    Parameters
    ----------
    commands
        The commands of the program.
    add
        Adds one, with the options that all have.
    run_publish
        `publish` with what it needs around it.
    """
    group = commands.add_parser("records", help="accounts, backups, layers for other programs")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    add(actions, "init", init, "Make the database of records or bring it up to date.")
    account = actions.add_parser("account", help="who may sign in")
    steps = account.add_subparsers(required=True, metavar="ACTION")
    add_account_options(add(steps, "add", account_add, "Add an account."))
    add(steps, "list", account_list, "List the accounts.")
    add_role_options(add(steps, "role", account_role, "Change the role of an account."))
    add_who(add(steps, "deactivate", account_deactivate, "Let an account sign in no more."))
    add_who(add(steps, "password", account_password, "Set a password."))
    add_backup_options(add(actions, "backup", backup, "Write a backup while the server runs."))
    add_restore_options(add(actions, "restore", restore, "Put a backup back."))
    add(actions, "publish", run_publish, "Write the layers into PostGIS, for QGIS and others.")


def init(arguments: argparse.Namespace) -> None:
    """Make the database or bring it up to date, and say where it is."""
    from data.records import engine, migrations

    records = _records(arguments)
    kind = "SQLite (GeoPackage)" if records.is_sqlite else "PostgreSQL with PostGIS"
    print(f"{kind}: {engine.described(records.engine.url)}, revision {migrations.HEAD}")


# Accounts


def add_account_options(command: argparse.ArgumentParser) -> None:
    """Declare what `account add` takes."""
    command.add_argument("who", metavar="WHO", help="login name, or e-mail address with --issuer")
    command.add_argument("--name", required=True, metavar="TEXT", help="name shown to others")
    command.add_argument("--role", required=True, choices=[role.value for role in Role])
    command.add_argument(
        "--organisation",
        default="",
        metavar="TEXT",
        help="of a carrier: its name as owner or operator in the layers",
    )
    command.add_argument(
        "--issuer",
        metavar="URL",
        help="identity provider that signs the user in; without it, a password is asked for",
    )


def add_who(command: argparse.ArgumentParser) -> None:
    """Declare what commands about one account take."""
    command.add_argument("who", metavar="WHO", help="login name or e-mail address")


def add_role_options(command: argparse.ArgumentParser) -> None:
    """Declare what `account role` takes."""
    add_who(command)
    command.add_argument("role", choices=[role.value for role in Role])
    command.add_argument("--organisation", metavar="TEXT", help="also change the organisation")


def account_add(arguments: argparse.Namespace) -> None:
    """Make an account."""
    from planning import accounts

    records = _records(arguments)
    common = {
        "name": arguments.name,
        "role": arguments.role,
        "organisation": arguments.organisation,
    }
    if arguments.issuer:
        accounts.add(records, COMMAND_LINE, email=arguments.who, issuer=arguments.issuer, **common)
    else:
        password = _password()
        accounts.add(records, COMMAND_LINE, login=arguments.who, password=password, **common)
    print(f"Account {arguments.who} added as {arguments.role}")


def account_list(arguments: argparse.Namespace) -> None:
    """Print all accounts."""
    from planning import accounts

    found = accounts.list_of(_records(arguments), COMMAND_LINE)
    for account in found:
        facts = [account.role.value, account.name, account.organisation, account.issuer]
        facts += ["" if account.active else "deactivated"]
        facts += ["locked" if account.locked_until is not None else ""]
        who = account.login or account.email or "(erased)"
        print(f"{account.id:4d}  {who:24s}  {', '.join(fact for fact in facts if fact)}")
    if not found:
        print("There are no accounts; whoever uses this machine may do everything")


def account_role(arguments: argparse.Namespace) -> None:
    """Change a role."""
    from planning import accounts

    records = _records(arguments)
    number = accounts.find(records, COMMAND_LINE, arguments.who)
    accounts.change(
        records,
        COMMAND_LINE,
        number,
        role=arguments.role,
        organisation=arguments.organisation,
    )
    print(f"Account {arguments.who} is {arguments.role} now")


def account_deactivate(arguments: argparse.Namespace) -> None:
    """Deactivate an account."""
    from planning import accounts

    records = _records(arguments)
    number = accounts.find(records, COMMAND_LINE, arguments.who)
    accounts.change(records, COMMAND_LINE, number, active=False)
    print(f"Account {arguments.who} can no longer sign in")


def account_password(arguments: argparse.Namespace) -> None:
    """Set a password."""
    from planning import accounts

    records = _records(arguments)
    number = accounts.find(records, COMMAND_LINE, arguments.who)
    accounts.set_password(records, COMMAND_LINE, number, _password())
    print(f"The password of {arguments.who} is set and has to be changed at the next sign-in")


def _password() -> str:
    """Ask for a password, or read it from a pipe; never from the command line, which others see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Once more: ") != first:
        raise InputError("The two passwords differ")
    return first


# Backups


def add_backup_options(command: argparse.ArgumentParser) -> None:
    """Declare what `backup` takes."""
    command.add_argument("file", type=Path, metavar="FILE", help="ZIP file; replaced when whole")
    command.add_argument(
        "--with-workspace", action="store_true", help="take the workspace's data along"
    )


def add_restore_options(command: argparse.ArgumentParser) -> None:
    """Declare what `restore` takes."""
    command.add_argument("file", type=Path, metavar="FILE")
    command.add_argument(
        "--with-workspace", action="store_true", help="restore the workspace of the backup, too"
    )
    command.add_argument("--force", action="store_true", help="replace what is there for good")


def backup(arguments: argparse.Namespace) -> None:
    """Write a backup."""
    from data.records import backup as backups
    from data.store import Workspace, default_workspace

    records = _records(arguments)
    workspace = None
    if arguments.with_workspace:
        folder = arguments.workspace or default_workspace("demo")
        workspace = Workspace.open(folder)
    contents = backups.write(records, arguments.file, workspace=workspace)
    print(f"Written to {arguments.file}: {_said(contents)}")


def restore(arguments: argparse.Namespace) -> None:
    """Put a backup back."""
    from data.records import backup as backups
    from data.records import tables
    from data.store import default_workspace

    records = _records(arguments)
    folder = None
    if arguments.with_workspace:
        folder = Path(arguments.workspace or default_workspace("demo"))
    contents = backups.restore(
        arguments.file, records, force=arguments.force, workspace_folder=folder
    )
    with records.session() as session:
        tables.append_history(
            session,
            area="",
            kind="records",
            subject_id=arguments.file.name,
            actor=COMMAND_LINE,
            action="restored",
            detail={"created_at": contents.created_at},
        )
    print(f"Restored from {arguments.file} of {contents.created_at}: {_said(contents)}")


def _said(contents: Contents) -> str:
    accounts, entries = contents.rows.get("accounts", 0), contents.rows.get("history", 0)
    text = (
        f"{sum(contents.rows.values())} records (of them {accounts} accounts and {entries} entries "
        f"of the history), {contents.attachments} attached files"
    )
    return f"{text}, the workspace {contents.workspace}" if contents.workspace else text


# Other programs


def publish(workspace: Workspace, arguments: argparse.Namespace, on_progress: Progress) -> None:
    """Write the layers of a workspace into PostGIS."""
    from data.records import publish as publishing

    schema, rows = publishing.publish(workspace, _records(arguments), on_progress=on_progress)
    for name, count in rows.items():
        print(f"{schema}.{name}: {count} rows")
    print("Rasters stay files of the workspace")
