"use strict";
// Reads the data files as scripts, and the last one again while the batch runs.

{
  const SOON = 1000;
  const LATE = 5000;
  const PATIENCE = 3; // how often a file may be found torn before that is told

  let mark; // tells these data files from those of an earlier or later run
  let handlers;
  let file = 0;
  let seen = 0; // rows taken from this file
  let at; // the row that is being read
  let began, hasMore, isFinished;

  Object.assign(batchPage, {
    plan: (text, plan) => {
      mark = text;
      handlers.plan(JSON.parse(plan));
    },
    begin: (text) => {
      began = text;
      at = 0;
      hasMore = isFinished = false;
    },
    row: (text) => {
      isFinished = false;
      at += 1;
      if (at > seen && began === mark) {
        seen = at;
        handlers.row(JSON.parse(text));
      }
    },
    more: () => {
      hasMore = true;
    },
    finished: () => {
      isFinished = true;
    },
  });

  /** Load a script of the data; false if it is not there. */
  const load = (name) =>
    new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = `report/${name}?${Date.now()}`;
      const done = (isThere) => () => {
        script.remove();
        resolve(isThere);
      };
      script.onload = done(true);
      script.onerror = done(false);
      document.head.append(script);
    });

  const nameOf = (number) => `rows-${String(number).padStart(5, "0")}.js`;

  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  /**
   * Read all there is, then look again until the batch is finished.
   * Calls `plan` once, `row` for each row, and `looked` after each look, with "live", "finished", "torn" or "missing".
   */
  const readData = async (given) => {
    handlers = given;
    if (!(await load("plan.js"))) return handlers.looked("missing");
    let torn = 0;
    let pause = SOON;
    for (;;) {
      const before = seen;
      began = undefined;
      const isThere = await load(nameOf(file));
      if (began !== undefined && began !== mark) {
        await wait(LATE);
        return location.reload();
      }
      if (hasMore && began) {
        file += 1;
        seen = 0;
        continue;
      }
      // A file that was read in the middle of a write is not a program, and nothing of it was run.
      torn = isThere && began === undefined ? torn + 1 : 0;
      if (isFinished && began) return handlers.looked("finished");
      handlers.looked(!isThere ? "missing" : torn >= PATIENCE ? "torn" : "live");
      pause = seen > before ? SOON : Math.min(pause * 1.2, LATE);
      await wait(pause);
    }
  };

  Object.assign(batchPage, { readData });
}
