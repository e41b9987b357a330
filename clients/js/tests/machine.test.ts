/**
 * The state machine of a connection, put into one situation after the other.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Machine, TimerName } from "../src/host.ts";
import { createMachine } from "../src/machine.ts";
import type { State, Transport } from "../src/types.ts";
import type { WelcomeMessage } from "../src/wire.ts";
import { dice } from "./lib/clock.ts";

const jwt = (claims: object): string => `e30.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;

interface Setup {
  urls?: string[];
  transports?: Transport[];
  canRenew?: boolean;
  random?: () => number;
}

/** A machine, a host that notes what it is asked to do, and a clock. */
class Bench {
  time = 1_000_000;
  token = jwt({ sub: "ann" });
  /** The server's clock is somewhere else. */
  serverAhead = 5_000_000;
  readonly log: string[] = [];
  readonly states: State[] = [];
  readonly timers = new Map<TimerName, number>();
  readonly transports: Transport[];
  readonly machine: Machine;
  open = 0;

  constructor({ urls = ["a"], transports = ["websocket"], canRenew = true, random = () => 0.5 }: Setup = {}) {
    this.transports = transports;
    this.machine = createMachine(
      {
        now: () => this.time,
        random,
        ask: (why, known) => this.log.push(`ask ${why}${known ? " known" : ""}`),
        open: (url, transport) => {
          this.open++;
          this.log.push(`open ${url} ${transport}`);
        },
        hello: () => this.log.push("hello"),
        drop: () => {
          this.open = 0;
        },
        send: ({ type }) => this.log.push(type),
        timer: (name, ms) => {
          assert.ok(Number.isFinite(ms) && ms >= 0, `${name} in ${ms}`);
          this.timers.set(name, this.time + ms);
        },
        stop: () => this.timers.clear(),
        prefer: (transport) => {
          this.log.push(`prefer ${transport}`);
          this.transports.reverse();
        },
        state: (state) => this.states.push(state),
      },
      { urls, transports, canRenew },
    );
  }

  get state(): State {
    return this.states.at(-1) as State;
  }

  /** What was asked for since the last look. */
  done(): string[] {
    return this.log.splice(0);
  }

  start(): this {
    this.machine.connect();
    this.machine.token(this.token);
    return this;
  }

  welcome(): this {
    this.machine.opened();
    const window = { id: "w", opened_at: 0, closes_at: 1 };
    const message: WelcomeMessage = { type: "welcome", user: "ann", device: "d", connection: "c", node: "n", window, server_time: this.time + this.serverAhead, heartbeat_ms: 25_000, max_in_flight: 16, acks: [] };
    this.machine.welcome(message);
    this.machine.caughtUp();
    return this;
  }

  lose(code = "lost"): this {
    this.machine.closed(code, "");
    return this;
  }

  /** The connection is lost, and the next attempt begins. */
  again(code = "lost"): this {
    this.lose(code);
    return this.pass(waitOf(this));
  }

  /** Time passes; each timer fires when it is due, or, after a sleep, late. */
  pass(ms: number, isLate = false): this {
    const end = this.time + ms;
    if (isLate) this.time = end;
    for (;;) {
      const [name, at] = [...this.timers].sort(([, one], [, other]) => one - other)[0] ?? [];
      if (name === undefined || at === undefined || at > end) break;
      this.timers.delete(name);
      this.time = Math.max(this.time, at);
      this.machine.fired(name, this.time - at > 2000);
    }
    this.time = end;
    return this;
  }
}

const waitOf = (bench: Bench): number => {
  assert.equal(bench.state.name, "waiting");
  return bench.state.name === "waiting" ? (bench.state.retryInMs ?? NaN) : NaN;
};

describe("a connection", () => {
  test("asks for a token, opens, says hello, and is open when it is welcome", () => {
    const bench = new Bench().start();
    assert.deepEqual(bench.done(), ["ask start", "open a websocket"]);
    bench.welcome();
    assert.deepEqual(bench.done(), ["hello"]);
    assert.deepEqual(
      bench.states.map(({ name }) => name),
      ["connecting", "open"],
    );
    assert.equal(bench.machine.phase(), "open");
  });

  test("that gets no welcome is given up, and tried again", () => {
    const bench = new Bench().start();
    bench.machine.opened();
    bench.pass(10_000);
    assert.equal(bench.state.name === "waiting" && bench.state.code, "timeout");
    assert.equal(bench.open, 0);
    bench.pass(30_000);
    assert.ok(bench.done().filter((what) => what === "open a websocket").length >= 2);
  });

  test("that gets no token asks again, and never opens without one", () => {
    const bench = new Bench();
    bench.machine.connect();
    bench.machine.noToken("the server of the app is down", false);
    assert.equal(bench.state.name === "waiting" && bench.state.code, "no_token");
    bench.pass(60_000);
    const done = bench.done();
    assert.ok(done.length >= 2 && done.every((what) => what === "ask start"), done.join());
  });

  test("closes when nobody is signed in any more", () => {
    const bench = new Bench();
    bench.machine.connect();
    bench.machine.noToken("", true);
    assert.deepEqual([bench.state.name, bench.timers.size], ["closed", 0]);
  });
});

