// Pictures that travel with a workflow: bytes inside of the file, never an address, and known to be small before any
// of them is decoded.

const MOST_CHARACTERS = 60_000; // ours have 160 pixels and about 10 000 characters
const MOST_PIXELS_A_SIDE = 1024; // of what it says of itself: a few bytes of PNG can unfold to gigabytes
const DATA_URL = /^data:(image\/(?:png|jpeg|webp));base64,([A-Za-z0-9+/]+={0,2})$/;
const THUMBNAIL = 160; // pixels of the longer side
const SIZES = { "image/png": pngSize, "image/jpeg": jpegSize, "image/webp": webpSize };

/** A data URL of a small PNG, JPEG or WebP as Blob; null for anything else. */
export function pictureBlob(text) {
  if (typeof text !== "string" || text.length > MOST_CHARACTERS) return null;
  const [, type, packed] = DATA_URL.exec(text) ?? [];
  if (!type) return null;
  try {
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const sides = SIZES[type](new DataView(bytes.buffer));
    return sides?.every((side) => side >= 1 && side <= MOST_PIXELS_A_SIDE) ? new Blob([bytes], { type }) : null;
  } catch {
    return null; // no base64, or it ends before its header does
  }
}

function pngSize(view) {
  if (view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452) return null;
  return [view.getUint32(16), view.getUint32(20)];
}

/** Of the first frame header; anything that a decoder might read otherwise than here is no picture. */
function jpegSize(view) {
  if (view.getUint16(0) !== 0xffd8) return null;
  for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
    const marker = view.getUint8(at + 1);
    if (marker < 0xc0 || marker === 0xff || (marker >= 0xd0 && marker <= 0xd9)) return null;
    if (marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    if (view.getUint16(at + 2) < 2) return null;
  }
  return null;
}

/** Of the two simple kinds; the extended one can hold frames that are larger than it says. */
function webpSize(view) {
  if (view.getUint32(0) !== 0x52494646 || view.getUint32(8) !== 0x57454250) return null;
  const kind = view.getUint32(12);
  if (kind === 0x56503820) return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  if (kind !== 0x5650384c) return null;
  const packed = view.getUint32(21, true);
  return [1 + (packed & 0x3fff), 1 + ((packed >> 14) & 0x3fff)];
}

/** A preview as a small JPEG in a data URL; null where there is none, or none that can be drawn. */
export async function thumbnail(blob) {
  const picture = blob && (await createImageBitmap(blob).catch(() => null));
  if (!picture) return null;
  const scale = Math.min(1, THUMBNAIL / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/jpeg", 0.7);
}
