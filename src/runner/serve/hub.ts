/**
 * One run, many tabs. The host knows one page; the hub is that page to it, and gives every tab what it would have got
 * from a worker of its own: events under the tab's own run id, where the run stands when it joins, the group it looks
 * at. One tab steers, the first; the others watch until they ask to steer or the first one goes. The run needs none of
 * them.
 */
import type { Command, Event } from "../../worker/protocol";
import type { EventBody } from "../../worker/runLifecycle";
import { previewOf } from "./preview";
import { nothingYet, type RunView, reduceRunView, replay } from "./runView";

/** A tab's line. */
export interface Tab {
  send(event: Event): void;
}

/** The run's id towards the host. */
export const HOST_RUN = "served";

interface Member {
  /** The run id that the tab speaks of; null until it has joined. */
  run: string | null;
  /** The group it looks at. */
  observedGroup: number | null;
}

export interface HubOptions {
  /** The policy's folder, as the badge names it. */
  readonly policy: string;
  /** The file of problems; null: the built-in ones. */
  readonly data: string | null;
  /** To the host. */
  readonly command: (command: Command) => void;
  /** Write a policy that is too large to be sent. → the folder */
  readonly write: (files: ReadonlyMap<string, Uint8Array>) => Promise<string>;
  /** Bytes of the largest policy that is sent. */
  readonly largestExport: number;
}

export class Hub {
  #runView: RunView = nothingYet;
  readonly #tabs = new Map<Tab, Member>();
  #steering: Tab | null = null;

  constructor(private readonly options: HubOptions) {}

  get runView(): RunView {
    return this.#runView;
  }

  /** Tabs that show the run. */
  get size(): number {
    return this.#tabs.size;
  }

  /** An event of the host, for every tab. */
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

  /** A tab's command, checked against the protocol already. */
  receive(tab: Tab, command: Command): void {
    const member = this.#tabs.get(tab);
    if (member === undefined) return;
    if (command.type === "open") {
      member.run = command.run;
      for (const event of replay(this.#runView))
        this.tell(tab, event.type === "opened" ? this.openedFor(tab, event) : event);
      return;
    }
    // Late commands of a run that the tab has left, as the host does it.
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
          message: `This tab watches: "${command.type}" is for the tab that steers.`,
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
    // The host measures the group that is looked at by the tab that steers; by nobody: none.
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
          message: `The policy could not be written: ${error instanceof Error ? error.message : String(error)}`,
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
