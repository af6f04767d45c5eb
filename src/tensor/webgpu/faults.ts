/**
 * What went wrong on the device. WebGPU reports errors asynchronously and computes zeros meanwhile, so the
 * first error is kept and every later read-back rejects with it: results since then cannot be trusted.
 */
import { DeviceLostError, KernelError } from "../backend";

export class Faults {
  /** Settles when the device goes away without having been asked to. */
  readonly lost: Promise<DeviceLostError>;
  private resolveLost: (error: DeviceLostError) => void = () => undefined;
  private lostError: DeviceLostError | null = null;
  private kernelError: KernelError | null = null;
  private closing = false;

  constructor(device: GPUDevice) {
    this.lost = new Promise((resolve) => {
      this.resolveLost = resolve;
    });
    device.addEventListener("uncapturederror", (event) => this.report(event.error));
    void device.lost.then((info) => {
      this.lostError = new DeviceLostError(
        `The WebGPU device is gone (${info.reason}${info.message ? `: ${info.message}` : ""}). Open a new ` +
          "backend and restore a snapshot.",
      );
      if (!this.closing) this.resolveLost(this.lostError);
    });
  }

  /** From here on the loss of the device is intended: `lost` stays pending. */
  expectClose(): void {
    this.closing = true;
  }

  get isLost(): boolean {
    return this.lostError !== null;
  }

  /** Keeps the first error: later ones are mostly its consequences. */
  report(error: GPUError): void {
    this.kernelError ??= new KernelError(`WebGPU error on the device, results cannot be trusted: ${error.message}`);
  }

  /** @throws DeviceLostError or KernelError if either happened */
  check(): void {
    if (this.lostError) throw this.lostError;
    if (this.closing) throw new DeviceLostError("This WebGPU backend has been disposed of; open a new one.");
    if (this.kernelError) throw this.kernelError;
  }
}
