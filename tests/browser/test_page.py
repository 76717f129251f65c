"""What a user does with the page of a finished batch."""

from __future__ import annotations

import ast
import csv
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from tests.browser.conftest import FAILED, HUES, RADII, OpenPage, Sweep

from invokeai_py_client import Axis, ReportPage


def cell(page: Page, name: str) -> Any:
    return page.get_by_role("gridcell", name=name)


def loaded_images(page: Page) -> int:
    """The number of images in the grid, once all of them are loaded."""
    page.wait_for_function("[...document.querySelectorAll('.cell img')].every((image) => image.naturalWidth > 0)")
    return page.locator(".cell img").count()


def headers(page: Page, role: Any) -> list[str]:
    return [found.get_attribute("aria-label") or "" for found in page.get_by_role(role).all()]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_images_labels_and_reasons_are_shown(
    sweep: Sweep, open_page: OpenPage, screenshot: Callable[..., None], width: int, scheme: str
) -> None:
    page = open_page(sweep[0], width=width, height=900, color_scheme=scheme)
    expect(page).to_have_title("Blur, hue and edges of a cup of coffee")
    expect(page.get_by_role("status").first).to_have_text("23 of 24 rows finished (22 completed, 1 failed), ended")
    expect(cell(page, "Radius 0, Hue 0, completed")).to_be_visible()
    assert loaded_images(page) >= 5
    reason = cell(page, "Radius 6, Hue 90, failed")
    if width == 1600:
        expect(reason).to_contain_text("OutOfMemoryError: CUDA out of memory")
        assert loaded_images(page) == 10
        expect(cell(page, "Radius 2, Hue 270, pending")).to_contain_text("pending")
    # The page itself does not scroll sideways; the grid does.
    assert page.evaluate("document.scrollingElement.scrollWidth") == width
    lightness = page.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).reduce((a, b) => a + +b, 0)"
    )
    assert (lightness < 150) == (scheme == "dark")
    screenshot(page)
    cell(page, "Radius 0, Hue 0, completed").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.wait_for_function("document.querySelector('.stage img').naturalWidth > 0")
    box = page.get_by_role("dialog").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    screenshot(page, "-detail")


def test_axes_can_be_swapped_and_put_on_tabs(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    expect(page.get_by_role("columnheader", name="Radius: 0")).to_be_visible()
    assert headers(page, "rowheader") == [f"Hue: {hue}" for hue in HUES]
    page.get_by_role("button", name="Swap").click()
    expect(page.get_by_role("columnheader", name="Hue: 270")).to_be_visible()
    assert headers(page, "rowheader") == [f"Radius: {radius}" for radius in RADII]
    page.get_by_role("combobox", name="X", exact=True).select_option("Edges")
    expect(page.get_by_role("columnheader", name="Edges: find")).to_be_visible()
    # What was on X is on tabs now.
    expect(page.get_by_role("tab")).to_have_text([str(hue) for hue in HUES])
    page.get_by_role("tab", name="90").click()
    expect(page.get_by_role("tab", name="90")).to_have_attribute("aria-selected", "true")
    failed = cell(page, "Edges none, Radius 6, failed")
    expect(failed).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="180")).to_be_focused()
    expect(failed).to_have_count(0)
    # All of it is in the address.
    address = page.url
    page.reload()
    expect(page.get_by_role("tab", name="180")).to_have_attribute("aria-selected", "true")
    assert headers(page, "rowheader") == [f"Radius: {radius}" for radius in RADII]
    assert page.url == address


def test_without_axes_on_x_and_y_all_rows_are_a_gallery(sweep: Sweep, open_page: OpenPage) -> None:
    path, rows = sweep
    page = open_page(path, height=3000)
    expect(page.get_by_role("columnheader", name="Radius: 0")).to_be_visible()
    for name in ("X", "Y"):
        page.get_by_role("combobox", name=name, exact=True).select_option("none")
    expect(page.get_by_role("columnheader")).to_have_count(0)
    expect(page.get_by_role("gridcell", name="completed")).to_have_count(22)
    expect(page.locator(".caption").nth(1)).to_have_text("1: Radius 2 · Hue 0 · none")
    assert loaded_images(page) == len(rows) - 1


