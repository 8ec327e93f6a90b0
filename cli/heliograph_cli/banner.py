"""What a long-running command says once at its start: what runs, and where to look."""

from __future__ import annotations

from rich.console import Console

from heliograph_cli.store import Store, shown


def print_banner(
    console: Console,
    *,
    title: str,
    store: Store,
    api: str | None = None,
    cluster: str | None = None,
    metrics: str | None = None,
) -> None:
    """One fact a line. api: base address of the API; cluster: the RPC address, safe to print; metrics: its whole address."""
    facts = [("database", f"{store.label}"), ("", shown(store.url))]
    if cluster is not None:
        facts.append(("cluster", cluster))
    if api is not None:
        facts += [("GraphQL", f"{api}/graphql"), ("REST", f"{api}/api"), ("health", f"{api}/health")]
        metrics = f"{api}/metrics"
    if metrics is not None:
        facts.append(("metrics", metrics))
    console.print(title, style="bold", highlight=False, soft_wrap=True)
    for name, value in facts:
        # Without wrapping: an address that is cut in two cannot be clicked or copied.
        console.print(f"  {name:<9} {value}", markup=False, highlight=False, soft_wrap=True)
    for warning in store.warnings:
        console.print(f"  warning   {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops.", style="dim", highlight=False)
    console.file.flush()
