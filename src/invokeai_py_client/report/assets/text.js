"use strict";
// Values as text: for people, for Python, for a shell, for a file.

{
  const SEED = "seed";
  const NOTE = "#";

  /** A value as it is shown: a name for what has one, else the text, or JSON. */
  const label = (value) => {
    if (typeof value === "string") return value.trim() ? value : "(empty)";
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

  /** A row as `wf.plan` reads it: a value for each column, and the seed. */
  const planRow = (row) => ({
    ...row.values,
    ...(typeof row.seed === "number" && !Object.hasOwn(row.values, SEED) ? { [SEED]: row.seed } : {}),
  });

  const asPython = (row, workflow) => {
    const values = Object.entries(planRow(row)).map(([column, value]) => `        ${python(column)}: ${python(value)},\n`);
    return (
      "from invokeai_py_client import InvokeAIClient, WorkflowDefinition\n\n" +
      `with InvokeAIClient.from_url(${python(row.server ?? "http://127.0.0.1:9090")}) as client:\n` +
      `    definition = WorkflowDefinition.from_file(${python(`${workflow}.json`)})\n` +
      "    wf = client.workflow_repo.create_workflow(definition)\n" +
      `    row = {\n${values.join("")}    }\n` +
      '    wf.plan([row]).submit(folder="out").wait()\n'
    );
  };

  /** A word of a POSIX shell. */
  const word = (text) => (/^[\w@%+:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

  /** A value as a command or a file of rows takes it: a text as it is, else JSON. */
  const plain = (value) => (typeof value === "string" ? value : value === null || value === undefined ? "" : JSON.stringify(value));

  const asCommand = (row, workflow) => {
    // Columns with a mark set nothing.
    const set = Object.entries(row.values).filter(([column]) => column !== SEED && !column.startsWith(NOTE));
    return `${[
      `invokeai-client run ${word(`./${workflow}.json`)}`,
      ...set.map(([column, value]) => `  --set ${word(`${column}=${plain(value)}`)}`),
      ...(typeof row.seed === "number" ? [`  --seed ${row.seed}`] : []),
    ].join(" \\\n")}\n`;
  };

  const asJson = (rows) => `${JSON.stringify(rows.map(planRow), null, 2)}\n`;

  const asCsv = (rows) => {
    const lines = rows.map(planRow);
    const columns = [...new Set(lines.flatMap(Object.keys))];
    // A line of nothing but an empty cell would be no line.
    const field = (text) => (/^$|[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
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
