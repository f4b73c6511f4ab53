// Follows the status of the feed, and sends commands to it.

import type { Client, FeedCommand, FeedStatus } from "tickerplant";

/** How often the status is asked for, in milliseconds. */
const EVERY = 1000;

export class FeedWatch {
  report: FeedStatus | undefined;
  /** What the server said to the last command, if it refused the command. */
  refusal = "";
  /** Why nobody here may control the feed, or empty. */
  forbidden = "";
  /** The client that asks and commands. */
  client: Client | undefined;
  private isAsking = false;
  /** The latest market time that the page has seen, in milliseconds. A simulation has no end of its own. */
  private furthest = -Infinity;

  /** `changed` is called after each new status. */
  constructor(private changed: () => void) {
    setInterval(() => {
      if (!document.hidden) void this.ask();
    }, EVERY);
  }

  async ask(): Promise<void> {
    if (this.isAsking || !this.client) return;
    this.isAsking = true;
    try {
      this.report = await this.client.get("feed");
      this.furthest = Math.max(this.furthest, Date.parse(this.report.position ?? "") || -Infinity);
    } catch {
      // The state of the connection says why.
    }
    this.isAsking = false;
    this.changed();
  }

  /** Sends a command. The answer of the server has the new status. */
  async command(command: FeedCommand): Promise<void> {
    try {
      await this.client?.control(command);
      this.refusal = "";
    } catch (error) {
      const { code, message } = error as Error & { code?: string };
      this.refusal = message;
      if (code === "forbidden") this.forbidden = message;
    }
    await this.ask();
  }

  /** Asks through another client, and forgets what the server said about an earlier token. */
  follow(client: Client): void {
    this.client = client;
    this.report = undefined;
    this.furthest = -Infinity;
    this.refusal = this.forbidden = "";
    void this.ask();
  }

  /** Returns why the feed cannot be controlled, or empty. */
  get locked(): string {
    if (!this.report) return "The status of the feed is not known yet.";
    if (this.report.kind === "stdin")
      return "Events from standard input come when they come, so nobody can control them.";
    return this.client?.access?.control === false ? "This token does not allow control of the feed." : this.forbidden;
  }

  /** Returns why the feed cannot jump to another time, or empty. */
  get fixed(): string {
    if (this.locked) return this.locked;
    const [from, to] = this.extent;
    return Number.isFinite(from) && Number.isFinite(to) ? "" : "A simulation has no other times to jump to.";
  }

  /** Whether the feed is a simulation that can go back to its start. */
  get isRepeatable(): boolean {
    return this.start !== undefined;
  }

  /** Returns the first and the last market time of the feed, in milliseconds. */
  get extent(): [number, number] {
    const { first, last } = this.report ?? {};
    return this.isRepeatable
      ? [Date.parse(this.start!), this.furthest]
      : [Date.parse(first ?? ""), Date.parse(last ?? "")];
  }

  private get start(): string | undefined {
    return (this.report as { start?: string } | undefined)?.start;
  }
}
