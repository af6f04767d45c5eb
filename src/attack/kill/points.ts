/** The points at which stopAt.ts kills a process. */
export const STOP_VARIABLE = "SRPO_ATTACK_STOP";

export const POINTS = {
  "while a file is written": "write:half",
  "between write and rename": "rename:before",
  "just after a rename": "rename:after",
  "before a line of metrics": "append:before",
} as const;
