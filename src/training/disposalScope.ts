/** Device resources released together: tensors, tapes, packed batches; the last one acquired is released first. */
export class DisposalScope {
  readonly #owned: { dispose(): void }[] = [];

  own<T extends { dispose(): void }>(thing: T): T {
    this.#owned.push(thing);
    return thing;
  }

  dispose(): void {
    for (let thing = this.#owned.pop(); thing !== undefined; thing = this.#owned.pop()) thing.dispose();
  }
}