def written_page(folder: Path, axes: list[Axis], rows: list[dict[str, Any]]) -> Path:
    """Write the page of rows that have failed, by their values."""
    files = ReportPage(folder, axes=axes, total=len(rows))
    path = files.write()
    for index, values in enumerate(rows):
        files.add({"row_id": str(index), "index": index, "values": values, "status": "failed", "error": "why"})
    files.finish()
    return path


@pytest.mark.parametrize("width", [400, 1600])
def test_a_table_of_rows_fills_the_width(
    tmp_path: Path, open_page: OpenPage, screenshot: Callable[..., None], width: int
) -> None:
    rows: list[dict[str, Any]] = [{"Prompt": f"a long prompt of a file, number {n} " * 3, "seed": n} for n in range(20)]
    axes = [Axis(name, [row[name] for row in rows]) for name in ("Prompt", "seed")]
    page = open_page(written_page(tmp_path, axes, rows), width=width)
    expect(page.locator(".caption").first).to_contain_text("0: a long prompt")
    expect(page.locator(".caption").first).to_contain_text("seed 0")
    boxes = page.locator(".cell").evaluate_all("cells => cells.map((cell) => cell.getBoundingClientRect().toJSON())")
    assert min(box["left"] for box in boxes) >= 4
    assert width - 40 < max(box["right"] for box in boxes) <= width
    # A line of a caption is shown whole or not at all.
    caption = page.locator(".caption").first
    height, padding, line = (
        float(caption.evaluate(f"(one) => parseFloat(getComputedStyle(one).{name})"))
        for name in ("height", "paddingTop", "lineHeight")
    )
    assert height - padding == 2 * line
    screenshot(page)


def test_a_lone_axis_is_a_line_only_if_it_is_short(tmp_path: Path, open_page: OpenPage) -> None:
    for count in (8, 9):
        folder = tmp_path / str(count)
        path = written_page(folder, [Axis("Steps", range(count))], [{"Steps": steps} for steps in range(count)])
        page = open_page(path)
        expect(page.get_by_role("gridcell")).to_have_count(count)
        expect(page.get_by_role("columnheader")).to_have_count(8 if count == 8 else 0)


def test_a_gallery_without_rows_says_so(tmp_path: Path, open_page: OpenPage) -> None:
    page = open_page(ReportPage(tmp_path, axes=[Axis("Steps", range(9))], total=9).write())
    expect(page.get_by_text("No row is finished yet.")).to_be_visible()


def test_labels_are_not_covered_where_nothing_hovers(tmp_path: Path, open_page: OpenPage) -> None:
    paths = [f"/photos/a picture with a long name, {number}.png" for number in range(3)]
    rows: list[dict[str, Any]] = [{"Image": path, "Hue": hue} for path in paths for hue in (0, 90)]
    axes = [Axis("Image", paths), Axis("Hue", (0, 90))]
    page = open_page(written_page(tmp_path, axes, rows), width=400, has_touch=True, is_mobile=True)
    expect(page.locator(".column-head .label").first).to_have_text("a picture with a long name, 0.png")
    covered = page.locator(".head:not(.corner)").evaluate_all(
        """heads => heads.map((head) => {
          const [label, hide] = [".label", ".hide"].map((name) => head.querySelector(name).getBoundingClientRect());
          const isBeside = hide.right <= label.left || hide.left >= label.right;
          return !isBeside && hide.bottom > label.top && hide.top < label.bottom;
        })"""
    )
    assert covered
    assert not any(covered)


