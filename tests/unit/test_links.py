"""Links between the Markdown files of the repository, as GitHub shows them: each file and each heading is there."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^\s)>]+)>?(?:\s+\"[^\"]*\")?\s*\)")


def prose_of(path: Path) -> str:
    """Return a page without its blocks of code."""
    return FENCE.sub("", path.read_text(encoding="utf-8"))


def anchors_of(path: Path) -> set[str]:
    """Return the anchors that GitHub gives the headings of a page."""
    found: Counter[str] = Counter()
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", prose_of(path), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        anchors.add(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return anchors


def problem_of(page: Path, link: str) -> str | None:
    """Return what is wrong with a link of a page; None if nothing is."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        is_well_formed = parts.scheme == "https" and parts.hostname is not None and "." in parts.hostname
        return None if is_well_formed else "is not an https URL with a host"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return "names no file of the repository"
    if parts.fragment and (target.suffix != ".md" or unquote(parts.fragment) not in anchors_of(target)):
        return "names no heading of the page"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = LINK.findall(CODE.sub("``", prose_of(page)))
    assert {link: problem for link in links if (problem := problem_of(page, link))} == {}


def test_a_dead_link_is_noticed() -> None:
    readme = ROOT / "README.md"
    assert problem_of(readme, "docs/index.md") is None
    assert problem_of(ROOT / "docs" / "index.md", "../README.md#quick-start") is None
    dead = ["docs/no-such.md", "docs/index.md#no-such", "#no-such", "../elsewhere", "http://example.org", "https://x"]
    assert [link for link in dead if problem_of(readme, link) is None] == []
    assert sum(len(LINK.findall(prose_of(page))) for page in PAGES) > 50
