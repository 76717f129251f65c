"""Strings that must not be shown: tokens, passwords, proxy logins."""

from __future__ import annotations

from typing import overload

_SHOWN = "<secret>"


class Secret:
    """A token or password whose `repr` and `str` hide it, in logs, tracebacks and crash reports.

    It equals a `Secret` or a `str` of the same text.

    Args:
        text: the text to hide.

    Example:
        >>> token = Secret("eyJhbGci")
        >>> print(token)
        <secret>
        >>> token.reveal() == "eyJhbGci"
        True
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = _HiddenText(text)

    @overload
    @classmethod
    def of(cls, value: str | Secret) -> Secret: ...
    @overload
    @classmethod
    def of(cls, value: None) -> None: ...
    @overload
    @classmethod
    def of(cls, value: str | Secret | None) -> Secret | None: ...
    @classmethod
    def of(cls, value: object) -> object:
        """Wrap a string in a `Secret`. Other values are returned unchanged, for the caller to validate."""
        return cls(value) if isinstance(value, str) else value

    def reveal(self) -> str:
        """Return the text. The returned `str` hides itself in `repr` too, but not when it is formatted or joined."""
        return self._text

    def __repr__(self) -> str:
        return _SHOWN

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Secret):
            return self._text == other._text
        return self._text == other if isinstance(other, str) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._text)


class _HiddenText(str):
    """The result of `reveal`: a `str` for libraries, which does not appear in reports of their frames."""

    __slots__ = ()

    def __repr__(self) -> str:
        return _SHOWN

    def __reduce__(self) -> tuple[type[_HiddenText], tuple[str]]:
        return _HiddenText, (str.__str__(self),)


class HiddenBytes(bytes):
    """Bytes that contain a secret, such as the body of a login. `repr` only shows their number."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} secret bytes>"
