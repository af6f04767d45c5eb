/** Commands in the order they came. A flood of them is refused, so a page cannot make a run wait for hours. */

/** Commands that may wait for the one that is executed, and those that stop it. */
const MAX_WAITING = 64;
const MAX_INTERRUPTING = 1024;

export class CommandQueue {
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;

  /** Why there is no room for another command; null: there is. @param interrupting it stops what is executed */
  refusal(name: string, interrupting: boolean): Error | null {
    if (this.#waiting < (interrupting ? MAX_INTERRUPTING : MAX_WAITING)) return null;
    return new Error(`"${name}" was refused: ${this.#waiting} commands are already waiting for this step to end.`);
  }

  /** Execute after all earlier ones. @param onFault a failing command does not stop the next */
  add(execute: () => Promise<void>, onFault: (error: unknown) => void): void {
    this.#waiting++;
    this.#queue = this.#queue
      .then(execute)
      .catch(onFault)
      .finally(() => {
        this.#waiting--;
      });
  }

  /** Resolves when every command received so far is done. */
  idle(): Promise<void> {
    return this.#queue;
  }
}
