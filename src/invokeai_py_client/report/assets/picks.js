"use strict";
// The rows that were picked, kept in this browser for this page.

{
  const key = `batch picks ${location.pathname}`;

  class Picks {
    constructor() {
      try {
        this.ids = new Set(JSON.parse(localStorage.getItem(key) ?? "[]"));
      } catch {
        // No storage, or not ours: picks last as long as the page is open.
        this.ids = new Set();
      }
    }

    has(row) {
      return row.row_id !== undefined && this.ids.has(row.row_id);
    }

    toggle(row) {
      if (!this.ids.delete(row.row_id)) this.ids.add(row.row_id);
      this.keep();
    }

    clear() {
      this.ids.clear();
      this.keep();
    }

    keep() {
      try {
        localStorage.setItem(key, JSON.stringify([...this.ids]));
      } catch {
        // As above.
      }
    }

    /** The picked rows of the batch, in its order. */
    rowsOf(model) {
      return model.inOrder().filter((row) => this.has(row));
    }
  }

  /** Save a text as a file of the user's. */
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  };

  Object.assign(batchPage, { Picks, save });
}
