"use strict";
// What is known of the batch, and which part of it is shown. No document, no events.

const batchPage = {};

{
  const NONE = -1;
  const REPETITION = "Run";
  const MOST_SEARCHED_CELLS = 500_000;

  const canonical = (value) =>
    JSON.stringify(value, (key, part) =>
      part && typeof part === "object" && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
        : part,
    );

  /** A column of a row: one of its values, else a key of the row itself, such as its seed. */
  const columnOf = (row, column) =>
    row.values && Object.hasOwn(row.values, column) ? row.values[column] : Object.hasOwn(row, column) ? row[column] : undefined;

  class Model {
    constructor(plan) {
      this.title = plan.title;
      this.workflow = plan.workflow;
      this.total = plan.total;
      this.isGrid = plan.is_grid; // whether rows are best seen as a grid
      this.rows = new Map(); // by row_id
      this.counts = new Map(); // by status
      this.version = 0;
      this.ordered = null;
      this.repetition = null; // the axis that tells rows of one place apart, once there are such
      this.stacks = new Map(); // the rows of each place on the plan's axes
      this.planned = plan.axes.map((axis) => ({
        ...axis,
        positions: new Map(axis.values.map((value, i) => [canonical(value), i])),
      }));
    }

    get axes() {
      return this.repetition ? [...this.planned, this.repetition] : this.planned;
    }

    /** Take a row, or what became of one that is known. Returns whether the axes have changed. */
    add(row) {
      const known = this.rows.get(row.row_id);
      if (known) this.counts.set(known.status, this.counts.get(known.status) - 1);
      this.counts.set(row.status, (this.counts.get(row.status) ?? 0) + 1);
      this.rows.set(row.row_id, row);
      this.version += 1;
      row.version = this.version;
      this.ordered = null;
      return this.place(row, known);
    }

    place(row, known) {
      const place = this.planned.map((axis) => this.positionOf(axis, row));
      if (place.includes(undefined)) return false;
      const key = place.join();
      const stack = this.stacks.get(key) ?? [];
      const at = known ? stack.indexOf(known) : NONE;
      if (at !== NONE) stack[at] = row;
      else stack.push(row);
      stack.sort((a, b) => a.index - b.index);
      this.stacks.set(key, stack);
      if (!this.planned.length || stack.length <= (this.repetition?.values.length ?? 1)) return false;
      const runs = Array.from(stack, (_, i) => i + 1);
      this.repetition = { name: REPETITION, values: runs, labels: runs.map(String) };
      return true;
    }

    positionOf(axis, row) {
      const value = columnOf(row, axis.column);
      return value === undefined ? undefined : axis.positions.get(canonical(value));
    }

    /** The row at positions on all axes. */
    at(place) {
      const stack = this.stacks.get(place.slice(0, this.planned.length).join());
      return stack?.[this.repetition ? place.at(-1) : 0];
    }

    inOrder() {
      this.ordered ??= [...this.rows.values()].sort((a, b) => a.index - b.index);
      return this.ordered;
    }

    get finishedRows() {
      let finished = 0;
      for (const [status, count] of this.counts) if (status !== "pending" && status !== "in_progress") finished += count;
      return finished;
    }
  }

  /** What is shown: the axes on X and Y, the value of each other axis, what is hidden, the filter, the size of a cell. */
  class View {
    constructor(model) {
      this.x = model.isGrid ? 0 : NONE;
      this.y = model.isGrid && model.axes.length > 1 ? 1 : NONE;
      this.chosen = new Map(); // axis -> position, for the axes on neither X nor Y
      this.hidden = new Map(); // axis -> set of positions
      this.status = "";
      this.search = "";
      this.size = 208; // pixels
      this.open = ""; // the row_id of the row whose details are open
    }

    get isGallery() {
      return this.x === NONE && this.y === NONE;
    }

    isHidden(axis, position) {
      return this.hidden.get(axis)?.has(position) ?? false;
    }

    hide(axis, position) {
      if (!this.hidden.has(axis)) this.hidden.set(axis, new Set());
      this.hidden.get(axis).add(position);
    }

    toHash() {
      const parts = new URLSearchParams({ x: this.x, y: this.y, size: this.size });
      for (const [axis, position] of this.chosen) if (position) parts.set(`tab${axis}`, position);
      for (const [axis, positions] of this.hidden) if (positions.size) parts.set(`hide${axis}`, [...positions].join("."));
      for (const name of ["status", "search", "open"]) if (this[name]) parts.set(name, this[name]);
      return `#${parts}`;
    }

    fromHash(hash, model) {
      const parts = new URLSearchParams(hash.replace(/^#/, ""));
      const number = (name, low, high, otherwise) => {
        const text = parts.get(name);
        return text !== null && /^-?\d{1,9}$/.test(text) && +text >= low && +text <= high ? +text : otherwise;
      };
      const last = model.axes.length - 1;
      this.x = number("x", NONE, last, this.x);
      this.y = number("y", NONE, last, this.y);
      if (this.x === this.y && this.x !== NONE) this.y = NONE;
      this.size = number("size", 64, 640, this.size);
      for (const name of ["status", "search", "open"]) this[name] = parts.get(name) ?? "";
      this.chosen.clear();
      this.hidden.clear();
      model.axes.forEach((axis, i) => {
        this.chosen.set(i, number(`tab${i}`, 0, axis.values.length - 1, 0));
        for (const text of (parts.get(`hide${i}`) ?? "").split("."))
          if (/^\d{1,9}$/.test(text) && +text < axis.values.length) this.hide(i, +text);
      });
    }
  }

  /** A row that the plan has and that did not begin: nothing but its values. */
  const pendingRow = (model, place) => ({
    status: "pending",
    values: Object.fromEntries(model.planned.map((axis, i) => [axis.column, axis.values[place[i]]])),
  });

  /** Whether a row is to be seen with this filter. */
  const matches = (row, view, isPicked) => {
    if (view.status === "picked" ? !isPicked(row) : view.status && row.status !== view.status) return false;
    if (!view.search) return true;
    row.searchable ??= JSON.stringify([Object.values(row.values), row.seed, row.error, (row.files ?? []).map((file) => file.path)], (key, part) =>
      typeof part === "string" ? part.toLowerCase() : part,
    );
    // As JSON text has it, so that quotes and backslashes are found.
    return row.searchable.includes(JSON.stringify(view.search.toLowerCase()).slice(1, -1));
  };

  /**
   * The layout of what is shown: the positions on X and Y that have something to show, and the row of each cell.
   * In a gallery there are no positions but a list of rows.
   */
  const layoutOf = (model, view, isPicked) => {
    if (view.isGallery) return { gallery: model.inOrder().filter((row) => matches(row, view, isPicked)) };
    const place = model.axes.map((axis, i) => Math.min(view.chosen.get(i) ?? 0, axis.values.length - 1));
    const rowAt = (x, y) => {
      if (view.x !== NONE) place[view.x] = x;
      if (view.y !== NONE) place[view.y] = y;
      return model.at(place) ?? pendingRow(model, place);
    };
    const shown = (axis) =>
      axis === NONE ? [0] : Array.from(model.axes[axis].values, (_, i) => i).filter((i) => !view.isHidden(axis, i));
    let xs = shown(view.x);
    let ys = shown(view.y);
    const cell = (x, y) => {
      const row = rowAt(x, y);
      return matches(row, view, isPicked) ? row : null;
    };
    if ((view.status || view.search) && xs.length * ys.length <= MOST_SEARCHED_CELLS) {
      const usedX = new Set();
      ys = ys.filter((y) => {
        let used = false;
        for (const x of xs)
          if (cell(x, y)) {
            usedX.add(x);
            used = true;
          }
        return used;
      });
      xs = xs.filter((x) => usedX.has(x));
    }
    return { xs, ys, cell };
  };

  Object.assign(batchPage, { NONE, Model, View, layoutOf });
}
