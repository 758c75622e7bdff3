// Reads numbers as people type them, by the rules of the server (lms_rt/contracts/numbers.py): Western, Arabic-Indic and
// Persian digits, either decimal mark. Shows what will be read; the server decides.

const FROM = "٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹٫٬،−";
const TO = "01234567890123456789.',-";
const MARKS = /[\u200e\u200f\u061c\u2066-\u2069]+/g;
const PLAIN = /^[+-]?(?:\d{1,40}\.?\d{0,40}|\.\d{1,40})(?:[eE][+-]?\d{1,3})?$/;
const GROUPED = /^([+-]?)(\d{1,3}(?:([,.'])\d{3})(?:\3\d{3})*)(?:([.,])(\d{1,40}))?$/;

const PARTS = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/;
const MAX_DIGITS = 40;
const MAX_EXPONENT = 300;

/** The number as plain text ("3.14"), or null when it is none. */
export function readNumber(typed) {
  if (typed.length > 100) return null;
  let text = [...typed].map((character) => (FROM.includes(character) ? TO[FROM.indexOf(character)] : character)).join("");
  text = text.replace(MARKS, "").trim().replace(/^([+-])\s+/, "$1").replace(/\s+/g, "'");
  if (text.split(",").length === 2 && !text.includes(".") && !text.includes("'")) text = text.replace(",", ".");
  if (PLAIN.test(text)) return plain(text);
  const found = GROUPED.exec(text);
  if (!found || (found[3] && found[3] === found[4])) return null;
  return plain(`${found[1]}${found[2].replaceAll(found[3], "")}.${found[5] ?? "0"}`);
}

/** Without idle zeros and signs, or null beyond all measure; the digits stay exact, so this works on the text. */
function plain(text) {
  const [, sign, whole, part = "", exponent = ""] = PARTS.exec(text);
  const known = (whole + part).replace(/^0+/, "");
  const size = known.length - 1 - part.length + Number(exponent);
  if (known.length > MAX_DIGITS || (known && Math.abs(size) > MAX_EXPONENT)) return null;
  const shownWhole = whole.replace(/^0+(?=\d)/, "") || "0";
  const shownPart = part.replace(/0+$/, "");
  const isZero = known === "";
  const number = `${sign === "-" && !isZero ? "−" : ""}${shownWhole}${shownPart ? `.${shownPart}` : ""}`;
  return exponent && !isZero ? `${number} × 10^${Number(exponent)}` : number;
}
