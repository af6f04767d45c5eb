/** The released rows' reading of an answer: without `$`, `\boxed{}`, tags and outer spaces. */
export function exactForm(text: string): string {
  const t = text
    .replace(/<[^<>]*>/g, "")
    .replaceAll("$", "")
    .trim();
  const box = /^\\boxed\{([\s\S]*)\}$/.exec(t);
  return (box?.[1] ?? t).trim();
}
