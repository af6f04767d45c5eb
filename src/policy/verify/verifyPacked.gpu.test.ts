/** Packed weights compute what the same values compute in f32, on every backend with packed formats. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Backend } from "../../tensor/backend";
import { openWasmBackend } from "../../tensor/wasm/backend";
import { openDirectory } from "../checkpoint/checkpointDirectory";
import { Safetensors } from "../checkpoint/safetensors";
import { Policy } from "../policy";
import { BACKENDS } from "../testing/testBackends";
import { PACKED_TOLERANCE, verifyPacked } from "./verify";

const golden = (path: string): string => new URL(`../golden/${path}`, import.meta.url).pathname;

describe.each(BACKENDS.filter(({ name }) => name !== "reference"))(
  "on the $name backend, against f32 on wasm",
  ({ open }) => {
    let backend: Backend;
    let plain: Backend;
    beforeAll(async () => {
      [backend, plain] = [await open(), await openWasmBackend()];
    });
    afterAll(async () => {
      await backend.dispose();
      await plain.dispose();
    });

    it.each([
      ["tiny_tied", "f16"],
      ["tiny_tied", "int4"],
      ["tiny_untied", "f16"],
      ["tiny_untied", "int4"],
    ] as const)(
      "%s in %s: features, logits, loss, the adapter's gradients, greedy tokens",
      async (name, frozenFormat) => {
        const [files, adapter] = [await openDirectory(golden(name)), await openDirectory(golden(`${name}/lora`))];
        const packed = await Policy.load(backend, files, { trainable: "none", frozenFormat, adapter });
        const dequantised = await Policy.load(plain, files, { trainable: "none", adapter });
        const exact = await dequantised.parameters.read("model.layers.0.mlp.gate_proj.weight");
        const reports = await verifyPacked(
          packed.model,
          dequantised.model,
          Safetensors.open(readFileSync(golden(`${name}/reference.safetensors`)), name),
        );
        expect(reports.filter((report) => !report.ok)).toEqual([]);
        expect(reports.map((report) => report.name)).toEqual(
          expect.arrayContaining(["image_features", "logits", "loss", "greedy"]),
        );
        expect(reports.filter((report) => report.name.startsWith("grad.")).length).toBe(
          packed.model.lora?.names().length,
        );
        // The comparison uses the packed value, not the checkpoint's.
        expect(await dequantised.parameters.read("model.layers.0.mlp.gate_proj.weight")).not.toEqual(exact);
        // Rows of 48 values do not divide into groups of 32, so they are stored in f16, as table and head always
        // are.
        expect(packed.parameters.matrix("model.layers.0.mlp.gate_up.weight").weight.format).toBe(
          name === "tiny_tied" ? frozenFormat : "f16",
        );
        expect(packed.parameters.matrix("model.embed_tokens.weight").weight.format).toBe("f16");
        packed.dispose();
        dequantised.dispose();
      },
    );

    it("notices a model of other values", async () => {
      const files = await openDirectory(golden("tiny_tied"));
      const packed = await Policy.load(backend, files, { trainable: "none", frozenFormat: "int4" });
      const other = await Policy.load(plain, files, { trainable: "none" });
      const copied = other.parameters.write.bind(other.parameters);
      other.parameters.write = (name, values) =>
        copied(name, name === "model.norm.weight" ? values.map((value) => value * 1.01) : values);
      const reports = await verifyPacked(
        packed.model,
        other.model,
        Safetensors.open(readFileSync(golden("tiny_tied/reference.safetensors")), "tiny_tied"),
      );
      const logits = reports.find((report) => report.name === "logits");
      expect(logits?.ok).toBe(false);
      expect(logits?.error).toBeGreaterThan(PACKED_TOLERANCE);
      packed.dispose();
      other.dispose();
    });
  },
);
