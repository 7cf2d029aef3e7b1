"""What is measured; each function returns the rows it found, for a server that already runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import psutil

from benchmarks.cloud.client import Client, Target, latencies_ms
from benchmarks.cloud.servers import (
    IMAGE_URI,
    REPOSITORY,
    ROLE_ARN,
    Side,
    own_cores,
    set_cores,
    wait_for,
)

Row = dict[str, Any]
ROUNDS = 10
REQUESTS_PER_ROUND = 300
RATE_RUNS = 3
RATE_SECONDS = 4.0
CONNECTIONS = 8
HELD_ENDPOINTS = 200
IDLE_SECONDS = 5.0
UPDATES = 5


def make_endpoint(side: Side, name: str, *, answer: str = "ok") -> float:
    """Create model, config and endpoint of one name; return CreateEndpoint's own milliseconds."""
    make_config(side, name, answer=answer)
    sagemaker = side.client("sagemaker")
    began = time.perf_counter()
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return (time.perf_counter() - began) * 1_000


def make_config(side: Side, name: str, *, answer: str = "ok") -> None:
    """Create a model whose container answers with a word, and a config of one instance."""
    sagemaker = side.client("sagemaker")
    container = {"Image": IMAGE_URI, "Environment": {"NAME": answer}}
    sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE_ARN, PrimaryContainer=container)
    variant = {
        "VariantName": "main",
        "ModelName": name,
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])


def await_endpoints(side: Side, names: Sequence[str]) -> None:
    """Wait until all of them serve."""
    sagemaker = side.client("sagemaker")
    for name in names:

        def serves(name: str = name) -> bool:
            status = sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]
            if status == "Failed":
                raise RuntimeError(f"endpoint {name} failed")
            return bool(status == "InService")

        wait_for(serves, f"endpoint {name}")


def target_of(side: Side, endpoint: str) -> Target:
    """Return where an endpoint is invoked."""
    return Target(port=side.port, path=f"/endpoints/{endpoint}/invocations")


def container_ports(side: Side) -> list[int]:
    """Return the ports the cloud's own children listen on."""
    return [
        connection.laddr.port
        for child in side.process.children(recursive=True)
        for connection in child.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]


def latency_rows(targets: dict[str, Target]) -> list[Row]:
    """Return each target's latencies, measured in turns so that all meet the same machine."""
    clients = {name: Client(target) for name, target in targets.items()}
    found: dict[str, list[float]] = {name: [] for name in targets}
    for client in clients.values():
        latencies_ms(client, REQUESTS_PER_ROUND)
    for _ in range(ROUNDS):
        for name, client in clients.items():
            found[name].extend(latencies_ms(client, REQUESTS_PER_ROUND))
    for client in clients.values():
        client.close()
    return [
        {
            "what": "latency of one request at a time, ms",
            "side": name,
            "p50": round(median(values), 4),
            "p99": round(sorted(values)[int(len(values) * 0.99)], 4),
            "requests": len(values),
        }
        for name, values in found.items()
    ]


def rate_row(side: Side, target: Target) -> Row:
    """Return the rate of answers with the server on one core and the client on the others."""
    cores = own_cores()
    rates, usages = [], []
    side.pin(cores[:1])
    try:
        for _ in range(RATE_RUNS):
            before, began = side.cpu_seconds(), time.perf_counter()
            rates.append(_rate(target, cores[1:] or cores))
            usages.append((side.cpu_seconds() - before) / (time.perf_counter() - began))
    finally:
        side.pin(cores)
    return {
        "what": "requests/s, server process on one core",
        "side": side.name,
        "median": round(median(rates)),
        "runs": [round(rate) for rate in rates],
        "connections": CONNECTIONS,
        "pinned": bool(cores),
        "server_core_used": round(median(usages), 2),
        "requests_per_core_second": round(median(rates) / median(usages)),
    }


def _rate(target: Target, cores: Sequence[int]) -> float:
    command = [
        *(sys.executable, "-m", "benchmarks.cloud.client", "--port", str(target.port)),
        *("--path", target.path, "--connections", str(CONNECTIONS)),
        *("--seconds", str(RATE_SECONDS)),
    ]
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
        text=True,
        preexec_fn=lambda: set_cores(0, cores),
    )
    return float(json.loads(done.stdout)["requests_per_second"])


def held_row(side: Side) -> Row:
    """Return what it costs to hold many endpoints at once, each of which has answered."""
    count = HELD_ENDPOINTS
    before = side.rss_mb()
    names = [f"held-{number}" for number in range(count)]
    began = time.perf_counter()
    creations = [make_endpoint(side, name) for name in names]
    await_endpoints(side, names)
    in_service = time.perf_counter() - began
    for name in names:
        client = Client(target_of(side, name))
        client.ask()
        client.close()
    after = side.rss_mb()
    used, idle_from = side.cpu_seconds(), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    idle_core = (side.cpu_seconds() - used) / (time.perf_counter() - idle_from)
    client = Client(target_of(side, names[0]))
    latencies = latencies_ms(client, REQUESTS_PER_ROUND)
    client.close()
    children = [child.memory_info().rss for child in side.process.children(recursive=True)]
    return {
        "what": f"{count} endpoints held at once",
        "side": side.name,
        "create_endpoint_ms_p50": round(median(creations), 2),
        "seconds_until_all_in_service": round(in_service, 1),
        "server_rss_mb_before": round(before, 1),
        "server_rss_mb_after": round(after, 1),
        "server_kb_per_endpoint": round((after - before) * 1_000 / count, 1),
        "server_core_used_without_requests": round(idle_core, 2),
        "latency_ms_p50": round(median(latencies), 4),
        "containers": len(children),
        "container_rss_mb_each": round(sum(children) / 1e6 / len(children), 1) if children else 0,
    }


def update_row(side: Side) -> Row:
    """Return the time from UpdateEndpoint to the first answer of the new fleet."""
    sagemaker = side.client("sagemaker")
    make_endpoint(side, "swapped", answer="word-0")
    await_endpoints(side, ["swapped"])
    client, taken = Client(target_of(side, "swapped")), []
    for number in range(1, UPDATES + 1):
        config = f"swapped-{number}"
        make_config(side, config, answer=f"word-{number}")
        began = time.perf_counter()
        sagemaker.update_endpoint(EndpointName="swapped", EndpointConfigName=config)
        green = f"word-{number}".encode()
        while client.ask() != green:
            if time.perf_counter() - began > 60:
                raise RuntimeError("no answer of the new fleet within a minute")
        taken.append(time.perf_counter() - began)
        await_endpoints(side, ["swapped"])
    client.close()
    return {
        "what": "UpdateEndpoint to first answer of the new fleet, s",
        "side": side.name,
        "median": round(median(taken), 3),
        "runs": [round(seconds, 3) for seconds in taken],
    }