describe("after a loss", () => {
  test("it waits with full jitter, from 250 ms to 30 s", () => {
    for (const random of [() => 0, () => 0.999999]) {
      const bench = new Bench({ random }).start().welcome();
      const waits: number[] = [];
      for (let turn = 0; turn < 12; turn++) {
        bench.lose();
        waits.push(waitOf(bench));
        bench.pass(waits.at(-1) as number);
      }
      const bounds = waits.map((_, turn) => Math.min(30_000, 250 * 2 ** turn));
      assert.deepEqual(waits, random() === 0 ? bounds.map(() => 0) : bounds);
    }
  });

  test("it waits at least as long as the server asked for, and goes to the next address", () => {
    const bench = new Bench({ urls: ["a", "b"], random: () => 0 }).start().welcome();
    bench.done();
    bench.machine.bye(800);
    bench.lose("draining");
    assert.equal(waitOf(bench), 800);
    bench.machine.resume();
    assert.ok(waitOf(bench) >= 800);
    bench.pass(1_000);
    assert.deepEqual(bench.done(), ["open b websocket"]);
  });

  test("a connection that stood for a while makes the next wait short again, one that didn't does not", () => {
    const bench = new Bench({ random: () => 0.999999 }).start();
    for (let turn = 0; turn < 5; turn++) bench.again();
    bench.welcome().pass(1_000).lose();
    assert.ok(waitOf(bench) > 4_000);
    bench.pass(waitOf(bench)).welcome().pass(6_000).lose();
    assert.ok(waitOf(bench) <= 250);
  });

  for (const code of ["bad_message", "forbidden", "replaced"]) {
    test(`${code} is the end`, () => {
      const bench = new Bench().start().welcome();
      bench.done();
      bench.lose(code).pass(3_600_000);
      bench.machine.resume();
      bench.pass(3_600_000);
      assert.deepEqual([bench.state.name, bench.done()], ["closed", []]);
    });
  }

  test("a refused token is never used again", () => {
    const bench = new Bench().start();
    bench.done();
    bench.again("unauthorized");
    assert.deepEqual(bench.done(), ["ask refused"]);
    bench.machine.noToken("the server of the app is down", false);
    bench.pass(waitOf(bench));
    assert.deepEqual(bench.done(), ["ask refused"]);
    bench.machine.token(jwt({ sub: "ann", more: 1 }));
    assert.ok(bench.done().includes("open a websocket"));
  });

  test("a refused token that can't be renewed is the end", () => {
    const bench = new Bench({ canRenew: false }).start();
    bench.lose("token_expired");
    assert.deepEqual(bench.state, { name: "closed", code: "token_expired", reason: "" });
  });

  test("a server that refuses every token is not asked in a circle", () => {
    const bench = new Bench({ random: () => 0.999999 }).start();
    bench.done();
    for (let turn = 0; turn < 100; turn++) {
      bench.lose("unauthorized").pass(waitOf(bench));
      bench.machine.token(jwt({ turn }));
    }
    assert.ok(bench.time - 1_000_000 > 80 * 30_000, "a hundred attempts took their time");
  });
});

describe("after a sleep", () => {
  test("a retry that is late comes within a second, and once", () => {
    const bench = new Bench().start().welcome();
    bench.lose();
    bench.done();
    bench.pass(8 * 3_600_000, true);
    assert.deepEqual(bench.done(), []);
    assert.ok(waitOf(bench) <= 1_000);
    bench.pass(1_000);
    assert.deepEqual(bench.done(), ["open a websocket"]);
  });

  test("a connection that may be dead is asked before it is given up", () => {
    const bench = new Bench().start().welcome();
    bench.done();
    bench.pass(8 * 3_600_000, true);
    assert.deepEqual(bench.done(), ["ping"]);
    bench.pass(3_600_000, true);
    assert.deepEqual(bench.done(), ["ping"], "that no answer came while it slept says nothing");
    bench.pass(5_000);
    assert.equal(bench.state.name, "waiting");
  });

  test("a token that ended meanwhile is replaced before it is used", () => {
    const bench = new Bench();
    bench.token = jwt({ exp: (bench.time + bench.serverAhead) / 1000 + 3600 });
    bench.start().welcome();
    bench.lose();
    bench.done();
    bench.pass(8 * 3_600_000, true).pass(1_000);
    assert.deepEqual(bench.done(), ["ask expiring"]);
  });
});

