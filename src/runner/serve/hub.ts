/**
 * One run, many tabs. To the host the hub is its one page; each tab gets what its own worker would send: events with
 * the tab's run id, the current state when it joins, the group it shows. The first tab steers; the others watch until
 * they take over or the first one leaves. The run continues without any tab.
 */
import type { Command, Event } from "../../worker/protocol";
import type { EventBody } from "../../worker/runLifecycle";
import { emptyRunView, type RunView, reduceRunView, replay } from "../../worker/runView";
import { previewOf } from "./preview";

/** A tab's connection. */
export interface Tab {
  send(event: Event): void;
}

/** The run's id in messages to the host. */
export const HOST_RUN = "served";

interface Member {
  /** The tab's own run id; null until it has joined. */
  run: string | null;
  /** The group that the tab shows. */
  observedGroup: number | null;
}

export interface HubOptions {
  /** The policy's folder, shown in the badge. */
  readonly policy: string;
  /** The file of problems; null: the built-in ones. */
  readonly data: string | null;
  /** Sends a command to the host. */
  readonly command: (command: Command) => void;
  /** Write a policy that is too large to send. → the folder */
  readonly write: (files: ReadonlyMap<string, Uint8Array>) => Promise<string>;
  /** Maximum bytes of a policy that is sent. */
  readonly largestExport: number;
}

export class Hub {
  #runView: RunView = emptyRunView;
  readonly #tabs = new Map<Tab, Member>();
  #steering: Tab | null = null;

  constructor(private readonly options: HubOptions) {}

  get runView(): RunView {
    return this.#runView;
  }

  /** Number of tabs. */
  get size(): number {
    return this.#tabs.size;
  }

  /** Pass an event of the host to every tab. */
  post(event: Event): void {
    this.#runView = reduceRunView(this.#runView, event);
    const { run: _run, ...body } = event;
    if (body.type === "exported") return this.exported(body.files);
    for (const tab of this.#tabs.keys()) this.tell(tab, body.type === "opened" ? this.openedFor(tab, body) : body);
  }

  join(tab: Tab): void {
    this.#tabs.set(tab, { run: null, observedGroup: 0 });
    this.#steering ??= tab;
  }

  leave(tab: Tab): void {
    this.#tabs.delete(tab);
    if (this.#steering === tab) this.steer(this.#tabs.keys().next().value ?? null);
  }

  steers(tab: Tab): boolean {
    return this.#steering === tab;
  }

  /** A tab's command, already parsed. */
  receive(tab: Tab, command: Command): void {
    const member = this.#tabs.get(tab);
    if (member === undefined) return;
    if (command.type === "open") {
      member.run = command.run;
      for (const event of replay(this.#runView))
        this.tell(tab, event.type === "opened" ? this.openedFor(tab, event) : event);
      return;
    }
    // Ignore late commands of a run that the tab has left, as the host does.
    if (command.run !== member.run) return;
    switch (command.type) {
      case "observe":
        member.observedGroup = command.group;
        if (this.#runView.groups !== null) this.tell(tab, this.#runView.groups);
        if (this.steers(tab)) this.toHost(command);
        return;
      case "steer":
        return this.steer(tab);
      // The run outlives the tab.
      case "close":
        return;
      case "configure":
      case "stage":
      case "play":
      case "pause":
      case "step":
      case "phase":
      case "reset":
      case "restore":
      case "sample":
      case "evaluate":
      case "export":
      case "loseDevice":
        if (this.steers(tab)) return this.toHost(command);
        return this.tell(tab, {
          type: "error",
          fatal: false,
          message: `This tab only watches. Take over the run to use "${command.type}".`,
        });
      default:
        return command satisfies never;
    }
  }

  private steer(tab: Tab | null): void {
    if (this.#steering === tab) return;
    const before = this.#steering;
    this.#steering = tab;
    if (before !== null && this.#tabs.has(before)) this.tell(before, { type: "steering", steering: false });
    if (tab !== null) this.tell(tab, { type: "steering", steering: true });
    // The host re-evaluates the group that the steering tab shows.
    this.toHost({
      run: HOST_RUN,
      type: "observe",
      group: tab === null ? null : (this.#tabs.get(tab)?.observedGroup ?? null),
    });
  }

  private openedFor(tab: Tab, opened: Extract<EventBody, { type: "opened" }>): EventBody {
    return { ...opened, served: { policy: this.options.policy, data: this.options.data, steering: this.steers(tab) } };
  }

  private exported(files: Extract<Event, { type: "exported" }>["files"]): void {
    const tab = this.#steering;
    if (tab === null) return;
    if (files.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) <= this.options.largestExport)
      return this.tell(tab, { type: "exported", files });
    this.options.write(new Map(files.map(({ path, bytes }) => [path, new Uint8Array(bytes)]))).then(
      (writtenTo) => this.tell(tab, { type: "exported", files: [], writtenTo }),
      (error: unknown) =>
        this.tell(tab, {
          type: "error",
          fatal: false,
          message: `Cannot write the policy: ${error instanceof Error ? error.message : String(error)}`,
        }),
    );
  }

  private toHost(command: Command): void {
    this.options.command({ ...command, run: HOST_RUN });
  }

  private tell(tab: Tab, event: EventBody): void {
    const member = this.#tabs.get(tab);
    if (member === undefined || member.run === null) return;
    tab.send({ ...previewOf(event, member.observedGroup), run: member.run });
  }
}
