// Holds @msgpack/msgpack, a library for JavaScript, against ../vectors.json, which it reads from its standard input.

const { decode, encode, ExtensionCodec, encodeTimeSpecToTimestamp, decodeTimestampToTimeSpec } = require("@msgpack/msgpack");
const { isDeepStrictEqual } = require("node:util");

// What JavaScript has no type for: a float that is whole is written like an integer, a time has milliseconds only.
class Float {
  constructor(value) { this.value = value; }
}
class Time {
  constructor(sec, nsec) { this.sec = sec; this.nsec = nsec; }
}
const times = new ExtensionCodec();
times.register({
  type: -1,
  encode: (v) => (v instanceof Time ? encodeTimeSpecToTimestamp(v) : null),
  decode: (data) => { const t = decodeTimestampToTimeSpec(data); return new Time(t.sec, t.nsec); },
});

const bytes = (hex) => new Uint8Array(Buffer.from(hex, "hex"));
const hex = (data) => Buffer.from(data).toString("hex");

// real turns what JSON cannot say into what it stands for.
function real(v) {
  if (Array.isArray(v)) return v.map(real);
  if (v === null || typeof v !== "object") return v;
  if ("$bin" in v) return bytes(v.$bin);
  if ("$int" in v) return BigInt(v.$int);
  if ("$float" in v) return new Float(v.$float);
  if ("$time" in v) return new Time(...v.$time);
  return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, real(x)]));
}

// write encodes a value as other languages do. With useBigInt64, a number of more than 32 bits would become a float.
function write(v) {
  if (v instanceof Float) return encode(v.value, { forceIntegerToFloat: true });
  const wide = (v) => {
    if (Number.isInteger(v)) return v > 0xffffffff || v < -0x80000000 ? BigInt(v) : v;
    if (Array.isArray(v)) return v.map(wide);
    if (v === null || typeof v !== "object" || v instanceof Uint8Array || v instanceof Time) return v;
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, wide(x)]));
  };
  return encode(wide(v), { extensionCodec: times, useBigInt64: true });
}

// read decodes with big integers only where a number would not be exact.
function read(data) {
  const exact = (v) => {
    if (typeof v === "bigint") return BigInt(Number(v)) === v && Number.isSafeInteger(Number(v)) ? Number(v) : v;
    if (Array.isArray(v)) return v.map(exact);
    if (v === null || typeof v !== "object" || v instanceof Uint8Array || v instanceof Time) return v;
    return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, exact(x)]));
  };
  return exact(decode(data, { extensionCodec: times, useBigInt64: true }));
}

function match(pattern, subject) {
  const tokens = subject === "" ? [] : subject.split("."), wanted = pattern.split(".");
  for (const [i, token] of wanted.entries()) {
    if (token === "#") return true;
    if (token === ">") return tokens.length > i;
    if (i >= tokens.length || (token !== "*" && token !== tokens[i])) return false;
  }
  return tokens.length === wanted.length;
}

// zmtp is the frames of a message, each shorter than 256 bytes, as ZMTP has them.
const zmtp = (frames) => frames.map((f, i) => hex([i < frames.length - 1 ? 1 : 0, f.length]) + hex(f)).join("");

const vectors = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
let checked = 0;
function check(what, got, want) {
  checked++;
  if (!isDeepStrictEqual(got, want)) {
    console.error(what, "got", got, "want", want);
    process.exit(1);
  }
}

// plain is what a float that is whole is read as.
const plain = (v) => (v instanceof Float ? v.value : v);
for (const v of vectors.heads) {
  check(v.name, read(bytes(v.hex)), real(v.head));
  check(v.name, hex(write(real(v.head))), v.hex);
}
for (const v of vectors.heads_read) {
  let head;
  try {
    head = read(bytes(v.hex));
  } catch (e) {
    check(v.name, "refused: " + e.message, "read");
  }
  for (const [key, want] of Object.entries(real(v.head))) check(v.name, head[key], want);
}
for (const v of vectors.bodies) {
  check(v.name, read(bytes(v.hex)), plain(real(v.value)));
  check(v.name, hex(write(real(v.value))), v.hex);
}
for (const v of vectors.messages) check(v.name, zmtp(v.frames.map(bytes)), v.zmtp);
for (const v of vectors.matches) check(v, match(v.pattern, v.subject), v.match);
console.log(checked, "checks with @msgpack/msgpack");