describe("when the network or the person comes back", () => {
  test("a waiting client connects at once, but not more often than once a second", () => {
    const bench = new Bench({ random: () => 0.999999 }).start();
    for (let turn = 0; turn < 8; turn++) bench.again();
    bench.lose();
    assert.ok(waitOf(bench) > 10_000);
    bench.done();
    bench.pass(1_000);
    bench.machine.resume();
    bench.pass(0);
    assert.deepEqual(bench.done(), ["open a websocket"]);
    for (let turn = 0; turn < 50; turn++) {
      if (bench.machine.phase() === "opening") bench.lose();
      bench.machine.resume();
      bench.pass(100);
    }
    assert.ok(bench.done().length <= 6, "fifty events in five seconds");
  });

  test("an open connection is asked whether it lives", () => {
    const bench = new Bench().start().welcome();
    bench.done();
    bench.machine.resume();
    assert.deepEqual(bench.done(), ["ping"]);
    bench.machine.heard();
    bench.pass(20_000);
    assert.equal(bench.state.name, "open");
    bench.machine.resume();
    bench.pass(5_000);
    assert.equal(bench.state.name, "waiting");
  });

  test("a closed client stays closed", () => {
    const bench = new Bench().start();
    bench.machine.finish("closed", "");
    bench.machine.resume();
    bench.machine.pause();
    bench.machine.token("late");
    bench.machine.noToken("late", false);
    bench.machine.closed("lost", "");
    assert.deepEqual([bench.state.name, bench.timers.size], ["closed", 0]);
  });
});

describe("heartbeats", () => {
  test("a connection that is heard of is left in peace", () => {
    const bench = new Bench().start().welcome();
    bench.done();
    for (let turn = 0; turn < 20; turn++) {
      bench.pass(20_000);
      bench.machine.heard();
    }
    assert.deepEqual(bench.done(), []);
  });

  test("a silent one is asked after two beats, and given up when it says nothing", () => {
    const bench = new Bench().start().welcome();
    bench.done();
    bench.pass(49_000);
    assert.deepEqual(bench.done(), []);
    bench.pass(1_000);
    assert.deepEqual(bench.done(), ["ping"]);
    bench.pass(5_000);
    assert.equal(bench.state.name === "waiting" && bench.state.code, "timeout");
  });

  test("a silent stream can't be asked: it is given up", () => {
    const bench = new Bench({ transports: ["stream"] }).start().welcome();
    bench.done();
    bench.pass(50_000);
    assert.deepEqual([bench.state.name, bench.done()], ["waiting", []]);
  });
});

describe("tokens", () => {
  test("are renewed before they end, by the server's clock, on the connection that is open", () => {
    const bench = new Bench();
    const end = bench.time + bench.serverAhead + 3_600_000;
    bench.token = jwt({ exp: end / 1000 });
    bench.start().welcome();
    bench.done();
    const beats = (ms: number): Bench => {
      for (let left = ms; left > 0; left -= 20_000) {
        bench.machine.heard();
        bench.pass(Math.min(left, 20_000));
      }
      return bench;
    };
    beats(3_539_000);
    assert.deepEqual(bench.done(), []);
    beats(2_000);
    assert.deepEqual(bench.done(), ["ask expiring"]);
    bench.machine.token(jwt({ exp: end / 1000 + 3600 }));
    assert.deepEqual(bench.done(), ["token"]);
    beats(3_500_000);
    assert.deepEqual(bench.done(), []);
  });

  test("are renewed in time also where a timer fires a little early", () => {
    const bench = new Bench();
    bench.token = jwt({ exp: (bench.time + bench.serverAhead) / 1000 + 3 });
    bench.start().welcome();
    bench.done();
    const due = bench.timers.get("token");
    assert.ok(due !== undefined);
    bench.time = due - 1;
    bench.machine.fired("token", false);
    assert.deepEqual(bench.done(), ["ask expiring"]);
  });

  test("that are given again and again, as good as over, are asked for once a second at most", () => {
    const bench = new Bench();
    bench.token = jwt({ exp: (bench.time + bench.serverAhead) / 1000 + 1 });
    bench.start().welcome();
    bench.done();
    for (let turn = 0; turn < 200; turn++) {
      bench.pass(50);
      if (bench.done().includes("ask expiring")) bench.machine.token(bench.token);
    }
    bench.done();
    assert.equal(bench.timers.has("token"), true);
  });

  test("that live for years don't make a timer go wild", () => {
    const bench = new Bench();
    bench.token = jwt({ exp: bench.time / 1000 + 10 * 365 * 86_400 });
    bench.start().welcome();
    assert.ok((bench.timers.get("token") as number) - bench.time <= 86_400_000);
    bench.timers.delete("beat");
    bench.done();
    bench.pass(3 * 86_400_000);
    assert.deepEqual(bench.done(), []);
  });
});

