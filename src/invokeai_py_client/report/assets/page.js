"use strict";
// Puts the page together: the controls, the grid, the details, and the address that remembers them.

{
  const { NONE, Model, View, layoutOf, Picks, save, asJson, asCsv, Grid, Detail, element, readData } = batchPage;
  const MOST_TABS = 40;
  const MESSAGES = {
    missing: "The data of this page is missing: the folder “report” beside it must come along.",
    torn: "The end of the data is damaged, so that rows may be missing. Run the plan on this folder again to have the page written anew.",
  };

  const isNarrow = matchMedia("(max-width: 700px)").matches;
  const byId = (id) => document.getElementById(id);
  const picks = new Picks();
  const isPicked = (row) => picks.has(row);
  let model, view;
  let place = { r: 0, c: 0 }; // of the row whose details are open

  const grid = new Grid(byId("grid"), byId("sheet"), {
    isPicked,
    open: (row) => open(row),
    pick: (row) => pick(row),
    hide: (axis, position) => {
      view.hide(axis, position);
      changed();
    },
  });

  const detail = new Detail(byId("detail"), {
    isPicked,
    pick: (row) => pick(row),
    step: (key) => step(key),
    closed: () => {
      view.open = "";
      remember();
      // The browser gives the focus back to where it was before the details were opened.
      grid.moveTo(place.r, place.c);
    },
  });

  const remember = () => history.replaceState(null, "", view.toHash());

  /** Show what the view says, and remember it in the address. */
  const changed = () => {
    remember();
    controls();
    show();
  };

  const show = () => {
    const layout = layoutOf(model, view, isPicked);
    grid.show(model, view, layout);
    const isEmpty = layout.gallery ? !layout.gallery.length : !layout.xs.length || !layout.ys.length;
    const empty = byId("empty");
    empty.hidden = !isEmpty;
    empty.textContent = model.rows.size || !layout.gallery ? "Nothing matches the filter." : "No row is finished yet.";
    byId("grid").hidden = isEmpty;
    counts();
    const row = model.rows.get(view.open);
    if (row) detail.show(row, model.workflow);
  };

  const counts = () => {
    const finished = model.finishedRows;
    const total = Math.max(model.total, model.rows.size);
    const parts = [...model.counts].filter(([, count]) => count).map(([status, count]) => `${count} ${status.replace("_", " ")}`);
    const text = `${finished} of ${total} rows finished${parts.length ? ` (${parts.join(", ")})` : ""}, ${model.isLive ? "live" : "ended"}`;
    const progress = byId("progress");
    if (progress.textContent !== text) progress.textContent = text;
    byId("bar").value = total ? finished / total : 0;
    const chosen = picks.rowsOf(model).length;
    byId("picked").textContent = `${chosen} picked`;
    for (const id of ["save-json", "save-csv", "clear-picks"]) byId(id).disabled = !chosen;
  };

  const pick = (row) => {
    picks.toggle(row);
    show();
  };

  const open = (row) => {
    view.open = row.row_id ?? "";
    place = grid.focus;
    remember();
    detail.show(row, model.workflow);
  };

  /** Open the next result in a direction, past what is filtered. */
  const step = (key) => {
    const [dr, dc] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
    let { r, c } = grid.focus;
    for (;;) {
      r += dr;
      c += dc;
      if (r < 0 || c < 0 || r >= grid.lines || c >= grid.columns) return;
      if (grid.rowAt(r, c)) return open(grid.moveTo(r, c, false));
    }
  };

  const option = (text, value, isChosen) => new Option(text, value, false, isChosen);

  const controls = () => {
    for (const name of ["x", "y"]) {
      byId(name).replaceChildren(
        option("none", NONE, view[name] === NONE),
        ...model.axes.map((axis, i) => option(axis.name, i, view[name] === i)),
      );
      byId(`${name}-label`).hidden = !model.axes.length;
    }
    byId("swap").hidden = !model.axes.length;
    byId("status").value = view.status;
    byId("search").value = view.search;
    byId("size").value = view.size;
    tabs();
    hiddenValues();
  };

  /** A list of tabs for each axis on neither X nor Y. */
  const tabs = () => {
    const box = byId("tabs");
    const focused = document.activeElement?.closest("#tabs [data-axis]")?.dataset.axis;
    const others = view.isGallery ? [] : model.axes.map((_, i) => i).filter((i) => i !== view.x && i !== view.y);
    box.replaceChildren(...others.map((i) => (model.axes[i].values.length > MOST_TABS ? selectOf(i) : tabsOf(i))));
    if (focused !== undefined) box.querySelector(`[data-axis="${focused}"] :is([aria-selected="true"], select)`)?.focus();
  };

  const choose = (axis, position) => {
    view.chosen.set(axis, position);
    changed();
  };

  const lineOf = (axis) => {
    const line = element("div", "tab-line");
    line.dataset.axis = axis;
    const name = element("span", "tab-name", model.axes[axis].name);
    name.id = `axis-${axis}`;
    line.append(name);
    return line;
  };

  const selectOf = (axis) => {
    const line = lineOf(axis);
    const select = element("select");
    select.setAttribute("aria-labelledby", `axis-${axis}`);
    select.append(...model.axes[axis].labels.map((text, i) => option(text.slice(0, 200), i, i === view.chosen.get(axis))));
    select.onchange = () => choose(axis, +select.value);
    line.append(select);
    return line;
  };

  const tabsOf = (axis) => {
    const line = lineOf(axis);
    const list = element("div", "tab-list");
    list.setAttribute("role", "tablist");
    list.setAttribute("aria-labelledby", `axis-${axis}`);
    const chosen = view.chosen.get(axis) ?? 0;
    const { labels } = model.axes[axis];
    list.append(
      ...labels.map((text, i) => {
        const tab = element("button", "tab", text);
        tab.type = "button";
        tab.dir = "auto";
        tab.title = text;
        tab.setAttribute("role", "tab");
        tab.setAttribute("aria-selected", i === chosen);
        tab.setAttribute("aria-controls", "grid");
        tab.tabIndex = i === chosen ? 0 : -1;
        tab.onclick = () => choose(axis, i);
        return tab;
      }),
    );
    list.onkeydown = ({ key }) => {
      const to = { ArrowLeft: chosen - 1, ArrowRight: chosen + 1, Home: 0, End: labels.length - 1 }[key];
      if (to === undefined || to < 0 || to >= labels.length) return;
      list.children[to].focus();
      choose(axis, to);
    };
    line.append(list);
    return line;
  };

  const hiddenValues = () => {
    const box = byId("hidden");
    const show = (text, title, positions) => {
      const made = element("button", "", text);
      made.type = "button";
      made.title = title;
      made.setAttribute("aria-label", title);
      made.dir = "auto";
      made.onclick = () => {
        for (const [axis, position] of positions) view.hidden.get(axis).delete(position);
        changed();
      };
      return made;
    };
    const all = [...view.hidden].flatMap(([axis, positions]) => [...positions].map((position) => [axis, position]));
    const nameOf = ([axis, position]) => `${model.axes[axis].name}: ${model.axes[axis].labels[position]}`;
    box.hidden = !all.length;
    box.replaceChildren(
      element("span", "", "Hidden:"),
      ...all.slice(0, MOST_TABS).map((one) => show(nameOf(one), `Show ${nameOf(one)}`, [one])),
      show("Show all", "Show all hidden values", all),
    );
  };

  const listen = () => {
    for (const [name, other] of [["x", "y"], ["y", "x"]])
      byId(name).onchange = (event) => {
        const before = view[name];
        view[name] = +event.target.value;
        if (view[name] === view[other] && view[name] !== NONE) view[other] = before;
        changed();
      };
    byId("swap").onclick = () => {
      [view.x, view.y] = [view.y, view.x];
      changed();
    };
    byId("status").onchange = (event) => {
      view.status = event.target.value;
      changed();
    };
    byId("search").oninput = (event) => {
      view.search = event.target.value;
      remember();
      show();
    };
    byId("size").oninput = (event) => {
      view.size = +event.target.value;
      remember();
      show();
    };
    byId("save-json").onclick = () => save("picks.json", "application/json", asJson(picks.rowsOf(model)));
    byId("save-csv").onclick = () => save("picks.csv", "text/csv", asCsv(picks.rowsOf(model)));
    byId("clear-picks").onclick = () => {
      picks.clear();
      show();
    };
    window.addEventListener("hashchange", () => {
      view.fromHash(location.hash, model);
      changed();
    });
    document.addEventListener("keydown", (event) => {
      if (event.target.closest("input, select, textarea, dialog") || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "/") byId("search").focus();
      else if (event.key === "+" || event.key === "=") resize(16);
      else if (event.key === "-") resize(-16);
      else return;
      event.preventDefault();
    });
  };

  const resize = (by) => {
    view.size = Math.min(640, Math.max(64, view.size + by));
    byId("size").value = view.size;
    remember();
    show();
  };

  const columnsOf = ({ x }) => (x === NONE ? 8 : model.axes[x].values.length);

  const start = (plan) => {
    model = new Model(plan);
    model.isLive = true;
    view = new View(model);
    view.size = isNarrow ? 136 : Math.min(320, Math.max(208, Math.floor((innerWidth - 160) / columnsOf(view) / 16) * 16));
    document.title = model.title;
    byId("title").textContent = model.title;
    listen();
  };

  byId("controls").open = !isNarrow;

  let isNew = true;
  let hasNews = false;
  let hasNewAxes = false;
  readData({
    plan: start,
    row: (row) => {
      hasNews = true;
      const before = model.axes.length;
      hasNewAxes = model.add(row) || hasNewAxes;
      if (model.axes.length > before && view.x !== NONE && view.y === NONE) view.y = before;
    },
    looked: (state) => {
      const notice = byId("notice");
      notice.hidden = !(state in MESSAGES);
      notice.textContent = MESSAGES[state] ?? "";
      if (!model) return;
      model.isLive = state !== "finished";
      if (isNew) {
        view.fromHash(location.hash, model);
        changed();
      } else if (hasNews) {
        if (hasNewAxes) controls();
        show();
      } else counts();
      isNew = hasNews = hasNewAxes = false;
    },
  });
}
