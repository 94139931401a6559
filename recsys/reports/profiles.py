"""A page about the user profiles of one run: a map, clusters, and each user's top terms."""

from __future__ import annotations

from statistics import median

import altair as alt
import polars as pl

from recsys.reports.formatting import ABSENT
from recsys.reports.grids import Entry, Grid
from recsys.reports.html.page import Heading, render
from recsys.reports.plots.base import Figure, Rows, named, to_spec
from recsys.reports.plots.theme import LIGHT
from recsys.reports.sections import Section, Table
from recsys.reports.verdict import Answer
from recsys.schema import WRITTEN

MOST_COLOURS = len(LIGHT.categories)
OTHER = "other"
_HEIGHT = 460
_HOVER = {
    "user": "user",
    "newest": "history, newest first",
    "known": "known items",
    "cluster": "cluster",
    "favourite": "favourite",
    "nearest": "nearest items",
    "words": "characteristic words",
}
_NEAREST = (
    "Nearest items have the highest scores above their mean over these users. Characteristic words have the highest "
    "TF-IDF weights in the texts of the nearest items above those of the catalogue. "
)


def profiles_page(users: pl.DataFrame, clusters: pl.DataFrame, title: str, summary: str) -> str:
    """The content of the HTML file.

    Args:
        users: A row for each user; see `recsys.serving.profile_map.Portraits`. An optional column `written` has texts
            that a language model wrote about them.
        clusters: A row for each cluster.
        title: Title of the page.
        summary: A line below the title.
    """
    names = _cluster_names(clusters)
    made = [
        Section("map", "Map", figures=_maps(users, names)),
        Section("clusters", "Clusters", tables=[_cluster_table(clusters)]),
        Section("users", "Users", tables=[_user_table(users, names)]),
    ]
    return render(Heading(title, summary), _answers(users, clusters), made)


def _cluster_names(clusters: pl.DataFrame) -> list[str]:
    """Names of the clusters, as in "1: alien, space"."""
    return [
        f"{row['cluster']}: {', '.join(row['words'][:2]) or ABSENT}"
        for row in clusters.sort("cluster").iter_rows(named=True)
    ]


def _maps(users: pl.DataFrame, names: list[str]) -> list[Figure]:
    rows = _rows(users, names)
    reading = (
        "One dot for each user. Users with similar profiles are near each other; large distances and the axes have no "
        "meaning. Point at a dot for the user's history."
    )
    figures = [
        _map("clusters_map", "Users by cluster", reading, "cluster", "cluster", names, rows),
    ]
    liked = [row["favourite"] for row in rows]
    kinds = sorted({kind for kind in liked if kind != ABSENT}, key=lambda kind: (-liked.count(kind), kind))
    if kinds:
        shown = kinds if len(kinds) <= MOST_COLOURS else [*kinds[: MOST_COLOURS - 1], OTHER]
        for row in rows:
            row["kind"] = row["favourite"] if row["favourite"] in shown else OTHER
        more = " A favourite is the category whose share in the history is highest above its mean over users." + (
            f" {OTHER} are {len(kinds) - MOST_COLOURS + 1} rarer ones, and users without any." if OTHER in shown else ""
        )
        figures.append(
            _map("favourites_map", "Users by favourite category", reading + more, "kind", "favourite", shown, rows)
        )
    return figures


def _rows(users: pl.DataFrame, names: list[str]) -> Rows:
    return [
        {
            "user": row["user_id"],
            "x": row["x"],
            "y": row["y"],
            "cluster": names[row["cluster"] - 1],
            "favourite": row["favourite"] or ABSENT,
            "known": row["n_known"],
            **{name: "; ".join(row[name]) or ABSENT for name in ("newest", "nearest")},
            "words": ", ".join(row["words"]) or ABSENT,
            **({WRITTEN: row[WRITTEN] or ABSENT} if WRITTEN in row else {}),
        }
        for row in users.iter_rows(named=True)
    ]


