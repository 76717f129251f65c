"use strict";
// Values as text: for people, for Python, for a shell, for a file.

{
  /** A value as it is shown: a name for what has one, else the text, or JSON. */
  const label = (value) => {
    if (typeof value === "string") return value;
    if (value === null || value === undefined) return "none";
    if (Array.isArray(value)) return value.map(label).join(", ");
    if (typeof value === "object" && typeof value.name === "string") return value.name;
    return JSON.stringify(value);
  };

  /** A literal of Python; a string is ASCII, so that nothing in it is taken for anything else. */
  const python = (value) => {
    if (value === null || value === undefined) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (typeof value === "number") return String(value);
    if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
    if (typeof value === "object")
      return `{${Object.entries(value).map(([key, part]) => `${python(key)}: ${python(part)}`).join(", ")}}`;
    // JSON's escapes are Python's, but for the surrogate pairs of characters beyond U+FFFF.
    return JSON.stringify(value).replace(/[\u007f-\u{10ffff}]/gu, (character) => {
      const code = character.codePointAt(0).toString(16);
      return code.length > 4 ? `\\U${code.padStart(8, "0")}` : `\\u${code.padStart(4, "0")}`;
    });
  };

  const asPython = (row, workflow) => {
    const values = Object.entries(row.values).map(
      ([column, value]) => `    wf.inputs[${python(column)}].value = ${python(value)}\n`,
    );
    return (
      "from invokeai_py_client import InvokeAIClient, WorkflowDefinition\n\n" +
      `with InvokeAIClient.from_url(${python(row.server ?? "http://127.0.0.1:9090")}) as client:\n` +
      `    definition = WorkflowDefinition.from_file(${python(`${workflow}.json`)})\n` +
      "    wf = client.workflow_repo.create_workflow(definition)\n" +
      values.join("") +
      `    run = wf.submit_sync(${typeof row.seed === "number" ? `seed=${row.seed}` : ""})\n` +
      "    run.result()\n"
    );
  };

  /** A word of a POSIX shell. */
  const word = (text) => (/^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  const plain = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? null));

  const asCommand = (row, workflow) =>
    [
      `invokeai-client run ${word(`./${workflow}.json`)}`,
      ...Object.entries(row.values).map(([column, value]) => `  --set ${word(`${column}=${plain(value)}`)}`),
      ...(typeof row.seed === "number" ? [`  --seed ${row.seed}`] : []),
    ].join(" \\\n") + "\n";

  /** Rows as `wf.plan` reads them: a value for each column, and the seed. */
  const planRows = (rows) =>
    rows.map((row) => {
      const line = { ...row.values };
      if (typeof row.seed === "number" && !Object.hasOwn(line, "seed")) line.seed = row.seed;
      return line;
    });

  const asJson = (rows) => `${JSON.stringify(planRows(rows), null, 2)}\n`;

  const asCsv = (rows) => {
    const lines = planRows(rows);
    const columns = [...new Set(lines.flatMap(Object.keys))];
    const field = (text) => (/[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const cells = (line) => columns.map((column) => field(Object.hasOwn(line, column) ? plain(line[column]) : "")).join(",");
    return [columns.map(field).join(","), ...lines.map(cells), ""].join("\r\n");
  };

  /** The address of a file of the batch, relative to the page; null for a name that no address can have. */
  const fileUrl = (path) => {
    try {
      return path.split("/").map(encodeURIComponent).join("/");
    } catch {
      return null;
    }
  };

  /** A moment of the server as milliseconds. Servers tell UTC without saying so. */
  const moment = (text) => {
    const plainText = String(text ?? "").replace(" ", "T");
    return Date.parse(/[zZ]|[+-]\d\d:?\d\d$/.test(plainText) ? plainText : `${plainText}Z`);
  };

  const seconds = (row) => {
    const taken = (moment(row.completed_at) - moment(row.started_at)) / 1000;
    return Number.isFinite(taken) ? `${taken.toFixed(taken < 10 ? 2 : 1)} s` : "";
  };

  Object.assign(batchPage, { label, asPython, asCommand, asJson, asCsv, fileUrl, seconds });
}
