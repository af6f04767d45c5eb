/**
 * The frozen policy that the KL term measures against.
 *
 *  - With a LoRA adapter: the same policy with its adapter off, as TRL does with PEFT models. No copy of anything; it
 *    is the policy that the run was opened with, whatever stages came before. (To measure from the end of SFT instead,
 *    merge its adapter and begin GRPO with a new one.)
 *  - Trained in full: a copy of the policy as it is when GRPO first needs one (its first step, or the step at which β
 *    was raised above 0), on the same backend, so that both can be run in one step. The copy has neither gradients nor
 *    moments.
 */
import { InMemoryFiles } from "../policy/checkpoint/checkpointFiles";
import type { LogprobOptions } from "../policy/model";
import { Policy } from "../policy/policy";

/** Whom to ask for reference log-probabilities, and how. */
export interface ReferencePolicy {
  readonly policy: Policy;
  readonly adapter: NonNullable<LogprobOptions["adapter"]>;
  /** The weights in which a copy differs from the policy, laid out as `ParameterState`; null where it is no copy. */
  readonly theta: Float32Array | null;
}

export class Reference {
  #theta: Float32Array | null = null;
  #copy: Policy | null = null;

  constructor(private readonly of: Policy) {}

  /**
   * The copied trainable weights, for snapshots; null where there is no copy: before the first is made, and always with
   * an adapter.
   */
  get theta(): Float32Array | null {
    return this.#theta;
  }

  /** @throws Error before `ensure` */
  get now(): ReferencePolicy {
    if (this.of.model.lora !== null) return { policy: this.of, adapter: "off", theta: null };
    if (this.#copy === null) throw new Error("there is no reference policy yet; ensure() makes it");
    return { policy: this.#copy, adapter: "on", theta: this.#theta };
  }

  /**
   * Make a copy where one is needed and does not exist. → true when this call took the weights (not merely loaded those
   * of a snapshot)
   */
  async ensure(): Promise<boolean> {
    if (this.of.model.lora !== null) return false;
    const taken = this.#theta === null;
    const theta = this.#theta ?? (await this.of.parameters.state()).theta;
    this.#theta = theta;
    this.#copy ??= await copyWith(this.of, theta);
    return taken;
  }

  /** Go on with the reference of a snapshot; its policy is loaded when next needed. */
  recall(theta: Float32Array | null): void {
    this.forget();
    if (this.of.model.lora === null) this.#theta = theta;
  }

  forget(): void {
    this.dispose();
    this.#theta = null;
  }

  dispose(): void {
    this.#copy?.dispose();
    this.#copy = null;
  }
}

/** A frozen copy of the policy with other trainable weights, laid out as `ParameterState`. */
export async function copyWith(policy: Policy, theta: Float32Array): Promise<Policy> {
  const copy = await Policy.load(policy.backend, new InMemoryFiles(await policy.toFiles()), {
    trainable: "none",
    allowNonFinite: true, // a copy of what is open
  });
  let start = 0;
  for (const name of policy.parameters.names().filter((each) => policy.parameters.isTrainable(each))) {
    const size = policy.parameters.shapeOf(name).reduce((product, n) => product * n, 1);
    copy.parameters.write(name, theta.subarray(start, start + size));
    start += size;
  }
  if (start !== theta.length)
    throw new Error(
      `the reference's weights are ${theta.length} values, this policy has ${start} trainable ones; the snapshot ` +
        "is of another policy",
    );
  return copy;
}
