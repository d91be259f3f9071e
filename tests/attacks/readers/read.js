// Reads bodies as JSON5 does. See ../readers.py.
const JSON5 = require("json5");
const names = process.argv.slice(2);

function say(value) {
  if (value === null || value === true || value === false) return String(value);
  if (typeof value === "string") return "s" + Buffer.from(value).toString("hex");
  if (typeof value === "number") return Math.abs(value) < 1e15 && Number.isInteger(value) ? "n" + (value + 0) : "n?";
  return "?";
}

const read = require("readline").createInterface({ input: process.stdin });
read.on("line", (line) => {
  let said = "refused";
  try {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(line, "base64"));
    const members = JSON5.parse(text);
    if (members !== null && typeof members === "object" && !Array.isArray(members)) {
      said = names.map((name) => (Object.hasOwn(members, name) ? say(members[name]) : "-")).join(" ");
    }
  } catch (error) {
    said = "refused";
  }
  console.log(said);
});
