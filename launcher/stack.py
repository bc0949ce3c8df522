"""`headgate up`: the whole stack in the foreground, until told to stop."""

import asyncio
import http.client
import os
import signal
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from launcher import broker, data_dir, jars, java, plan, plugins, ports, tether
from launcher.children import Children, Say
from launcher.java import Java
from launcher.obstacle import Obstacle
from launcher.plan import Instance, Options
from launcher.settings import REPOSITORY, Settings
from launcher.status import Status

METRICS_PORT = 9464
GRACE_S = 25
BROKER_WITHIN_S = 90
REMIND_S = 15
POLL_S = 0.25


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """All that has to stand before the first process starts."""

    java: Java
    broker: broker.Prepared
    instance: Instance
    token: str


def toolchain(settings: Settings, say: Say) -> Java:
    """Java, the jars and our own Spark jar, ready to use; Obstacle when one cannot be had."""
    found = java.find(settings.environ, settings.data / "java")
    jars.ensure(settings.jars, found, say)
    plugins.ensure(REPOSITORY / "spark_jobs" / "jvm", settings.jars, found, say)
    return found


def prepare(settings: Settings, options: Options, draw: data_dir.Draw, say: Say) -> Ground:
    """Check and make what the stack stands on, cheapest first; Obstacle names what is in the way."""
    data_dir.make(settings.data)
    data_dir.occupy(settings.data)
    if not ports.is_free(options.port, options.host):
        raise Obstacle(f"Port {options.port} on {options.host} is taken: free it, or give another --port.")
    data_dir.master_key(settings.data, draw)
    token = data_dir.admin_token(settings.data, settings.environ.get("HEADGATE_ADMIN_TOKEN"), draw)
    found = toolchain(settings, say)
    prepared = broker.prepare(settings.data / "kafka", found, settings.jars)
    host = "127.0.0.1" if options.host == "0.0.0.0" else options.host  # noqa: S104 (compared, not bound)
    instance = Instance(
        url=f"http://{host}:{options.port}",
        brokers=prepared.address,
        metrics_port=ports.preferred(int(settings.environ.get("HEADGATE_METRICS_PORT") or METRICS_PORT)),
    )
    (settings.data / "instance.json").write_bytes(msgspec.json.encode(instance))
    return Ground(java=found, broker=prepared, instance=instance, token=token)


async def run(settings: Settings, options: Options, ground: Ground, say: Say) -> int:
    """Start everything, say when it is ready, stop it when asked. Exit code."""
    told = _until_told()
    status = Status(settings.data / "status.json")
    children = Children(logs=settings.data / "logs", status=status, say=say)
    starting = asyncio.create_task(_start(settings, options, ground, children, say))
    stop = asyncio.create_task(told.wait())
    try:
        await asyncio.wait([starting, stop], return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            await stop
    finally:
        starting.cancel()
        say("stopping (again to kill at once)" if told.is_set() else "stopping")
        await _stop(children, list(status.states), told)
    say("stopped")
    return 0


async def _start(settings: Settings, options: Options, ground: Ground, children: Children, say: Say) -> None:
    environ = plan.environment(settings, ground.java.home, ground.instance)
    environ |= plan.serving_environment(options, ground.instance)
    kafka = children.start(plan.broker_part(ground.broker, environ))
    try:
        await asyncio.wait_for(kafka.ready.wait(), BROKER_WITHIN_S)
    except TimeoutError:
        raise Obstacle(
            f"The broker was not ready after {BROKER_WITHIN_S} s: see {settings.data}/logs/broker.log."
        ) from None
    say(f"broker ready on {ground.broker.address}")
    await provision(settings, environ)
    for part in plan.service_parts(settings, options, environ):
        children.start(part)
    await _healthy(ground.instance.url, say)
    say(f"ready on {ground.instance.url}")
    print(f"export DATABRICKS_HOST={ground.instance.url}\nexport DATABRICKS_TOKEN={ground.token}", flush=True)


async def provision(settings: Settings, environ: Mapping[str, str]) -> None:
    """Create the topics; Obstacle with the last words of what does it when it fails."""
    process = await asyncio.create_subprocess_exec(
        *plan.module(settings, "processors.provision"),
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=tether.to(os.getpid()),
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:  # told to stop meanwhile
            process.kill()
    (settings.data / "logs" / "topics.log").write_bytes(said)
    if process.returncode:
        last = said.decode(errors="replace").strip().rpartition("\n")[2]
        raise Obstacle(f"The topics could not be created: {last}")


def healthy(url: str) -> bool:
    """Whether `GET <url>/healthz` answers 200 within two seconds."""
    where = urlsplit(url)
    link = http.client.HTTPConnection(where.hostname or "", where.port, timeout=2)
    try:
        link.request("GET", "/healthz")
        return link.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


async def _healthy(url: str, say: Say) -> None:
    loop = asyncio.get_running_loop()
    remind = loop.time() + REMIND_S
    while not await asyncio.to_thread(healthy, url):
        if loop.time() > remind:
            say(f"still waiting for {url}/healthz to answer 200")
            remind = loop.time() + REMIND_S
        await asyncio.sleep(POLL_S)


def _until_told() -> asyncio.Event:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, told.set)
    return told


async def _stop(children: Children, names: list[str], told: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):  # asked a second time: at once
        loop.add_signal_handler(number, children.kill)
    told.set()
    await children.stop(plan.stop_order(names), GRACE_S)
