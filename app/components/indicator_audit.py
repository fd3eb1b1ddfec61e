"""What makes a reported share true: threshold, probability, reading, model, masts, heights."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import pandas as pd
import streamlit as st

from app import formats, indicator_labels, jobs, labels, study
from app.components import (
    charts,
    computation,
    figure_facts,
    how,
    indicator_data,
    progress,
    settings,
    style,
)
from app.components.kept import keep
from app.i18n import _, language, mark, translate
from coverage import models, technology
from coverage.request import CoverageRequest
from coverage.results import CoverageResult
from data.errors import Message
from data.store import Workspace
from planning import audit, audit_variants, indicator_definitions, indicator_values
from planning.audit import Audit
from planning.indicator_definitions import Definition
from planning.indicator_values import Value

#: Probabilities that the chart draws a line for.
DRAWN = (0.5, 0.75, 0.9, 0.95, 0.98)

_LINES = ("#9cc9d3", "#5fa8b8", "#2e8499", "#0b6280", "#06384a")

HEIGHTS = {
    "antenna": mark("antennas {height} m"),
    "receiver": mark("receiver at {height} m"),
}


def show(area: Workspace) -> None:
    """Show the audit of one reported share.

    Parameters
    ----------
    area
        The workspace.
    """
    records = indicator_data.records()
    known = indicator_definitions.read(area, records)
    fitting = {code: item for code, item in known.items() if audit.subject(item) is not None}
    newest = indicator_values.latest(
        item
        for item in indicator_values.read(area, records)
        if item.kind == "reported" and item.value is not None
    )
    if fitting:
        chosen = _choose(fitting, newest)
        if chosen is not None:
            _audit(area, *chosen)
    else:
        st.info(_("There is no indicator of mobile coverage."), icon=":material/policy:")
    _others(known, newest)


def _choose(
    fitting: dict[str, Definition], newest: dict[tuple[str, str], Value]
) -> tuple[Definition, float, float] | None:
    """Ask which share to audit; return its definition, the share and its rounding. [%]."""
    first = next((code for code in ("mobile_3g_or_4g_area", *fitting) if (code, "") in newest),
                 next(iter(fitting)))  # fmt: skip
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    code = left.selectbox(
        _("Reported share"),
        list(fitting),
        format_func=lambda code: fitting[code].title(language()),
        key=keep("audit_indicator", first, list(fitting)),
    )
    said = newest.get((code, ""))
    start = 90.0 if said is None or said.value is None else said.value
    percent = right.number_input(
        _("Share, %"),
        min_value=0.1,
        max_value=100.0,
        value=min(100.0, max(0.1, start)),
        step=1.0,
        format="%g",
        key=f"audit.percent.{code}",
    )
    if said is None:
        st.caption(_("No such share was reported; another one can be tried."))
    else:
        day = formats.date(said.as_of) if said.as_of else _("undated")
        lacking = [
            _("Method not stated.") if not said.method else "",
            _("Share of what is not stated.") if not said.denominator else "",
        ]
        parts = [said.source, day, " ".join(text for text in lacking if text)]
        st.caption(style.plain(" · ".join(part for part in parts if part)))
    same = said is not None and said.value == percent
    rounding = said.rounding if same and said is not None else 0.5
    return fitting[code], float(percent), rounding


def _audit(area: Workspace, definition: Definition, percent: float, rounding: float) -> None:
    request = settings.show(area)
    result = computation.show(area, request)
    if result is None:
        return
    service, measure = audit.about(definition)
    found = _found(str(area.folder), str(result.folder), percent, service, measure, rounding,
                   _result=result)  # fmt: skip
    for sentence in found.sentences[-1:] + found.sentences[:-1]:
        st.markdown(f"- {style.plain(_said(sentence))}")
    how.show(_("How was this computed?"), _facts(result, found), section="audit")
    _readings(found)
    _chart(found)
    st.subheader(_("What else decides"))
    _models(area, request, found)
    _density(area, request, found)
    _heights(area, request, found)


@st.cache_data(max_entries=32, show_spinner=False)
def _found(
    place: str,
    folder: str,
    percent: float,
    service: str,
    measure: str,
    rounding: float,
    *,
    _result: CoverageResult,
) -> Audit:
    del folder  # only part of the key
    return audit.audit(
        Workspace.open(place),
        _result,
        percent,
        service=service,
        measure=measure,
        rounding=rounding,
    )


def _facts(result: CoverageResult, found: Audit) -> list[tuple[str, str]]:
    """Return what was audited, against which thresholds, and from which data."""
    about = found.settings
    counted = technology.COMBINATIONS.get(found.service, (found.service,))
    said = result.summary["provenance"]
    return [
        (
            _("Reported share"),
            _(
                "{share} ± {rounding} by its rounding · {service} · {measure}",
                share=indicator_labels.value(found.percent, "%"),
                rounding=indicator_labels.value(found.rounding, "%"),
                service=labels.service(found.service),
                measure=labels.measure(found.measure),
            ),
        ),
        (_("Readings"), ", ".join(map(indicator_labels.reading, found.readings["reading"]))),
        (_("Threshold profile"), labels.profile(about["threshold_profile"])),
        *(
            figure_facts.threshold(about["thresholds"][name])
            for name in counted
            if name in about["thresholds"]
        ),
        (_("Propagation model"), said["model_reference"]),
        (_("Resolution"), formats.quantity(about["resolution_m"], "m")),
        *figure_facts.coverage_data(said["inputs"]),
        (_("Result"), f"{about['key']} ({_('engine')} {said['engine_version']})"),
        figure_facts.function("planning.audit.audit"),
        (
            _("What else decides"),
            "planning.audit_variants.by_model, by_density, by_height",
        ),
    ]


def _said(sentence: Message) -> str:
    """Say a sentence with the readings in the language in use."""
    values = dict(sentence.values)
    if "reading" in values:
        names = str(values["reading"]).split(", ")
        values["reading"] = ", ".join(indicator_labels.reading(name) for name in names)
    if "shown" in values:
        parts = [part.split(" ") for part in str(values["shown"]).split(", ")]
        values["shown"] = ", ".join(
            f"{indicator_labels.reading(' '.join(words[:-2]))} "
            f"{formats.percent(float(words[-2]) / 100.0)}"
            for words in parts
        )
    return indicator_labels.said(Message(sentence.template, values))


def _readings(found: Audit) -> None:
    rows = found.readings
    st.dataframe(
        pd.DataFrame(
            {
                _("Reading"): [indicator_labels.reading(name) for name in rows["reading"]],
                _("With the profile"): [formats.percent(v / 100.0) for v in rows["percent"]],
                _("Thresholds of the profile"): _written(rows["usual_threshold"]),
                _("True at the threshold"): _written(rows["threshold"]),
                _("True at the probability"): [formats.percent(v) for v in rows["probability"]],
            }
        ),
        hide_index=True,
        width="stretch",
    )


def _written(texts: pd.Series) -> list[str]:
    return [indicator_labels.numbers(text) or formats.NOTHING for text in texts]


def _chart(found: Audit) -> None:
    names = found.readings["reading"].tolist()
    reading = names[0]
    if len(names) > 1:
        reading = st.segmented_control(
            _("Reading"),
            names,
            format_func=indicator_labels.reading,
            required=True,
            key=keep("audit_reading", names[0], names),
        )
    table = found.grid
    table = table[(table["reading"] == reading) & table["probability"].isin(DRAWN)].copy()
    single = " " not in reading
    usual = found.settings["thresholds"][reading]["threshold_dbm"] if single else 0.0
    table["x"] = table["offset_db"] + usual
    table["line"] = [formats.percent(value, 0) for value in table["probability"]]
    table["written"] = [formats.percent(value / 100.0) for value in table["percent"]]
    table["at"] = _written(table["threshold"])
    order = [formats.percent(value, 0) for value in DRAWN]
    title = _("Threshold, dBm") if single else _("Shift of the thresholds, dB")
    lines = (
        alt.Chart(table)
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("x:Q", title=title, scale=alt.Scale(zero=False, nice=False)),
            y=alt.Y(
                "percent:Q",
                title=None,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(labelExpr=charts.number_labels("%")),
            ),
            color=alt.Color(
                "line:N",
                sort=order,
                scale=alt.Scale(domain=order, range=list(_LINES)),
                legend=alt.Legend(orient="top", title=_("Probability")),
            ),
            tooltip=[
                alt.Tooltip("line:N", title=_("Probability")),
                alt.Tooltip("at:N", title=_("Threshold")),
                alt.Tooltip("written:N", title=labels.measure(found.measure)),
            ],
        )
    )
    goal = alt.Chart(pd.DataFrame({"percent": [found.percent]})).mark_rule(
        color="#b3541e", strokeDash=[6, 4], strokeWidth=1.5
    ).encode(y="percent:Q")  # fmt: skip
    now = alt.Chart(pd.DataFrame({"x": [usual]})).mark_rule(
        color="#5a6b75", strokeDash=[2, 3]
    ).encode(x="x:Q")  # fmt: skip
    st.altair_chart((lines + goal + now).properties(height=300), width="stretch")
    st.caption(
        _(
            "Dashed across: the reported share. Dotted upright: the thresholds of the profile. A "
            "curve gives the share covered if the probability asked for is the one above it."
        )
    )


# What needs a computation


def _job(
    name: str,
    label: str,
    area: Workspace,
    about: tuple[object, ...],
    work: Callable[[Callable[[float], None]], pd.DataFrame],
    button: str,
) -> pd.DataFrame | None:
    """Return what a job found, or show how to start it."""
    key = (name, *study.inputs(area), *about)
    job = jobs.JOBS.get(key)
    if job is not None and job.state is jobs.State.DONE and isinstance(job.result, pd.DataFrame):
        return job.result
    progress.show(key, label, start=work, button=button)
    return None


def _models(area: Workspace, request: CoverageRequest, found: Audit) -> None:
    with st.expander(_("Propagation model"), icon=":material/cell_tower:"):
        about = {"service": found.service, "measure": found.measure}
        table = audit_variants.kept_models(area, request, **about)
        st.dataframe(
            pd.DataFrame(
                {
                    _("Model"): [models.title_of(name) for name in table["model"]],
                    _("Share"): [formats.percent(value / 100.0) for value in table["percent"]],
                    _("95% interval"): [
                        formats.percent_range(low / 100.0, high / 100.0)
                        for low, high in zip(table["low"], table["high"], strict=True)
                    ],
                }
            ),
            hide_index=True,
            width="stretch",
        )
        others = [name for name in models.MODELS if name not in set(table["model"])]
        if not others:
            return
        wanted = st.multiselect(
            _("Also with"),
            others,
            format_func=models.title_of,
            key="audit.models",
            placeholder=_("Choose models"),
        )
        if wanted:
            done = _job(
                "audit models",
                _("Computing with other models"),
                area,
                (request, tuple(wanted), *about.values()),
                lambda report: audit_variants.by_model(
                    area, request, wanted, **about, on_progress=report
                ),
                _("Compute with these models"),
            )
            if done is not None:
                # Its results are kept, so the table above has them now.
                st.rerun()


def _density(area: Workspace, request: CoverageRequest, found: Audit) -> None:
    with st.expander(_("Number of masts"), icon=":material/grid_view:"):
        table = _job(
            "audit density",
            _("Computing with fewer masts"),
            area,
            (request, found.service, found.measure),
            lambda report: audit_variants.by_density(
                area,
                request,
                service=found.service,
                measure=found.measure,
                on_progress=report,
            ),
            _("Compute with fewer masts"),
        )
        if table is None:
            st.caption(
                _("Masts are taken away at random, ten times for each number, with the same seed.")
            )
            return
        shown = table.assign(
            reading=[indicator_labels.reading(name) for name in table["reading"]],
            written=[formats.percent(value / 100.0) for value in table["percent"]],
        )
        lines = (
            alt.Chart(shown)
            .mark_line(point=True)
            .encode(
                x=alt.X(
                    "masts:Q",
                    title=_("Masts"),
                    scale=alt.Scale(zero=True),
                    axis=alt.Axis(labelExpr=charts.number_labels(), tickCount=6),
                ),
                y=alt.Y(
                    "percent:Q",
                    title=None,
                    scale=alt.Scale(zero=False),
                    axis=alt.Axis(labelExpr=charts.number_labels("%"), tickCount=5),
                ),
                color=alt.Color("reading:N", legend=alt.Legend(orient="top", title=None)),
                tooltip=[
                    alt.Tooltip("reading:N", title=_("Reading")),
                    alt.Tooltip("masts:Q", title=_("Masts")),
                    alt.Tooltip("written:N", title=labels.measure(found.measure)),
                ],
            )
        )
        goal = alt.Chart(pd.DataFrame({"percent": [found.percent]})).mark_rule(
            color="#b3541e", strokeDash=[6, 4]
        ).encode(y="percent:Q")  # fmt: skip
        st.altair_chart((lines + goal).properties(height=240), width="stretch")
        for row in audit_variants.masts_needed(table, found.percent).to_dict("records"):
            st.markdown(f"- {style.plain(_needed(row, found.percent))}")


def _needed(row: dict[str, float], percent: float) -> str:
    reading = indicator_labels.reading(str(row["reading"]))
    share = indicator_labels.value(percent, "%")
    if row["masts"] != row["masts"]:
        return _("{reading}: the present masts do not reach {share}.", reading=reading, share=share)
    return _(
        "{reading}: {share} with about {masts} masts, {density} per 100 km².",
        reading=reading,
        share=share,
        masts=formats.number(row["masts"]),
        density=formats.number(row["per_100_km2"], 1),
    )


def _heights(area: Workspace, request: CoverageRequest, found: Audit) -> None:
    with st.expander(_("Heights of antennas and receiver"), icon=":material/height:"):
        table = _job(
            "audit heights",
            _("Computing with other heights"),
            area,
            (request, found.service, found.measure),
            lambda report: audit_variants.by_height(
                area,
                request,
                service=found.service,
                measure=found.measure,
                receiver_heights_m=(10.0,),
                on_progress=report,
            ),
            _("Compute with other heights"),
        )
        if table is None:
            st.caption(_("Antennas 10 m lower and higher, and a receiver at 10 m."))
            return
        wide = table.assign(
            case=[
                _(
                    HEIGHTS[what],
                    height=formats.number(height, 0 if height % 1 == 0 else 1,
                                          signed=what == "antenna"),
                )
                for what, height in zip(table["what"], table["height_m"], strict=True)
            ],
            written=[formats.percent(value / 100.0) for value in table["percent"]],
        ).pivot(index="case", columns="reading", values="written")  # fmt: skip
        wide = wide[list(dict.fromkeys(table["reading"]))]
        wide.columns = [indicator_labels.reading(name) for name in wide.columns]
        wide.index.name = _("Heights")
        st.dataframe(wide.reset_index(), hide_index=True, width="stretch")


# What cannot be audited


def _others(known: dict[str, Definition], newest: dict[tuple[str, str], Value]) -> None:
    rows = []
    for code, item in known.items():
        said = newest.get((code, ""))
        if item.kind == "document" or audit.subject(item) is not None:
            continue
        if item.kind == "figure" and (said is None or item.unit != "%" or said.denominator):
            continue
        title = item.title(language())
        reason = audit.why_not(item)
        rows.append(
            (
                title,
                _("no number") if said is None else indicator_labels.value(said.value, item.unit),
                translate(Message(reason.template, {"indicator": f"“{title}”"})),
            )
        )
    if rows:
        head = (_("Indicator"), _("Reported"), _("Why it cannot be audited"))
        with st.expander(
            _("Figures and statements that no computation can make true"), icon=":material/help:"
        ):
            style.table(_("What each lacks to be computed"), head, rows)
