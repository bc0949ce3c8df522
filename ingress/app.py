"""The ingress: everything put together. `python -m ingress.app`."""

import asyncio
import logging
import secrets
import signal
import sys
import time
import uuid
from collections.abc import Coroutine
from typing import Any

import msgspec
import uvicorn
import uvloop
from fastapi import FastAPI

from contract import logs
from contract.records import Requester
from contract.refusals import Refusal
from contract.state import ADMINS, USERS, View
from ingress import sealing
from ingress.bus import Bus, RefusedOnce, Replies, secured, slot_of
from ingress.commands import Commands
from ingress.edge import Call
from ingress.identity import Identity, token_hash
from ingress.intake import Intake
from ingress.ports import Boot
from ingress.protocol import BoundedHeads
from ingress.settings import Hidden, Settings, kept
from ingress.submission_bus import KafkaOutbox, SubmissionReader
from ingress.submissions import Submissions, Ways
from ingress.views import StateReader
from ingress.waiting import Waiters
from ingress.web import Outside, application

LOG = logging.getLogger("ingress")
POLL_SECONDS = 0.05
RETRY_SECONDS = 1.0
SUBMISSIONS_CLOSE_SECONDS = 10.0
PATIENT_TIMES = 10  # so often no answer is what a start looks like: workers come up after us
FIRST_ADMIN_SECONDS = 2.0  # a worker that starts after the question may not see it: better to ask again soon


class Server(uvicorn.Server):
    """uvicorn's server, which says when its socket listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: Any = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        self.listening.set()


def server(app: FastAPI, settings: Settings) -> Server:
    """The HTTP server: nothing per request that is not needed, logs as everywhere."""
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=BoundedHeads,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    return Server(config)


class FirstAdmin(msgspec.Struct, frozen=True, kw_only=True):
    """The admin who is there from the start, known by the hash of their token."""

    name: str
    known_by: str

    def known_to(self, view: View) -> bool:
        """Whether the view holds them, as an admin, their token, and the vendor's groups, which older states lack.

        Whether they are in `admins` does not count: other admins may take them out of it.
        """
        principal = view.principals.get(self.name)
        known = principal is not None and principal.admin and self.known_by in view.tokens
        return known and ADMINS in view.groups and USERS in view.groups

    async def ensure(self, commands: Commands, view: View) -> None:
        """Ask for them until the view holds them."""
        wanted = {"name": self.name, "display_name": self.name.partition("@")[0], "hash": self.known_by}
        refusals = 0
        while not self.known_to(view):
            answer = await commands.ask(self._asking(), "bootstrap.admin", wanted, seconds=FIRST_ADMIN_SECONDS)
            refused = isinstance(answer, Refusal) or answer.status != 200
            if refused:
                refusals += 1
                level = logging.INFO if refusals <= PATIENT_TIMES else logging.WARNING
                logs.event(LOG, level, "no first admin yet")
            await asyncio.sleep(RETRY_SECONDS if refused else POLL_SECONDS)

    def _asking(self) -> Call:
        """What stands for a call over HTTP: nobody is known yet who could make one."""
        requester = Requester(name=self.name, admin=True)
        return Call(request_id=str(uuid.uuid4()), requester=requester, path={}, query={}, body=b"")


async def serve(settings: Settings, master_key: Hidden, admin_token: Hidden) -> None:
    """Run until SIGTERM or SIGINT: then stop accepting, finish what is in flight, close."""
    boot_id = uuid.uuid4().hex
    boot = Boot(
        boot_id=boot_id,
        slot=slot_of(boot_id),
        now=lambda: time.time_ns() // 1_000_000,
        new_id=lambda: str(uuid.uuid4()),
    )
    client_id = f"headgate-ingress-{boot_id[:8]}"
    security = secured(settings.kafka)
    bus = Bus(settings.brokers, client_id, security)
    key = sealing.key_bytes(master_key.reveal())
    waiters = Waiters(
        boot_id=boot_id,
        limit=settings.waiting,
        stream_bytes=settings.stream_bytes,
        cancel=bus.cancel,
        opened=lambda reply: sealing.reply_opened(reply, key),
    )
    replies = Replies(settings.brokers, client_id, boot.slot, waiters, security)
    state = StateReader(settings.brokers, client_id, security)
    admin = FirstAdmin(name=settings.admin_email, known_by=token_hash(admin_token.reveal()))

    def own() -> dict[str, bool]:
        return {"bus": bus.ready, "replies": replies.ready, "state": state.ready}

    def health() -> dict[str, bool]:
        return {**own(), "admin": admin.known_to(state.view)}

    app, commands = application(
        Outside(
            settings=settings,
            master_key=key,
            boot=boot,
            state=state,
            waiters=waiters,
            publish=bus.publish,
            cancel=bus.cancel,
            own=health,
        )
    )
    web = server(app, settings)
    outbox = KafkaOutbox(settings.brokers, client_id, security)
    ways = Ways(waiters=waiters, publish=bus.publish, outbox=outbox)
    intake = Intake(state=state, boot=boot, request_ms=settings.request_seconds * 1000, master_key=key)
    submissions = _submissions(settings, boot, intake, state, ways)
    patience_ms = 2 * settings.request_seconds * 1000
    reader = SubmissionReader(settings.brokers, client_id, submissions.accept, patience_ms, security)

    async def become_ready() -> None:
        await web.listening.wait()
        while not all(own().values()):
            await asyncio.sleep(POLL_SECONDS)
        logs.event(LOG, logging.INFO, "ready", port=settings.port, slot=boot.slot)
        await admin.ensure(commands, state.view)

    parts = (bus.run(), replies.run(), state.run(), outbox.run(), reader.run(), become_ready())
    await _together(web, reader, parts)


def _submissions(settings: Settings, boot: Boot, intake: Intake, state: StateReader, ways: Ways) -> Submissions:
    """The way in for Kafka's producers, with the same checks as HTTP's."""
    return Submissions(
        identity=Identity(state, boot.now),
        intake=intake,
        boot=boot,
        ways=ways,
        body_bytes=settings.body_bytes,
    )


async def _together(web: Server, reader: SubmissionReader, parts: tuple[Coroutine[Any, Any, None], ...]) -> None:
    tasks = [asyncio.create_task(part) for part in parts]
    for task in tasks:
        task.add_done_callback(lambda done: _stop_on_defect(web, done))
    try:
        await web.serve()
        await reader.close(SUBMISSIONS_CLOSE_SECONDS)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def _stop_on_defect(web: Server, done: asyncio.Task[None]) -> None:
    """A part that dies of a defect takes the process with it: whoever started it starts it again, whole."""
    if not done.cancelled() and (error := done.exception()) is not None:
        LOG.error("part failed", exc_info=error)
        web.should_exit = True


def main() -> None:
    """Read the settings, run."""
    try:
        settings = Settings.from_env()
        master_key = settings.master_key or kept(settings.data / "master.key", sealing.new_key)
        admin_token = settings.admin_token or kept(
            settings.data / "admin.token", lambda: f"dapi{secrets.token_hex(16)}"
        )
        sealing.key_bytes(master_key.reveal())
    except (ValueError, OSError) as error:
        sys.exit(f"ingress: {error}")
    logs.configure(settings.log_level, "ingress")
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn raises the signal again when it is done: by then there is nothing more to do for it
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    for handler in logging.getLogger().handlers:
        handler.addFilter(RefusedOnce())
    logging.getLogger("uvicorn").setLevel(max(logging.WARNING, logging.getLogger().level))
    uvloop.run(serve(settings, master_key, admin_token))


if __name__ == "__main__":
    main()
