"use strict";
// One result, large: its picture, its values, and what can be done with it.

{
  const { element, picture, statusText, label, fileUrl, seconds, asPython, asCommand } = batchPage;
  const KNOWN = new Set(["row_id", "index", "values", "seed", "status", "files", "error", "started_at", "completed_at", "version", "searchable"]);

  const button = (text, title, onclick) => {
    const made = element("button", "", text);
    made.type = "button";
    made.title = title;
    made.onclick = onclick;
    return made;
  };

  /** The name of a key such as "item_id". */
  const titleOf = (key) => (key.charAt(0).toUpperCase() + key.slice(1)).replaceAll("_", " ");

  /** Copy a text; true if that worked. */
  const copy = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false;
    }
  };

  class Detail {
    /** `on` has `pick(row)`, `isPicked(row)`, `step(key)`, which goes to another result, and `closed()`. */
    constructor(dialog, on) {
      this.dialog = dialog;
      this.on = on;
      dialog.addEventListener("close", () => {
        this.row = undefined;
        dialog.replaceChildren();
        on.closed();
      });
      dialog.addEventListener("keydown", (event) => this.keydown(event));
      dialog.addEventListener("click", (event) => {
        if (event.target === dialog) dialog.close();
      });
    }

    /** Show a row, or nothing new if it is shown as it is. */
    show(row, workflow) {
      const isPicked = this.on.isPicked(row);
      if (this.dialog.open && this.row === row && this.wasPicked === isPicked) return;
      if (this.row?.row_id !== row.row_id || this.row?.index !== row.index) this.number = 0;
      Object.assign(this, { row, workflow, wasPicked: isPicked });
      const focused = document.activeElement?.dataset?.action;
      this.dialog.replaceChildren(this.head(), this.body());
      if (!this.dialog.open) this.dialog.showModal();
      this.dialog.querySelector(`[data-action="${focused ?? "close"}"]`)?.focus();
    }

    head() {
      const { row } = this;
      const head = element("div", "detail-head");
      const title = element("h2", "", `${row.index === undefined ? "" : `Row ${row.index}: `}${statusText(row)}`);
      title.id = "detail-title";
      const close = button("Close", "Close (Escape)", () => this.dialog.close());
      close.dataset.action = "close";
      head.append(title, close);
      return head;
    }

    body() {
      const body = element("div", "detail-body");
      const files = this.row.files ?? [];
      if (files.length) body.append(this.pictures(files));
      body.append(this.facts());
      return body;
    }

    pictures(files) {
      const part = element("div", "pictures");
      const stage = element("div", "stage");
      stage.tabIndex = 0;
      stage.setAttribute("role", "region");
      stage.setAttribute("aria-label", "Picture");
      const image = picture(files[this.number]);
      if (image.tagName === "IMG") {
        image.alt = files[this.number].path;
        image.onclick = () => this.zoom(image.classList.contains("fit") ? 1 : 0);
      }
      stage.append(image);
      this.image = image;
      this.scale = 0;
      image.classList.add("fit");
      const tools = element("div", "tools");
      tools.append(
        button("Fit", "Fit the picture to the window (0)", () => this.zoom(0)),
        button("100 %", "One pixel for one (1)", () => this.zoom(1)),
        button("−", "Smaller (-)", () => this.zoomBy(1 / 1.5)),
        button("+", "Larger (+)", () => this.zoomBy(1.5)),
      );
      if (files.length > 1) {
        const choice = element("select");
        choice.setAttribute("aria-label", "File");
        files.forEach((file, i) => choice.append(new Option(`${i + 1} of ${files.length}: ${file.path}`, i, false, i === this.number)));
        choice.onchange = () => {
          this.number = +choice.value;
          part.replaceWith(this.pictures(files));
          this.dialog.querySelector("select")?.focus();
        };
        tools.append(choice);
      }
      part.append(stage, tools);
      return part;
    }

    /** Show the picture at a scale; 0 fits it. */
    zoom(scale) {
      const { image } = this;
      if (!image?.naturalWidth) return;
      this.scale = Math.min(16, scale);
      image.classList.toggle("fit", !scale);
      image.style.width = scale ? `${Math.round(image.naturalWidth * this.scale)}px` : "";
    }

    zoomBy(factor) {
      const { image } = this;
      if (!image?.naturalWidth) return;
      this.zoom(Math.max(0.1, (this.scale || image.clientWidth / image.naturalWidth) * factor));
    }

    facts() {
      const { row } = this;
      const part = element("div", "facts");
      const table = element("dl");
      const add = (name, text, className) => {
        const value = element("dd", className, text);
        value.dir = "auto";
        const term = element("dt", "", name);
        term.dir = "auto";
        table.append(term, value);
        return value;
      };
      for (const [column, value] of Object.entries(row.values ?? {})) add(column, label(value));
      if (row.seed !== undefined && row.seed !== null) add("Seed", String(row.seed));
      const taken = seconds(row);
      if (taken) add("Time", taken);
      if (row.error) add("Error", row.error, "error");
      for (const file of row.files ?? []) {
        const url = fileUrl(file.path);
        const value = add("File", url === null ? file.path : "");
        if (url === null) continue;
        const link = element("a", "", file.path);
        link.href = url;
        link.target = "_blank";
        link.rel = "noopener";
        value.append(link);
      }
      if (row.started_at) add("Started", String(row.started_at));
      if (row.completed_at) add("Completed", String(row.completed_at));
      for (const [key, value] of Object.entries(row))
        if (!KNOWN.has(key) && value !== null && value !== undefined && value !== "") add(titleOf(key), label(value));
      part.append(this.actions(), table);
      return part;
    }

    actions() {
      const { row, workflow } = this;
      const actions = element("div", "actions");
      const said = element("span");
      said.setAttribute("role", "status");
      const copying = (name, text) => {
        const made = button(name, name, async () => {
          if (await copy(text)) said.textContent = "copied";
          else {
            said.textContent = "This browser does not let a page copy. The text is selected below.";
            const area = element("textarea");
            area.readOnly = true;
            area.value = text;
            area.setAttribute("aria-label", name);
            actions.querySelector("textarea")?.remove();
            actions.append(area);
            area.select();
          }
        });
        made.dataset.action = name;
        return made;
      };
      if (row.row_id !== undefined) {
        const pick = button(this.wasPicked ? "★ Picked" : "☆ Pick", "Pick (P)", () => this.on.pick(row));
        pick.setAttribute("aria-pressed", this.wasPicked);
        pick.dataset.action = "pick";
        actions.append(pick);
      }
      actions.append(copying("Copy as Python", asPython(row, workflow)), copying("Copy as CLI", asCommand(row, workflow)), said);
      return actions;
    }

    keydown(event) {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, textarea")) return;
      const { key } = event;
      if (key.startsWith("Arrow")) this.on.step(key);
      else if (key === "p" && this.row.row_id !== undefined) this.on.pick(this.row);
      else if (key === "+" || key === "=") this.zoomBy(1.5);
      else if (key === "-") this.zoomBy(1 / 1.5);
      else if (key === "0") this.zoom(0);
      else if (key === "1") this.zoom(1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }
  }

  Object.assign(batchPage, { Detail });
}
