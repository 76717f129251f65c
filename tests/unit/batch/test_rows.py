"""How problems of rows read."""

from __future__ import annotations

from invokeai_py_client.batch.rows import CellProblem


def test_a_problem_names_its_row_and_its_column() -> None:
    assert str(CellProblem(17, "Steps", "it takes a whole number")) == "row 17, 'Steps': it takes a whole number"
    assert str(CellProblem(None, "Steps", "no input answers to it")) == "'Steps': no input answers to it"
    assert str(CellProblem(17, "", "it has 3 cells, the header 4")) == "row 17: it has 3 cells, the header 4"
    assert str(CellProblem(None, "", "it has no rows")) == "it has no rows"
