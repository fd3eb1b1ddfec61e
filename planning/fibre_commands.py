"""Commands for cabinets of an area without service, and for routes that carriers share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from data.store import Workspace

    Progress = Callable[[float], None]


def add_access_options(command: argparse.ArgumentParser) -> None:
    """Declare what `fibre access` takes."""
    command.add_argument("--zone", nargs="+", required=True, metavar="CODE", help="zones to serve")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")


def access(workspace: Workspace, arguments: argparse.Namespace, on_progress: Progress) -> None:
    """Place cabinets and splitters for homes without fixed broadband."""
    from planning import area_designs

    design = area_designs.access(workspace, arguments.zone, on_progress=on_progress)
    area_designs.save_access(design, arguments.out)
    served = design.homes["reason"].isna()
    print(f"{len(design.cabinets)} cabinets serve {served.sum()} of {len(served)} home points")
    for reason, count in design.homes.loc[~served, "reason"].value_counts().head(5).items():
        print(f"  not served: {count}, e.g. {reason}")
    print(
        f"Cost {design.cost.typical:,.0f} ({design.cost.low:,.0f} to {design.cost.high:,.0f}), at "
        f"most {100 * design.gap:.2g} % dearer than the cheapest possible"
    )
    for note in design.notes:
        print(note)
    print(f"Written to {arguments.out}")


def add_share_options(command: argparse.ArgumentParser) -> None:
    """Declare what `fibre share` takes."""
    command.add_argument("--zone", nargs="+", metavar="CODE", help="zones (default: all)")
    command.add_argument(
        "--split",
        choices=("shapley", "proportional"),
        default="shapley",
        help="how the joint cost is split (shapley)",
    )
    command.add_argument("--time-limit", type=float, default=60.0, metavar="S")
    command.add_argument("--out", type=Path, required=True, metavar="DIR")


def share(workspace: Workspace, arguments: argparse.Namespace, on_progress: Progress) -> None:
    """Compare routes to the owners' masts, built apart and together."""
    from planning import area_designs

    shared, stretches = area_designs.share(
        workspace,
        zones=arguments.zone,
        split=arguments.split,
        time_limit_s=arguments.time_limit,
        on_progress=on_progress,
    )
    area_designs.save_shared(shared, stretches, arguments.out)
    for row in shared.carriers.to_dict("records"):
        print(
            f"{row['carrier']}: alone {row['alone']:,.0f}, together {row['pays']:,.0f}, saves "
            f"{row['saving']:,.0f}"
        )
    print(
        f"All apart {shared.separate_cost:,.0f}, together {shared.joint_cost:,.0f} (at most "
        f"{100 * shared.gap:.2g} % dearer than the cheapest possible)"
    )
    for note in shared.notes:
        print(note)
    print(f"Written to {arguments.out}")
