"use strict";
// The grid of results. Only what is in sight is in the document, however many rows there are.

{
  const { NONE, label, fileUrl } = batchPage;
  const HEADER = NONE; // as a row or column of the focus
  const MOST_CELLS = 250; // in the document at once
  const GAP = 6;
  const STATUS = {
    completed: "completed",
    failed: "failed",
    canceled: "canceled",
    invalid: "invalid",
    in_progress: "in progress",
    pending: "pending",
  };

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  const statusText = (row) => STATUS[row.status] ?? String(row.status);

  /** An image of a row, or words where it cannot be shown. */
  const picture = (file) => {
    const url = fileUrl(file.path);
    const failed = () => element("p", "reason", `${file.path} cannot be shown`);
    if (url === null) return failed();
    const image = element("img");
    image.decoding = "async";
    image.draggable = false;
    image.alt = "";
    image.onerror = () => image.replaceWith(failed());
    image.src = url;
    return image;
  };

  class Grid {
    /** `on` has `open(row)`, `pick(row)`, `hide(axis, position)` and `isPicked(row)`. */
    constructor(box, sheet, on) {
      this.box = box;
      this.sheet = sheet;
      this.on = on;
      this.focus = { r: 0, c: 0 };
      this.rows = new Map(); // elements by row; HEADER is the row of column labels
      this.aspect = 1; // height of an image by its width
      this.knowsAspect = false;
      box.addEventListener("scroll", () => this.renderSoon(), { passive: true });
      box.addEventListener("keydown", (event) => this.keydown(event));
      new ResizeObserver(() => this.measure()).observe(box);
    }

    /** Show another layout of a model. */
    show(model, view, layout) {
      const shape = JSON.stringify([view.x, view.y, layout.gallery ? 0 : [layout.xs, layout.ys]]);
      if (shape !== this.shape) this.clear();
      this.shape = shape;
      Object.assign(this, { model, view, layout });
      this.measure();
    }

    clear() {
      for (const { row } of this.rows.values()) row.remove();
      this.rows.clear();
    }

    measure() {
      if (!this.layout) return;
      const { view, layout } = this;
      const isHeadless = view.y === NONE;
      this.box.classList.toggle("headless", isHeadless);
      const width = this.box.clientWidth - (isHeadless ? GAP : 0);
      const height = this.box.clientHeight;
      this.headWidth = isHeadless ? 0 : this.widthOfLabels(width);
      this.headHeight = view.x === NONE ? 0 : 58;
      const caption = layout.gallery ? 40 : 0;
      let size = view.size;
      const inSight = () => (Math.ceil(width / size) + 2) * (Math.ceil(height / (size * this.aspect + caption)) + 2);
      while (inSight() > MOST_CELLS) size += 8;
      size = Math.max(48, Math.min(size, width - this.headWidth - GAP));
      if (layout.gallery) {
        this.columns = Math.max(1, Math.floor(width / (size + GAP)));
        this.lines = Math.ceil(layout.gallery.length / this.columns);
        size = Math.floor(width / this.columns) - GAP;
      } else {
        this.columns = layout.xs.length;
        this.lines = layout.ys.length;
      }
      this.cellWidth = size + GAP;
      this.cellHeight = Math.round(size * this.aspect) + caption + GAP;
      this.sheet.style.width = `${this.headWidth + this.columns * this.cellWidth}px`;
      this.sheet.style.height = `${this.headHeight + this.lines * this.cellHeight}px`;
      this.box.setAttribute("aria-rowcount", this.lines + (this.headHeight ? 1 : 0));
      this.box.setAttribute("aria-colcount", this.columns + (this.headWidth ? 1 : 0));
      for (const [name, value] of Object.entries({
        "--head-width": this.headWidth,
        "--head-height": this.headHeight,
        "--cell-width": this.cellWidth - GAP,
        "--cell-height": this.cellHeight - GAP,
      }))
        this.sheet.style.setProperty(name, `${value}px`);
      this.sheet.style.setProperty("--label-lines", Math.max(1, Math.floor((this.cellHeight - GAP - 8) / 19)));
      this.focus = this.nearest(this.focus.r, this.focus.c);
      this.render();
    }

    widthOfLabels(width) {
      const { model, view } = this;
      const longest = [...model.axes[view.y].labels, model.axes[view.x]?.name ?? "", model.axes[view.y].name].reduce(
        (most, text) => Math.max(most, text.length),
        0,
      );
      return Math.round(Math.min(width * 0.25, 240, 40 + longest * 8));
    }

    renderSoon() {
      this.frame ??= requestAnimationFrame(() => this.render());
    }

    rowAt(r, c) {
      const { layout } = this;
      return layout.gallery ? layout.gallery[r * this.columns + c] : layout.cell(layout.xs[c], layout.ys[r]);
    }

    /** The last column of a row: the last row of a gallery may have fewer than others. */
    lastColumn(r) {
      const { layout, columns } = this;
      return layout.gallery ? Math.min(columns, layout.gallery.length - r * columns) - 1 : columns - 1;
    }

    /** The range of rows or columns that is in sight, and one more on each side. */
    static range(from, length, step, count) {
      return [Math.max(0, Math.floor(from / step) - 1), Math.min(count - 1, Math.floor((from + length) / step) + 1)];
    }

    render() {
      if (this.frame) cancelAnimationFrame(this.frame);
      this.frame = undefined;
      const { scrollTop, scrollLeft, clientWidth, clientHeight } = this.box;
      const [top, bottom] = Grid.range(scrollTop, clientHeight - this.headHeight, this.cellHeight, this.lines);
      const [left, right] = Grid.range(scrollLeft, clientWidth - this.headWidth, this.cellWidth, this.columns);
      const wanted = new Set();
      if (this.headHeight) wanted.add(HEADER);
      for (let r = top; r <= bottom; r++) wanted.add(r);
      // What has the focus stays, else the keyboard would lose its place.
      if (this.lines) wanted.add(this.focus.r);
      for (const [r, { row }] of this.rows)
        if (!wanted.has(r)) {
          row.remove();
          this.rows.delete(r);
        }
      for (const r of wanted) this.renderRow(r, left, right);
    }

    renderRow(r, left, right) {
      let line = this.rows.get(r);
      if (!line) {
        line = { row: element("div", r === HEADER ? "row heads" : "row"), cells: new Map() };
        line.row.setAttribute("role", "row");
        line.row.setAttribute("aria-rowindex", r + (this.headHeight ? 2 : 1));
        this.rows.set(r, line);
        this.sheet.append(line.row);
      }
      if (r !== HEADER) line.row.style.top = `${this.headHeight + r * this.cellHeight}px`;
      const wanted = new Set();
      if (this.headWidth) wanted.add(HEADER);
      for (let c = left; c <= Math.min(right, this.lastColumn(r)); c++) wanted.add(c);
      if (this.focus.r === r && this.columns) wanted.add(this.focus.c);
      for (const [c, cell] of line.cells)
        if (!wanted.has(c)) {
          cell.remove();
          line.cells.delete(c);
        }
      for (const c of wanted) this.renderCell(line, r, c);
    }

    renderCell(line, r, c) {
      const isHead = r === HEADER || c === HEADER;
      const row = isHead ? null : this.rowAt(r, c);
      let cell = line.cells.get(c);
      const state = isHead ? "" : row ? `${row.version ?? 0} ${this.on.isPicked(row)} ${row.row_id}` : "none";
      if (!cell || cell.dataset.state !== state) {
        const made = isHead ? this.headCell(r, c) : this.resultCell(row, r, c);
        made.dataset.state = state;
        made.addEventListener("focus", () => this.focused(r, c));
        made.setAttribute("aria-colindex", c + (this.headWidth ? 2 : 1));
        made.tabIndex = -1;
        const hadFocus = cell?.contains(document.activeElement);
        if (cell) cell.replaceWith(made);
        else line.row.append(made);
        line.cells.set(c, made);
        cell = made;
        if (hadFocus) made.focus({ preventScroll: true });
      }
      if (c !== HEADER) cell.style.left = `${this.headWidth + c * this.cellWidth}px`;
      cell.tabIndex = r === this.focus.r && c === this.focus.c ? 0 : -1;
    }

    headCell(r, c) {
      const { model, view, layout } = this;
      if (r === HEADER && c === HEADER) {
        const corner = element("div", "head corner");
        corner.setAttribute("role", "columnheader");
        corner.append(element("span", "x-name", `${model.axes[view.x].name} →`), element("span", "y-name", `${model.axes[view.y].name} ↓`));
        return corner;
      }
      const [axis, position] = r === HEADER ? [view.x, layout.xs[c]] : [view.y, layout.ys[r]];
      const { name, labels } = model.axes[axis];
      const text = labels[position];
      const head = element("div", r === HEADER ? "head column-head" : "head row-head");
      head.setAttribute("role", r === HEADER ? "columnheader" : "rowheader");
      head.setAttribute("aria-label", `${name}: ${text}`);
      head.setAttribute("aria-keyshortcuts", "Delete");
      head.title = `${name}: ${text}`;
      const shown = element("span", "label", text);
      shown.dir = "auto";
      const hide = element("button", "hide", "×");
      hide.type = "button";
      hide.tabIndex = -1;
      hide.setAttribute("aria-label", `Hide ${name}: ${text}`);
      hide.title = "Hide";
      hide.onclick = () => this.on.hide(axis, position);
      head.append(shown, hide);
      head.dataset.axis = axis;
      head.dataset.position = position;
      return head;
    }

    resultCell(row, r, c) {
      const cell = element("div", "cell");
      cell.setAttribute("role", "gridcell");
      if (!row) {
        cell.classList.add("filtered");
        cell.setAttribute("aria-label", "left out by the filter");
        return cell;
      }
      const isPicked = this.on.isPicked(row);
      cell.classList.add(row.status in STATUS ? row.status : "unknown");
      cell.classList.toggle("picked", isPicked);
      cell.setAttribute("aria-label", this.nameOf(row, r, c, isPicked));
      cell.onclick = () => this.on.open(row);
      const files = row.files ?? [];
      const frame = element("div", "frame");
      if (files.length) {
        const image = picture(files[0]);
        if (!this.knowsAspect) image.addEventListener?.("load", () => this.learnAspect(image));
        frame.append(image);
      } else {
        frame.append(element("p", "word", row.status === "completed" ? "no image" : statusText(row)));
        if (row.error) frame.append(element("p", "reason", row.error));
      }
      if (files.length > 1) frame.append(element("span", "more", `+${files.length - 1}`));
      cell.append(frame);
      if (row.row_id !== undefined) {
        const star = element("button", "star", isPicked ? "★" : "☆");
        star.type = "button";
        star.tabIndex = -1;
        star.title = isPicked ? "Picked" : "Pick";
        star.setAttribute("aria-label", isPicked ? "Take the pick back" : "Pick");
        star.onclick = (event) => {
          event.stopPropagation();
          this.on.pick(row);
        };
        cell.append(star);
      }
      if (this.layout.gallery) {
        const caption = element("p", "caption", this.captionOf(row));
        caption.dir = "auto";
        cell.append(caption);
      }
      return cell;
    }

    captionOf(row) {
      const { model } = this;
      const axes = model.planned.length
        ? model.planned.filter((axis) => Object.hasOwn(row.values, axis.column))
        : Object.keys(row.values).map((column) => ({ name: column, column }));
      const values = axes.map((axis) => {
        const value = row.values[axis.column];
        const text = axis.labels?.[model.positionOf(axis, row)] ?? label(value);
        return (typeof value === "string" ? text : `${axis.name} ${text}`).slice(0, 200);
      });
      return [`${row.index}`, ...(values.length ? [values.join(" · ")] : [])].join(": ");
    }

    nameOf(row, r, c, isPicked) {
      const { model, view, layout } = this;
      const parts = layout.gallery
        ? [this.captionOf(row)]
        : [
            ...(view.x === NONE ? [] : [`${model.axes[view.x].name} ${model.axes[view.x].labels[layout.xs[c]]}`]),
            ...(view.y === NONE ? [] : [`${model.axes[view.y].name} ${model.axes[view.y].labels[layout.ys[r]]}`]),
          ];
      return [...parts.map((part) => part.slice(0, 300)), statusText(row), ...(isPicked ? ["picked"] : [])].join(", ");
    }

    /** Give all cells the shape of the first image that is loaded. */
    learnAspect(image) {
      if (this.knowsAspect || !image.naturalWidth) return;
      this.knowsAspect = true;
      const aspect = Math.min(2, Math.max(0.5, image.naturalHeight / image.naturalWidth));
      if (Math.abs(aspect - this.aspect) < 0.02) return;
      this.aspect = aspect;
      this.measure();
    }

    nearest(r, c) {
      const line = Math.max(this.headHeight && c !== HEADER ? HEADER : 0, Math.min(r, this.lines - 1));
      const column = Math.max(this.headWidth && r !== HEADER ? HEADER : 0, Math.min(c, this.lastColumn(line)));
      return { r: line, c: column };
    }

    focused(r, c) {
      const { r: oldR, c: oldC } = this.focus;
      this.focus = { r, c };
      const old = this.rows.get(oldR)?.cells.get(oldC);
      if (old) old.tabIndex = -1;
      const cell = this.rows.get(r)?.cells.get(c);
      if (cell) cell.tabIndex = 0;
    }

    /** Move the focus, and what is in sight with it. Returns the row there, if any. */
    moveTo(r, c, takesFocus = true) {
      this.focused(...Object.values(this.nearest(r, c)));
      const { r: line, c: column } = this.focus;
      const { box } = this;
      if (line !== HEADER) {
        const top = line * this.cellHeight;
        const room = box.clientHeight - this.headHeight;
        if (top < box.scrollTop) box.scrollTop = top;
        else if (top + this.cellHeight > box.scrollTop + room) box.scrollTop = top + this.cellHeight - room;
      }
      if (column !== HEADER) {
        const left = column * this.cellWidth;
        const room = box.clientWidth - this.headWidth;
        if (left < box.scrollLeft) box.scrollLeft = left;
        else if (left + this.cellWidth > box.scrollLeft + room) box.scrollLeft = left + this.cellWidth - room;
      }
      this.render();
      if (takesFocus) this.rows.get(line)?.cells.get(column)?.focus({ preventScroll: true });
      return line === HEADER || column === HEADER ? null : this.rowAt(line, column);
    }

    /** Where a key leads from the focus, or undefined. */
    target(event) {
      const { r, c } = this.focus;
      const page = Math.max(1, Math.floor((this.box.clientHeight - this.headHeight) / this.cellHeight));
      const jump = event.ctrlKey || event.metaKey;
      return {
        ArrowUp: [r - 1, c],
        ArrowDown: [r + 1, c],
        ArrowLeft: [r, c - 1],
        ArrowRight: [r, c + 1],
        Home: [jump ? 0 : r, 0],
        End: [jump ? this.lines - 1 : r, this.columns - 1],
        PageUp: [Math.max(0, r - page), c],
        PageDown: [r + page, c],
      }[event.key];
    }

    keydown(event) {
      if (!this.lines || event.altKey || event.target.closest("button")) return;
      const target = this.target(event);
      const { r, c } = this.focus;
      const row = r === HEADER || c === HEADER ? null : this.rowAt(r, c);
      if (target) this.moveTo(...target);
      else if (row && event.key === "Enter") this.on.open(row);
      else if (row && (event.key === "p" || event.key === " ")) this.on.pick(row);
      else if (event.key === "Delete") {
        const head = this.rows.get(r)?.cells.get(c);
        if (head?.dataset.axis === undefined) return;
        this.on.hide(+head.dataset.axis, +head.dataset.position);
        this.moveTo(r, c);
      } else return;
      event.preventDefault();
    }
  }

  Object.assign(batchPage, { Grid, element, picture, statusText });
}
