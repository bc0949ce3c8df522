"""The `headgate` command."""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Sequence

from launcher import data_dir, doctor, plan, stack
from launcher.java import Java
from launcher.obstacle import Obstacle
from launcher.plan import Options
from launcher.settings import Settings

PYTHON = (3, 11)
# Commands that are another house's program: its module, and whether it needs Java and the jars.
PROGRAMS = {
    "sql": ("spark_jobs.sql", True, "SQL over the tables: -e, -f, --format table|json|csv, or interactive"),
    "ingest": ("spark_jobs.ingest", True, "fill the tables from the log (--once: until it is read)"),
    "maintain": ("spark_jobs.maintain", True, "compact and vacuum the tables"),
    "topics": ("processors.provision", False, "create or extend the topics"),
    "dead-letters": ("sinks.dead_letters", False, "show what could not be read or handled"),
    "demo": ("launcher.demo", False, "a walk through everything, with a provider of its own"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; what stands in its way is one sentence on stderr and exit code 1."""
    asked, rest = build_parser().parse_known_args(arguments)
    try:
        if sys.version_info < PYTHON:
            raise Obstacle(f"Headgate needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
        settings = Settings.from_env(asked.data)
        if asked.command in PROGRAMS:
            return _run_program(settings, asked.command, rest)
        if rest:
            build_parser().error(f"unrecognized arguments: {' '.join(rest)}")
        return doctor.report(settings, print) if asked.command == "doctor" else _up(settings, asked)
    except Obstacle as obstacle:
        say(str(obstacle))
        return 1
    except KeyboardInterrupt:
        return 130


def say(line: str) -> None:
    """Show a line on the console."""
    print(line, file=sys.stderr, flush=True)


def _up(settings: Settings, asked: argparse.Namespace) -> int:
    options = Options(
        host=settings.environ.get("HEADGATE_HOST") or "127.0.0.1",
        port=asked.port or int(settings.environ.get("HEADGATE_PORT") or 8400),
        workers=asked.workers,
        lake=not asked.no_lake,
        lake_interval=asked.lake_interval or int(settings.environ.get("HEADGATE_LAKE_INTERVAL") or 10),
        sinks=not asked.no_sinks,
    )
    ground = stack.prepare(settings, options, secrets.token_bytes, say)
    return asyncio.run(stack.run(settings, options, ground, say))


def _run_program(settings: Settings, command: str, rest: Sequence[str]) -> int:
    name, needs_java, _ = PROGRAMS[command]
    data_dir.make(settings.data)
    found: Java | None = stack.toolchain(settings, say) if needs_java else None
    instance = plan.read_instance(settings.data)
    environ = plan.environment(settings, found.home if found else None, instance)
    line = [*plan.module(settings, name), *rest]
    os.execve(line[0], line, environ)  # noqa: S606 (it becomes that program: its signals, its exit code)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; what programs are handed is left over by `parse_known_args`."""
    data = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    data.add_argument("--data", metavar="DIR", help="data directory (HEADGATE_DATA, else .headgate)")
    parser = argparse.ArgumentParser(prog="headgate", description="An AI gateway, on this machine.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", parents=[data], allow_abbrev=False, help="run everything here until Ctrl-C")
    up.add_argument("--port", type=_port, help="where the gateway listens (HEADGATE_PORT, else 8400)")
    up.add_argument("--workers", type=_count, default=1, metavar="N", help="processes that handle requests (1)")
    up.add_argument("--no-lake", action="store_true", help="leave the tables unfilled: no Spark")
    up.add_argument("--lake-interval", type=_count, metavar="SECONDS", help="time between two batches (10)")
    up.add_argument("--no-sinks", action="store_true", help="no metrics, no dead-letter files")
    commands.add_parser("doctor", parents=[data], allow_abbrev=False, help="say what is found on this machine")
    for command, (_, _, about) in PROGRAMS.items():
        commands.add_parser(command, parents=[data], add_help=False, allow_abbrev=False, help=about)
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is not a port")
    return port


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return count


if __name__ == "__main__":
    sys.exit(main())
