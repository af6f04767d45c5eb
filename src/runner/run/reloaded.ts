/** Read back what a run wrote, as it will be opened later, and compare it with what was trained. */
import { AdapterFile } from "../../policy/adapter/adapterFile";
import { Checkpoint } from "../../policy/checkpoint/checkpoint";
import { openDirectory } from "../../policy/checkpoint/checkpointDirectory";
import { adapterConfigJson } from "../../policy/layers/lora";
import type { LoraOptions, Policy } from "../../policy/policy";

/**
 * Load an adapter folder into the policy that wrote it. The policy has its trained values again afterwards.
 * @throws Error when its options or a value differ
 */
export async function reloadAdapter(policy: Policy, folder: string): Promise<void> {
  const file = await AdapterFile.open(await openDirectory(folder), policy.config);
  const stored = file.loraOptions();
  const { lora } = policy.model;
  if (lora === null || stored === null || !sameOptions(stored, lora.options, policy)) {
    throw new Error(
      `${folder}/adapter_config.json: contains ${JSON.stringify(stored)}; ` +
        `expected ${JSON.stringify(lora?.options ?? null)}, which was trained`,
    );
  }
  const trained = await policy.parameters.state();
  // Zeros first, so a tensor that is missing from the file cannot pass for the one in memory.
  policy.parameters.restore({ ...trained, theta: new Float32Array(trained.theta.length) });
  try {
    file.loadInto(policy.parameters);
    const { theta } = await policy.parameters.state();
    if (!sameBits(theta, trained.theta))
      throw new Error(
        `${folder}/adapter_model.safetensors: differs from the trained values after writing; the disk or the file is ` +
          "damaged. Resume the run to write it again",
      );
  } finally {
    policy.parameters.restore(trained);
  }
}

function sameOptions(a: LoraOptions, b: LoraOptions, { config }: Policy): boolean {
  return adapterConfigJson(a, config) === adapterConfigJson(b, config);
}

/** Open a policy folder and compare every tensor. @throws Error naming the first that differs */
export async function reloadPolicy(policy: Policy, folder: string): Promise<void> {
  const checkpoint = await Checkpoint.open(await openDirectory(folder));
  const trained = await policy.parameters.readAll();
  for (const name of checkpoint.names()) {
    const values = trained.get(name);
    if (values === undefined || !sameBits(await checkpoint.read(name), values))
      throw new Error(
        `${folder}: ${name} differs from the trained values after writing; the disk or the file is damaged. ` +
          "Resume the run to write it again",
      );
  }
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  return (
    Buffer.compare(
      Buffer.from(a.buffer, a.byteOffset, a.byteLength),
      Buffer.from(b.buffer, b.byteOffset, b.byteLength),
    ) === 0
  );
}
