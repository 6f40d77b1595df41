// Maps as they travel: base64 of zlib, a byte or a bit a token.

const SLICE = 1024; // bytes inflated at a time: zlib makes at most about a thousand times as many of them
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Whether `text` may be a packed map: what it unfolds to is seen when it is drawn. */
export function isPacked(text) {
  return BASE64.test(text);
}

/** Exactly `size` bytes, or null: what unfolds to more is left as soon as it does, and is never held as a whole. */
export async function unpack(text, size) {
  try {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return await inflate(packed, size);
  } catch {
    return null; // no base64, or no zlib
  }
}

async function inflate(packed, size) {
  let at = 0;
  const slices = new ReadableStream({
    pull(controller) {
      if (at < packed.length) controller.enqueue(packed.subarray(at, (at += SLICE)));
      else controller.close();
    },
  });
  const reader = slices.pipeThrough(new DecompressionStream("deflate")).getReader();
  const whole = new Uint8Array(size);
  let filled = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (filled + part.value.length > size) {
      reader.cancel().catch(() => {});
      return null;
    }
    whole.set(part.value, filled);
    filled += part.value.length;
  }
  return filled === size ? whole : null;
}

/** Whether a token's bit is set; the first one is the highest of its byte. */
export function isSet(bits, index) {
  return (bits[index >> 3] >> (7 - (index & 7))) & 1;
}
