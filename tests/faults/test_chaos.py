"""Sixty items through twenty random faults.

`CHAOS_SEED=7` re-runs one seed, `CHAOS_SEEDS=30` runs the seeds 1 to 30 (`make soak`).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.faults.conftest import Told, check_all_there_once
from tests.faults.proxy import FaultProxy

from invokeai_py_client import InvokeAIClient, Run, WorkflowHandle

_ONE, _MANY = os.environ.get("CHAOS_SEED"), int(os.environ.get("CHAOS_SEEDS", "1"))
SEEDS = [int(_ONE)] if _ONE else [*range(1, _MANY + 1)]

LOST_ENQUEUES = ["stored 500", "stored html", "late 503"]
"""The server stores the batch, and the client is told something else."""


def one_fault(proxy: FaultProxy, choose: random.Random) -> str:
    match choose.choice(
        [
            "down",
            "reset",
            "websockets",
            "swallow",
            "drop",
            "cut",
            "503",
            "slow",
            "freeze",
            "open and drop",
            *LOST_ENQUEUES,
        ]
    ):
        case "down":
            proxy.down()
            time.sleep(choose.uniform(0.05, 1.0))
            proxy.up()
            return "down"
        case "reset":
            proxy.reset()
            return "reset"
        case "websockets":
            proxy.reset_websockets()
            return "websockets"
        case "open and drop":
            proxy.next("/ws/", "open_and_drop", 3)
            proxy.reset_websockets()
            return "open and drop"
        case "slow":
            proxy.latency = 0.3
            time.sleep(0.6)
            proxy.latency = 0.0
            return "slow"
        case "freeze":
            proxy.freeze_websockets()
            time.sleep(0.5)
            proxy.thaw()
            return "freeze"
        case action if action in LOST_ENQUEUES:
            proxy.next("enqueue_batch", action)
            return action
        case action:
            proxy.next(choose.choice(["enqueue_batch", "/api/"]), action)
            return action


@pytest.mark.parametrize("seed", SEEDS)
def test_sixty_items_through_twenty_faults(
    seed: int,
    proxy: FaultProxy,
    client: InvokeAIClient,
    work: Callable[..., WorkflowHandle],
    told: Told,
) -> None:
    choose = random.Random(seed)
    handles = [work(steps=2, seconds=0.1) for _ in range(60)]
    faults: list[str] = []

    def rage() -> None:
        for _ in range(20):
            faults.append(one_fault(proxy, choose))
            time.sleep(choose.uniform(0.05, 0.4))
        proxy.clear()

    async def submit_all() -> list[Run]:
        runs = []
        for wf in handles:
            runs.append(await wf.submit())
            await asyncio.sleep(0.1)
        return runs

    with ThreadPoolExecutor(1) as pool:
        raging = pool.submit(rage)
        runs = asyncio.run(submit_all())
        ends = [run.wait(120) for run in runs]
        raging.result(60)
    outcome = check_all_there_once(client, runs, ends)
    told(f"chaos, seed {seed}: {len(faults)} faults", outcome)
