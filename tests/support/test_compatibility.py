"""docs/compatibility.md says what the tests of the clients say, and nothing failed when it was made."""

from importlib import import_module

from tests.support import compatibility
from tests.support.compatibility import CLIENTS, MODULES, page, results, written

REPORT = b"""<testsuites><testsuite>
<testcase name="a"><properties><property name="spoken" value="http | GET /a"/></properties></testcase>
<testcase name="b"><properties><property name="spoken" value="http | GET /a"/>
<property name="spoken" value="openai | POST /b"/></properties><failure/></testcase>
<testcase name="c"><properties><property name="spoken" value="http | GET /c"/></properties></testcase>
</testsuite></testsuites>"""


def test_the_page_has_exactly_what_the_tests_speak_and_all_of_it_passed() -> None:
    modules = [import_module(f"tests.stack.{name}") for name in MODULES]
    tests = [test for module in modules for test in vars(module).values()]
    spoken = {pair for test in tests for pair in getattr(test, "spoken", ())}
    found = written(compatibility.PAGE.read_text())
    assert found.keys() == spoken, f"docs/compatibility.md is stale: run {compatibility.COMMAND}"
    assert set(found.values()) == {"passed"}


def test_one_failure_outweighs_a_pass() -> None:
    assert results(REPORT) == {
        ("http", "GET /a"): "failed",
        ("openai", "POST /b"): "failed",
        ("http", "GET /c"): "passed",
    }


def test_a_page_reads_back_as_it_was_written() -> None:
    found = results(REPORT)
    assert written(page(found, dict.fromkeys(CLIENTS, "1.0"))) == found
