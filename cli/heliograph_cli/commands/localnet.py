"""`heliograph localnet`: only the simulated cluster."""

from __future__ import annotations

from contextlib import AsyncExitStack

from rich.console import Console

from heliograph_cli.listener import listen
from heliograph_cli.parts import Parts
from heliograph_localnet.localnet import Localnet
from heliograph_localnet.node import Node
from heliograph_localnet.settings import LocalnetSettings


async def localnet(settings: LocalnetSettings, *, seconds: float | None) -> int:
    """Runs until stopped or for `seconds`. The WebSocket answers on the next port too, where clients look for it."""
    console = Console()
    parts = Parts()
    # Taken and given back at once: the nodes open their ports themselves, and their error would name no option.
    for port in (settings.port, settings.port + 1):
        listen(settings.host, port).close()
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(Localnet(settings))
        second = Node(network.chain, settings.host, settings.port + 1)
        await second.start()
        stack.push_async_callback(second.stop)
        await stack.enter_async_context(parts.running("localnet", network.run()))
        console.print("Heliograph localnet: a simulated Solana cluster with a perps exchange", style="bold")
        console.print(f"  JSON-RPC   {network.rpc_url}\n  WebSocket  {second.ws_url}", highlight=False)
        console.print("Ctrl-C stops.", style="dim")
        console.file.flush()
        await parts.wait(seconds)
    return 0
