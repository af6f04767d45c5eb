/**
 * The frozen policy that the KL term measures against: a copy of the policy as it is when GRPO first needs one (its first
 * step, or the step at which β was raised above 0). The copy is a policy of its own on the same home, so that both
 * can be run in one step; for nano policies that costs a few MB, and nothing while β = 0.
 */
import { InMemoryFiles } from "../policy/checkpointFiles";
import { Policy } from "../policy/policy";

export class Reference {
  #theta: Float32Array | null = null;
  #policy: Policy | null = null;

  constructor(private readonly of: Policy, private readonly freezeVision: boolean) {}

  /** The copied trainable weights, for snapshots; null before there is a reference. */
  get theta(): Float32Array | null {
    return this.#theta;
  }

  /** @throws Error before `ensure` */
  get policy(): Policy {
    if (this.#policy === null) throw new Error("there is no reference policy yet; ensure() makes it");
    return this.#policy;
  }

  /** Make the copy unless it exists. → true when this call took the weights (not merely loaded those of a snapshot) */
  async ensure(): Promise<boolean> {
    const taken = this.#theta === null;
    const theta = this.#theta ?? (await this.of.parameters.state()).theta;
    this.#theta = theta;
    if (this.#policy === null) {
      const files = new InMemoryFiles(await this.of.toFiles());
      const lora = this.of.model.lora?.options ?? null;
      this.#policy = await Policy.load(this.of.home, files, { trainable: this.freezeVision ? "language" : "all", lora });
      const zeros = new Float32Array(theta.length);
      this.#policy.parameters.restore({ theta, m: zeros, v: zeros });
    }
    return taken;
  }

  /** Go on with the reference of a snapshot; its policy is loaded when next needed. */
  recall(theta: Float32Array | null): void {
    this.forget();
    this.#theta = theta;
  }

  forget(): void {
    this.dispose();
    this.#theta = null;
  }

  dispose(): void {
    this.#policy?.dispose();
    this.#policy = null;
  }
}
