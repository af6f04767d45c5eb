/** Messages to the visitor: each stays until it is dismissed or no longer applies. */

export interface Notice {
  readonly id: number;
  readonly kind: "info" | "warning" | "error";
  readonly title: string;
  readonly text: string;
}

/** The part of a state that holds the messages. */
export interface WithNotices {
  readonly notices: readonly Notice[];
  readonly nextNotice: number;
}

/** Add a message; it replaces the one with the same title, and the oldest where there are three. */
export function notify<State extends WithNotices>(
  state: State,
  kind: Notice["kind"],
  title: string,
  text: string,
): State {
  const rest = state.notices.filter((notice) => notice.title !== title).slice(-2);
  return {
    ...state,
    notices: [...rest, { id: state.nextNotice, kind, title, text }],
    nextNotice: state.nextNotice + 1,
  };
}

export function dismiss<State extends WithNotices>(state: State, id: number): State {
  return { ...state, notices: state.notices.filter((notice) => notice.id !== id) };
}