describe("transports and addresses", () => {
  const opened = (bench: Bench): string[] => bench.done().filter((what) => what.startsWith("open"));

  test("where no WebSocket ever opens, a stream gets every second turn after two, and is preferred once it works", () => {
    const bench = new Bench({ transports: ["websocket", "stream"] }).start();
    for (let turn = 0; turn < 4; turn++) bench.again();
    assert.deepEqual(opened(bench), ["open a websocket", "open a websocket", "open a stream", "open a websocket", "open a stream"]);
    bench.welcome();
    assert.ok(bench.done().includes("prefer stream"));
    bench.again();
    assert.deepEqual(opened(bench), ["open a stream"]);
  });

  test("where one has opened, a server that is down is not mistaken for a network without WebSockets", () => {
    const bench = new Bench({ transports: ["websocket", "stream"] }).start().welcome();
    bench.done();
    for (let turn = 0; turn < 8; turn++) bench.again();
    assert.deepEqual(new Set(opened(bench)), new Set(["open a websocket"]));
  });

  test("all addresses get their turn, each with both transports", () => {
    const bench = new Bench({ urls: ["a", "b", "c"], transports: ["websocket", "stream"] }).start();
    for (let turn = 0; turn < 11; turn++) bench.again();
    const all = opened(bench);
    assert.deepEqual(all.slice(0, 4), ["open a websocket", "open b websocket", "open c websocket", "open a websocket"]);
    assert.deepEqual(all.slice(6, 9), ["open a stream", "open b stream", "open c stream"]);
  });

  test("the address that worked is the first to be tried again", () => {
    const bench = new Bench({ urls: ["a", "b"] }).start().again().welcome();
    bench.done();
    bench.again();
    assert.deepEqual(opened(bench), ["open b websocket"]);
  });
});

test("whatever happens, in whatever order, there is one wire at most, and a way on", () => {
  let connected = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const random = dice(seed);
    const bench = new Bench({ random, urls: ["a", "b"], transports: ["websocket", "stream"] });
    bench.machine.connect();
    for (let turn = 0; turn < 200; turn++) {
      const { machine } = bench;
      const phase = machine.phase();
      const acts: (() => unknown)[] = [() => bench.pass(random() * 60_000), () => bench.pass(random() * 1e7, true), () => machine.resume(), () => machine.heard(), () => machine.restart(), () => machine.bye(random() * 2_000)];
      if (phase === "token") acts.push(() => machine.token(bench.token), () => machine.noToken("", false), () => machine.hold());
      if (phase === "opening" || phase === "open") acts.push(() => bench.lose(["lost", "draining", "unauthorized", "token_expired", "slow_consumer"][Math.floor(random() * 5)]));
      if (phase === "opening") acts.push(() => bench.welcome());
      if (phase === "paused") acts.push(() => machine.restart());
      else acts.push(() => random() < 0.2 && machine.pause());
      (acts[Math.floor(random() * acts.length)] as () => unknown)();
      connected += bench.machine.phase() === "open" ? 1 : 0;
      assert.ok(bench.open <= 1, `seed ${seed}: two wires`);
      assert.equal(bench.open === 1, ["opening", "open"].includes(bench.machine.phase()), `seed ${seed}, turn ${turn}: a wire in ${bench.machine.phase()}`);
      const waits = { waiting: "retry", opening: "deadline", open: "beat" }[bench.machine.phase() as "waiting"] as TimerName | undefined;
      // A stream whose silence was judged just now is asked at its next beat.
      assert.ok(!waits || bench.timers.has(waits), `seed ${seed}, turn ${turn}: nothing would ever happen again in ${bench.machine.phase()}`);
    }
    // Left alone with a server that works, it connects.
    if (bench.machine.phase() === "paused") bench.machine.restart();
    for (let turn = 0; turn < 50 && bench.machine.phase() !== "open"; turn++) {
      if (bench.machine.phase() === "token") bench.machine.token(bench.token);
      if (bench.machine.phase() === "opening") bench.welcome();
      else bench.pass(31_000);
    }
    assert.equal(bench.machine.phase(), "open", `seed ${seed}`);
  }
  assert.ok(connected > 1_000, `open in ${connected} turns only: this checked nothing`);
});