def test_values_can_be_hidden_and_shown_again(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    page.get_by_role("columnheader", name="Radius: 2").hover()
    page.get_by_role("button", name="Hide Radius: 2").click()
    expect(page.get_by_role("columnheader", name="Radius: 2")).to_have_count(0)
    # With the keyboard: from the first cell to its row label.
    cell(page, "Radius 0, Hue 90, completed").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("rowheader", name="Hue: 90")).to_be_focused()
    page.keyboard.press("Delete")
    expect(page.get_by_role("rowheader", name="Hue: 180")).to_be_focused()
    assert headers(page, "rowheader") == ["Hue: 0", "Hue: 180", "Hue: 270"]
    page.reload()
    expect(page.get_by_role("rowheader", name="Hue: 180")).to_be_visible()
    assert headers(page, "rowheader") == ["Hue: 0", "Hue: 180", "Hue: 270"]
    page.get_by_role("button", name="Show Hue: 90").click()
    assert headers(page, "rowheader") == [f"Hue: {hue}" for hue in HUES]
    page.get_by_role("button", name="Show all").click()
    expect(page.get_by_role("columnheader", name="Radius: 2")).to_be_visible()
    expect(page.get_by_role("group", name="Hidden values")).to_be_hidden()


def test_rows_are_filtered_by_status_and_text(sweep: Sweep, open_page: OpenPage) -> None:
    path, rows = sweep
    page = open_page(path)
    page.get_by_role("combobox", name="Show").select_option("failed")
    expect(page.get_by_role("gridcell")).to_have_count(1)
    expect(cell(page, "Radius 6, Hue 90, failed")).to_be_visible()
    page.get_by_role("combobox", name="Show").select_option("pending")
    expect(cell(page, "Radius 2, Hue 270, pending")).to_be_visible()
    page.get_by_role("combobox", name="Show").select_option("all rows")
    page.keyboard.press("Escape")
    page.locator("body").press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    # By a value with quotation marks, by a seed, by an error, whatever the case.
    for text, name in (
        ('A "CUP" OF COFFEE, 3', "Radius 0, Hue 90, completed"),
        (str(rows[4]["seed"]), "Radius 2, Hue 90, completed"),
        ("cuda OUT", "Radius 6, Hue 90, failed"),
    ):
        page.get_by_label("Search").fill(text)
        expect(page.get_by_role("gridcell")).to_have_count(1)
        expect(cell(page, name)).to_be_visible()
    page.get_by_label("Search").fill("nothing like that")
    expect(page.get_by_text("Nothing matches the filter.")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("nothing like that")


def test_picks_are_kept_and_exported(sweep: Sweep, open_page: OpenPage, tmp_path: Path) -> None:
    path, rows = sweep
    page = open_page(path)
    first = cell(page, "Radius 0, Hue 0, completed")
    first.focus()
    page.keyboard.press("p")
    second = cell(page, "Radius 6, Hue 0, completed")
    second.hover()
    second.get_by_role("button", name="Pick").click()
    expect(page.get_by_text("2 picked")).to_be_visible()
    expect(cell(page, "Radius 6, Hue 0, completed, picked")).to_be_focused()
    page.reload()
    expect(page.get_by_text("2 picked")).to_be_visible()
    page.get_by_role("combobox", name="Show").select_option("picked")
    expect(page.get_by_role("gridcell", name="picked")).to_have_count(2)
    wanted = [{**rows[index]["values"], "seed": rows[index]["seed"]} for index in (0, 2)]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save JSON").click()
    assert download.value.suggested_filename == "picks.json"
    download.value.save_as(tmp_path / "picks.json")
    assert json.loads((tmp_path / "picks.json").read_text("utf-8")) == wanted
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    download.value.save_as(tmp_path / "picks.csv")
    with (tmp_path / "picks.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.DictReader(file)) == [{key: str(value) for key, value in row.items()} for row in wanted]
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_text("0 picked")).to_be_visible()


def test_details_of_a_row(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    cell(page, "Radius 6, Hue 0, completed").click()
    dialog = page.get_by_role("dialog", name="Row 2: completed")
    expect(dialog).to_be_visible()
    facts = dict(zip(dialog.locator("dt").all_inner_texts(), dialog.locator("dd").all_inner_texts(), strict=True))
    assert facts["Radius"] == "6"
    assert facts["Prompt"] == 'a "cup" of coffee, 2'
    assert facts["Seed"] == "1002"
    assert facts["Time"] == "1.50 s"
    assert facts["File"] == "00002 6-0 #1 100%.png"
    assert facts["Item id"] == "3"
    # The arrow keys go from one to the next, the P key picks.
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("dialog", name=f"Row {FAILED}: failed")).to_be_visible()
    expect(dialog.page.get_by_role("dialog")).to_contain_text("OutOfMemoryError: CUDA out of memory")
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Picked").last).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    # A place whose row was not run has details too.
    expect(page.get_by_role("dialog", name="pending")).to_contain_text("270")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(cell(page, "Radius 2, Hue 270, pending")).to_be_focused()


def test_the_open_row_is_in_the_address(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    cell(page, "Radius 6, Hue 0, completed").click()
    page.reload()
    expect(page.get_by_role("dialog", name="Row 2: completed")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page).not_to_have_url(re.compile("open="))
    page.reload()
    expect(cell(page, "Radius 6, Hue 0, completed")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_picture_can_be_zoomed(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    cell(page, "Radius 0, Hue 0, completed").click()
    image = page.locator(".stage img")
    page.wait_for_function("document.querySelector('.stage img').naturalWidth > 0")
    page.keyboard.press("1")
    assert image.evaluate("(image) => image.clientWidth") == 240
    page.keyboard.press("+")
    assert image.evaluate("(image) => image.clientWidth") == 360
    page.get_by_role("button", name="−").click()
    assert image.evaluate("(image) => image.clientWidth") == 240
    page.keyboard.press("0")
    assert image.evaluate("(image) => image.clientWidth") > 400


def test_the_size_of_the_cells_can_be_changed(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    first = cell(page, "Radius 0, Hue 0, completed")
    expect(first).to_be_visible()
    loaded_images(page)
    before = first.bounding_box()
    first.press("+")
    after = first.bounding_box()
    assert before is not None
    assert after is not None
    assert after["width"] == before["width"] + 16
    # The cells have the shape of the images.
    assert after["width"] / after["height"] == pytest.approx(1.5, abs=0.03)


def test_the_keyboard_reaches_every_cell(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0], width=500, height=500)
    cell(page, "Radius 0, Hue 0, completed").focus()
    for key, name in (
        ("End", "Radius 6, Hue 0, completed"),
        ("Control+End", "Radius 6, Hue 270, completed"),
        ("ArrowRight", "Radius 6, Hue 270, completed"),
        ("ArrowLeft", "Radius 2, Hue 270, pending"),
        ("Control+Home", "Radius 0, Hue 0, completed"),
        ("PageDown", "Radius 0, Hue 180, completed"),
    ):
        page.keyboard.press(key)
        focused = page.locator(":focus")
        expect(focused).to_have_attribute("aria-label", name)
        expect(focused).to_be_in_viewport(ratio=0.9)
    # One stop of the Tab key for the whole grid.
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('#grid')") is None
    page.keyboard.press("Shift+Tab")
    expect(page.locator(":focus")).to_have_attribute("aria-label", "Radius 0, Hue 180, completed")


def python_row(code: str) -> Any:
    """The row that copied code makes a plan of."""
    (row,) = (
        node.value for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assign) and is_row(node.targets[0])
    )
    return ast.literal_eval(row)


def is_row(target: ast.expr) -> bool:
    return isinstance(target, ast.Name) and target.id == "row"


def arguments_of(command: str) -> list[str]:
    """The arguments that a shell takes from a command."""
    printing = command.replace("invokeai-client", "printf '%s\\0'", 1)
    done = subprocess.run(["sh", "-c", printing], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


HOSTILE = [
    "<script>window.hacked = 1</script>",
    "</script><img src=x onerror='window.hacked = 1'>",
    "'); window.hacked = 1; ('",
    "\"quotes\" 'single' `back` \\ ${window.hacked = 1} %s {} $(touch hacked) !$HOME",
    "line\nbreak\u2028separator\u2029paragraph\ttab",
    "שלום \u202eRTL\u202c مرحبا",
    "emoji 🐈‍⬛ 猫 \U0010ffff",
    "-- --flag @file =1+1 | & ; #",
    "x" * 10_000,
]


def test_values_are_data_whatever_is_in_them(tmp_path: Path, open_page: OpenPage) -> None:
    axes = [Axis("<b onclick=1>Prompt</b>", HOSTILE)]
    page_files = ReportPage(
        tmp_path, title="</title><script>window.hacked = 1</script>", axes=axes, workflow_name="a'b"
    )
    path = page_files.write()
    values = [
        {axes[0].name: text, text[:100]: [text, {"a": text, "__proto__": 1}, None, True, 0.5]} for text in HOSTILE
    ]
    for index, value in enumerate(values):
        error = HOSTILE[index] if index % 2 else None
        row = {"row_id": f"<{index}>&\"'", "index": index, "values": value, "seed": 4294967295, "error": error}
        page_files.add({**row, "status": "failed" if error else "completed", "files": [], "__proto__": {"a": 1}})
    page_files.finish()
    page = open_page(path, fragment="#x=0", permissions=["clipboard-read", "clipboard-write"])
    expect(page).to_have_title("</title><script>window.hacked = 1</script>")
    expect(page.get_by_role("columnheader")).not_to_have_count(0)
    for index, text in enumerate(HOSTILE):
        page.evaluate("(id) => { location.hash = new URLSearchParams({ open: id }); }", f"<{index}>&\"'")
        dialog = page.get_by_role("dialog", name=f"Row {index}:")
        expect(dialog).to_be_visible()
        assert dialog.locator("dd").first.text_content() == text
        dialog.get_by_role("button", name="Copy as Python").click()
        expect(dialog.get_by_text("copied")).to_be_visible()
        code = page.evaluate("navigator.clipboard.readText()")
        assert python_row(code) == {**values[index], "seed": 4294967295}
        dialog.get_by_role("button", name="Copy as CLI").click()
        page.wait_for_function("async () => (await navigator.clipboard.readText()).startsWith('invokeai-client')")
        words = arguments_of(page.evaluate("navigator.clipboard.readText()"))
        assert words[:4] == ["run", "./a'b.json", "--set", f"{axes[0].name}={text}"]
        assert words[-2:] == ["--seed", "4294967295"]
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.images.length") == 0


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_picks_of_any_text_are_read_back(tmp_path: Path, open_page: OpenPage, newline: str) -> None:
    texts = [*HOSTILE, f" a{newline}b, 'c', \"d\" ", ""]
    files = ReportPage(tmp_path)
    for index, text in enumerate(texts):
        row = {"row_id": str(index), "index": index, "values": {"Prompt": text, f'{newline},"': {"a": [1, 0.5]}}}
        files.add({**row, "seed": index or None, "status": "completed", "files": []})
    files.finish()
    page = open_page(tmp_path / "index.html")
    for index in range(len(texts)):
        page.get_by_role("gridcell", name=f"{index}:").first.press("p")
    expect(page.get_by_text(f"{len(texts)} picked")).to_be_attached()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    download.value.save_as(tmp_path / "picks.csv")
    with (tmp_path / "picks.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["Prompt"] for line in lines] == texts
    assert {line[f'{newline},"'] for line in lines} == {'{"a":[1,0.5]}'}
    assert [line["seed"] for line in lines] == ["", *map(str, range(1, len(texts)))]


@pytest.mark.parametrize(
    "name",
    [
        "a#b.png",
        "50%.png",
        "50%20.png",
        "what?.png",
        "two  blanks.png",
        "猫 é.png",
        "a'b\"c&d<e>.png",
        "a\\b.png",
        "🐈.png",
    ],
)
def test_files_of_any_name_are_shown(tmp_path: Path, open_page: OpenPage, sweep: Sweep, name: str) -> None:
    folder = tmp_path / "50% #1? 猫"
    (folder / "images #2").mkdir(parents=True)
    source = sweep[0].parent / sweep[1][0]["files"][0]["path"]
    (folder / "images #2" / name).write_bytes(source.read_bytes())
    files = ReportPage(folder)
    row = {"row_id": "a", "index": 0, "values": {}, "seed": None, "status": "completed"}
    files.add({**row, "files": [{"path": f"images #2/{name}"}]})
    files.finish()
    page = open_page(folder / "index.html")
    expect(page.locator(".cell img")).to_have_count(1)
    assert loaded_images(page) == 1
    page.locator(".cell").click()
    with page.context.expect_page() as opened:
        page.get_by_role("link").click()
    opened.value.wait_for_load_state()
    assert opened.value.evaluate("document.images[0].naturalWidth") == 240


@pytest.mark.expects_errors
def test_a_missing_image_is_reported(tmp_path: Path, open_page: OpenPage) -> None:
    files = ReportPage(tmp_path)
    row = {"row_id": "a", "index": 0, "values": {}, "seed": None, "status": "completed"}
    files.add({**row, "files": [{"path": "gone.png"}]})
    files.add({**row, "row_id": "b", "index": 1, "files": [{"path": "\ud800.png"}]})
    files.finish()
    page = open_page(tmp_path / "index.html")
    expect(page.get_by_text("gone.png cannot be shown")).to_be_visible()
    expect(page.get_by_text(".png cannot be shown")).to_have_count(2)


def test_several_files_of_a_row(tmp_path: Path, open_page: OpenPage, sweep: Sweep) -> None:
    files = ReportPage(tmp_path)
    sources = [sweep[0].parent / sweep[1][index]["files"][0]["path"] for index in (0, 3)]
    for number, source in enumerate(sources):
        (tmp_path / f"{number}.png").write_bytes(source.read_bytes())
    row = {"row_id": "a", "index": 0, "values": {}, "seed": None, "status": "completed"}
    files.add({**row, "files": [{"path": "0.png"}, {"path": "1.png"}]})
    files.finish()
    page = open_page(tmp_path / "index.html")
    expect(page.get_by_text("+1")).to_be_visible()
    page.locator(".cell").click()
    page.get_by_label("File").select_option("2 of 2: 1.png")
    expect(page.locator(".stage img")).to_have_attribute("src", "1.png")


def test_ten_thousand_cells_open_in_two_seconds(tmp_path: Path, open_page: OpenPage, sweep: Sweep) -> None:
    (tmp_path / "one.png").write_bytes((sweep[0].parent / sweep[1][0]["files"][0]["path"]).read_bytes())
    prompts = [f"prompt {number}, {'some more words, ' * 10}" for number in range(100)]
    files = ReportPage(tmp_path, axes=[Axis("Steps", range(100)), Axis("Prompt", prompts)], total=10_000)
    for index in range(10_000):
        values = {"Steps": index % 100, "Prompt": prompts[index // 100]}
        row = {"row_id": f"{index:064x}", "index": index, "values": values, "seed": index, "status": "completed"}
        files.add({**row, "files": [{"path": "one.png"}]})
    files.finish()
    # The browser's own start is not the page's.
    open_page(sweep[0])
    page = open_page(tmp_path / "index.html")
    page.wait_for_function("document.querySelector('#progress').textContent.startsWith('10000 of 10000')")
    took = page.evaluate("performance.now()")
    assert took < 2000
    page.get_by_label("Size").fill("64")
    assert loaded_images(page) > 100
    assert page.evaluate("document.images.length") < 300
    assert page.evaluate("document.querySelectorAll('*').length") < 3000
    page.get_by_role("gridcell").first.focus()
    page.keyboard.press("Control+End")
    expect(page.locator(":focus")).to_have_attribute("aria-label", f"Steps 99, Prompt {prompts[-1]}, completed")
    assert page.evaluate("document.images.length") < 300
    page.get_by_label("Search").fill("prompt 77,")
    expect(page.get_by_role("rowheader")).to_have_count(1)


def test_rows_of_one_place_get_an_axis_of_runs(tmp_path: Path, open_page: OpenPage) -> None:
    files = ReportPage(tmp_path, axes=[Axis("Steps", (8, 20))], total=4)
    for index in range(4):
        row = {"row_id": str(index), "index": index, "values": {"Steps": (8, 20)[index // 2]}, "seed": 50 + index}
        files.add({**row, "status": "completed", "files": []})
    files.finish()
    page = open_page(tmp_path / "index.html")
    expect(page.get_by_role("gridcell")).to_have_count(4)
    cell(page, "Steps 20, Run 2, completed").click()
    expect(page.get_by_role("dialog", name="Row 3: completed")).to_contain_text("53")


def test_a_model_shows_its_name_and_a_group_of_columns_its_note(tmp_path: Path, open_page: OpenPage) -> None:
    models = [{"name": "Dreamshaper", "key": "a"}, {"name": "Juggernaut", "key": "b"}]
    axes = [Axis("Model", models), Axis("#Width, Height", ["512, 512", "768, 512"])]
    files = ReportPage(tmp_path, axes=axes, total=4, workflow_name="sizes")
    values = {"Width": 768, "Height": 512.0, "#Width, Height": "768, 512", "Model": {"key": "b", "name": "Juggernaut"}}
    files.add({"row_id": "a", "index": 3, "values": values, "seed": None, "status": "completed", "files": []})
    files.finish()
    page = open_page(tmp_path / "index.html", permissions=["clipboard-read", "clipboard-write"])
    expect(cell(page, "Model Dreamshaper, Width, Height 768, 512, pending")).to_be_visible()
    cell(page, "Model Juggernaut, Width, Height 768, 512, completed").click()
    page.get_by_role("button", name="Copy as CLI").click()
    expect(page.get_by_text("copied")).to_be_visible()
    assert arguments_of(page.evaluate("navigator.clipboard.readText()")) == [
        *("run", "./sizes.json", "--set", "Width=768", "--set", "Height=512"),
        *("--set", 'Model={"key":"b","name":"Juggernaut"}'),
    ]


@pytest.mark.expects_errors
def test_no_code_but_the_page_s_own_runs(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0])
    expect(cell(page, "Radius 0, Hue 0, completed")).to_be_visible()
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.hacked = 1";
            document.head.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.hacked = 1");
            image.src = "missing.png";
            document.body.append(image);
            return new Promise((resolve) => image.addEventListener("error", resolve));
        }"""
    )
    assert page.evaluate("window.hacked") is None


def test_an_address_with_nonsense_opens_all_the_same(sweep: Sweep, open_page: OpenPage) -> None:
    page = open_page(sweep[0], fragment="#x=99&y=-7&size=1e9&tab2=x&hide0=1.99.-1.a&status=what&search=%FF&open=%22")
    expect(page.get_by_text("Nothing matches the filter.")).to_be_visible()
    page.get_by_role("combobox", name="Show").select_option("all rows")
    page.get_by_label("Search").fill("")
    expect(page.get_by_role("columnheader", name="Radius: 2")).to_have_count(0)
    expect(page.get_by_role("columnheader", name="Radius: 6")).to_be_visible()
