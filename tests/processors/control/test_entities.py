"""Entities kept over random config updates: the dimension's rules hold whatever comes."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.control.entities import whole_seconds
from tests.processors.control.world import World, entity, split

Names = st.lists(st.sampled_from("abcd"), min_size=1, max_size=4, unique=True)
Base = st.sampled_from(["http://x", "http://y"])
Updates = st.lists(Names.flatmap(lambda names: st.tuples(st.just(names), Base)), min_size=1, max_size=6)


def config(names: list[str], base: str) -> dict[str, Any]:
    shares = [(name, 100 if n == 0 else 0) for n, name in enumerate(names)]
    return {
        "served_entities": [entity(name, openai_api_base=base) for name in names],
        "traffic_config": split(*shares),
    }


@given(Updates)
def test_every_live_entity_has_its_row_and_an_id_never_means_two_definitions(
    updates: list[tuple[list[str], str]],
) -> None:
    world = World()
    meanings: dict[str, tuple[str, str]] = {}
    world.create()
    for names, base in updates:
        before = dict(world.view.served_entities)
        world.do("endpoint.update_config", config(names, base), "chat")
        for kept in world.view.endpoints["chat"].entities:
            assert kept.id in world.view.served_entities
            assert meanings.setdefault(kept.id, (kept.name, base)) == (kept.name, base)
        assert before.items() <= world.view.served_entities.items()


def test_times_are_whole_seconds() -> None:
    assert whole_seconds(1999) == 1000
