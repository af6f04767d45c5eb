/** Keeps a part that fails to draw (a chunk that did not load, a bug) from crashing the page. */
import { Component, type ReactNode } from "react";

interface BoundaryProps {
  /** What is shown instead. */
  readonly otherwise: (error: Error) => ReactNode;
  readonly children: ReactNode;
}

export class Boundary extends Component<BoundaryProps, { readonly error: Error | null }> {
  override state: { readonly error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { readonly error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render(): ReactNode {
    const { error } = this.state;
    return error === null ? this.props.children : this.props.otherwise(error);
  }
}
