/** The newest stage, step and settings of the run, also while the tab is hidden and the stores are not updated. */
import type { Event, Settings, Stage } from "../../worker/protocol";
import { plannedSteps } from "./run";

export class RunCursor {
  stage: Stage = "base";
  step = 0;
  /** The run is in the runner. */
  served = false;
  /** This tab controls the run. */
  steering = true;

  constructor(private settings: Settings) {}

  /** Another run is being opened. */
  begin(stage: Stage): void {
    this.enter(stage);
    this.steering = true;
  }

  enter(stage: Stage, step = 0): void {
    this.stage = stage;
    this.step = step;
  }

  /** The number of steps of a stage; null if it has no end. */
  planned(stage: Stage): number | null {
    return plannedSteps(stage, this.settings);
  }

  receive(event: Event): void {
    switch (event.type) {
      case "opened":
        this.enter(event.stage, event.step);
        this.settings = event.settings;
        this.served = event.served !== undefined;
        this.steering = event.served?.steering ?? event.watching !== true;
        return;
      case "steering":
        this.steering = event.steering;
        return;
      case "configured":
        this.settings = event.settings;
        return;
      case "stage":
      case "restored":
        return this.enter(event.stage, event.step);
      case "stepped":
        return this.enter(event.metrics.stage, event.metrics.step);
      default:
        // Other events change neither stage, step nor settings.
        return;
    }
  }
}
