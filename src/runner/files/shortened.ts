/**
 * Foreign text inside a message: a data set's id, a path, a server's answer. It may be megabytes long or hold control
 * characters; a message shows its beginning on one line.
 */
const SHOWN = 120;

/** @param limit of characters; what is longer is cut, and its length is given */
export function shortened(text: string, limit = SHOWN): string {
  const shown = oneLine(text.slice(0, limit));
  return text.length <= limit ? shown : `${shown}… (${text.length.toLocaleString("en")} characters)`;
}

/** White space runs become one space, other control characters their code, so that no terminal obeys them. */
function oneLine(text: string): string {
  return text
    .replaceAll(/\s+/g, " ")
    .replaceAll(/\p{Cc}/gu, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
