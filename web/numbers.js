// How numbers are written for people; jano/show/numbers.py writes them in the same way (a test holds the two equal).

/** A speed-up as "2.2x". */
export function times({ numbers }, factor) {
  return numbers.times(rounded(factor, factor < 9.95 ? 1 : 0));
}

/** As "3.4 s", "41 s", "3 min 20 s" or "2 h 5 min". */
export function duration({ numbers }, seconds) {
  if (seconds < 9.95) return numbers.seconds(rounded(seconds, 1));
  const whole = Math.floor(seconds + 0.5);
  if (whole < 120) return numbers.seconds(`${whole}`);
  const minutes = Math.floor(seconds / 60 + 0.5);
  if (whole < 3600) return numbers.minutes(`${Math.floor(whole / 60)}`, `${whole % 60}`);
  return numbers.hours(`${Math.floor(minutes / 60)}`, `${minutes % 60}`);
}

/** As "39 %"; all and nothing are said only of all and of nothing. */
export function percent({ numbers }, share) {
  if (share === 0 || share === 1) return numbers.per_cent(`${100 * share}`);
  if (share < 0.0005) return numbers.under;
  if (share < 0.01) return numbers.per_cent(rounded(100 * share, 1));
  return share >= 0.995 && share < 1 ? numbers.over : numbers.per_cent(rounded(100 * share, 0));
}

function rounded(value, digits) {
  const scale = 10 ** digits;
  return (Math.floor(value * scale + 0.5) / scale).toFixed(digits);
}
