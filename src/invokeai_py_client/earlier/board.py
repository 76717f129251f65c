"""`invokeai_py_client.board` of client 1.1."""

from invokeai_py_client import Board as BoardHandle
from invokeai_py_client import BoardRecord as Board
from invokeai_py_client import Boards as BoardRepository
from invokeai_py_client.earlier import with_submodules

__all__ = ["Board", "BoardHandle", "BoardRepository"]

with_submodules(__name__, "board_handle", "board_model", "board_repo")