def _map(name: str, title: str, reading: str, field: str, legend: str, domain: list[str], rows: Rows) -> Figure:
    counts = {kind: sum(row[field] == kind for row in rows) for kind in domain}
    scale = alt.Scale(domain=domain)
    key = alt.Legend(title=legend, orient="top")
    axis = alt.Axis(labels=False, ticks=False, grid=False, domain=False, title=None)
    chart = (
        alt.Chart(named("rows"))
        .mark_point(style="dot", size=50)
        .encode(
            x=alt.X("x:Q", axis=axis, scale=alt.Scale(zero=False, padding=10)),
            y=alt.Y("y:Q", axis=axis, scale=alt.Scale(zero=False, padding=10)),
            color=alt.Color(f"{field}:N", scale=scale, legend=key),
            shape=alt.Shape(f"{field}:N", scale=scale, legend=key),
            tooltip=[alt.Tooltip(f"{own}:N", title=words) for own, words in _HOVER.items()],
        )
        .properties(height=_HEIGHT, width=640)
    )
    told = "; ".join(f"{kind}: {count} users" for kind, count in counts.items())
    return Figure(
        name, title, reading, f"A map of {len(rows)} users. {told}.", to_spec(chart, {"rows": rows}), _grid(rows)
    )


def _grid(rows: Rows) -> Grid:
    lines = [
        [
            Entry(row["user"]),
            *(Entry(f"{row[axis]:.2f}", value=row[axis]) for axis in ("x", "y")),
            Entry(row["cluster"]),
        ]
        for row in rows
    ]
    return Grid(["user", "x", "y", "cluster"], lines)


def _cluster_table(clusters: pl.DataFrame) -> Table:
    lines = [
        [
            Entry(str(row["cluster"])),
            Entry(f"{row['n_users']:,}", value=row["n_users"]),
            Entry(row["favourite"] or ABSENT),
            Entry(", ".join(row["words"]) or ABSENT),
            Entry("; ".join(row["nearest"])),
        ]
        for row in clusters.sort("cluster").iter_rows(named=True)
    ]
    headers = ["cluster", "users", "most frequent favourite", "characteristic words", "nearest items"]
    return Table(
        "Clusters of users", Grid(headers, lines), _NEAREST + "Clusters are found by k-means on normalised profiles."
    )


def _user_table(users: pl.DataFrame, names: list[str]) -> Table:
    written = [WRITTEN] if WRITTEN in users.columns else []
    lines = [
        [
            Entry(row["user"]),
            Entry(f"{row['known']:,}", value=row["known"]),
            *(Entry(row[name]) for name in ("favourite", "cluster", "words", "nearest", "newest", *written)),
        ]
        for row in _rows(users, names)
    ]
    headers = ["user", "known items", "favourite", "cluster", "characteristic words", "nearest items"]
    headers += ["history, newest first", *("written profile" for _ in written)]
    return Table("Nearest items and top terms of each user", Grid(headers, lines), _NEAREST)


def _answers(users: pl.DataFrame, clusters: pl.DataFrame) -> list[Answer]:
    largest = clusters.sort("cluster").row(0, named=True)
    share = largest["n_users"] / users.height
    known = sorted(users["n_known"].to_list())
    sizes = ", ".join(f"{n:,}" for n in clusters.sort("cluster")["n_users"])
    return [
        Answer(
            "How many users?",
            f"{users.height:,}",
            [f"Known items: median {median(known):,.0f}, most {known[-1]:,}."],
        ),
        Answer("Which groups?", f"{clusters.height} clusters", [f"Users in each: {sizes}."]),
        Answer(
            "Which group is the largest?",
            ", ".join(largest["words"][:3]) or ABSENT,
            [f"{share:.0%} of the users; nearest items: {'; '.join(largest['nearest'][:3])}."],
        ),
    ]
