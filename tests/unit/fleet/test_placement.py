"""Which server takes which row; whole batches are in test_driver.py."""

from __future__ import annotations

from invokeai_py_client.fleet.placement import Lane, Placement


def lanes(placement: Placement[int], *names: str, slots: int = 1) -> list[Lane]:
    joined = [Lane(name, slots) for name in names]
    for lane in joined:
        placement.join(lane)
    return joined


def handed_out(placement: Placement[int]) -> list[tuple[str, int]]:
    return [(given.lane.name, given.row) for given in placement.hand_out()]


def test_a_slot_has_two_rows_in_hand() -> None:
    placement: Placement[int] = Placement()
    lanes(placement, "a", slots=3)
    placement.add(0, range(100), 100)
    assert len(placement.hand_out()) == 6
    assert handed_out(placement) == []


def test_a_slow_server_has_one_row_in_hand() -> None:
    placement: Placement[int] = Placement()
    (lane,) = lanes(placement, "a")
    placement.add(0, range(100), 100)
    assert len(placement.hand_out()) == 2
    placement.ended(lane, 20.0)
    placement.ended(lane, 20.0)
    assert len(placement.hand_out()) == 1


def test_a_row_goes_only_to_servers_that_can_run_it() -> None:
    placement: Placement[int] = Placement()
    lanes(placement, "a", "b")
    placement.add(0, [1], 1, barred=["a"])
    placement.add(1, [2], 1, barred=["a", "b"])
    assert handed_out(placement) == [("b", 1)]
    assert placement.left == 1


def test_a_row_that_was_put_back_avoids_a_server() -> None:
    placement: Placement[int] = Placement()
    first, second = lanes(placement, "a", "b")
    placement.add(0, [1], 1)
    assert handed_out(placement) == [("a", 1)]
    placement.ended(first)
    placement.put_back(0, 1, avoiding=["a"])
    assert handed_out(placement) == [("b", 1)]
    placement.ended(second, 1.0)
    assert placement.left == 0


def test_a_fast_server_gets_the_last_row_although_it_is_busy() -> None:
    placement: Placement[int] = Placement()
    slow, fast = lanes(placement, "slow", "fast")
    placement.add(0, range(4), 4)
    placement.hand_out()
    for lane, seconds in ((slow, 10.0), (slow, 10.0), (fast, 1.0)):
        placement.ended(lane, seconds)
    placement.add(1, [9], 1)
    assert handed_out(placement) == [("fast", 9)]


def test_rows_of_a_loaded_model_come_first() -> None:
    placement: Placement[str] = Placement()
    lane = Lane("a")
    placement.join(lane)
    placement.add(0, ["x"], 1, models=frozenset("x"))
    placement.add(1, ["y1", "y2", "y3"], 3, models=frozenset("y"))
    order = []
    while given := placement.hand_out():
        order += [one.row for one in given]
        for one in given:
            placement.ended(one.lane, 1.0)
    assert order == ["y1", "y2", "y3", "x"]
