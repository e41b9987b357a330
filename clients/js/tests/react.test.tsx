/**
 * The hooks, drawn into a string and, with a small stand-in for a page, by the client renderer.
 */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { connect, type Delivery } from "@engage/client";
import { EngageProvider, useDeliveries, useDelivery, useEngage, useEngageState, useNotices } from "@engage/client/react";
import { act, type ReactNode, StrictMode } from "react";
import { renderToString } from "react-dom/server";
import { create } from "./lib/render.ts";
import { World } from "./lib/setup.ts";

let world: World;
beforeEach(() => {
  world = new World();
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
});
afterEach(() => world.end());

const start = (show?: number) => connect({ url: world.server.url, getToken: () => world.server.token("ann"), device: "phone", show, environment: world.environment });

test("on a server nothing is drawn, and nothing fails", () => {
  const engage = start();
  const List = (): ReactNode => useDeliveries().map(({ id }) => <p key={id}>{id}</p>);
  const State = (): ReactNode => useEngageState().name;
  const text = renderToString(
    <EngageProvider engage={engage}>
      <List />
      <State />
    </EngageProvider>,
  );
  assert.equal(text, "connecting");
  return engage.close();
});

test("a component without a provider is told what is missing", () => {
  const Lost = (): ReactNode => useEngage().state.name;
  assert.throws(() => renderToString(<Lost />), /EngageProvider/);
});

test("what is to be shown is drawn, says that it is shown, and goes when it is over", async () => {
  world.server.publish("ann", { id: "nps", payload: "Two questions", steps: 2 });
  const engage = start(1);
  let current: Delivery | undefined;
  const Survey = (): ReactNode => {
    current = useDelivery();
    return current ? `${String(current.payload)}: ${current.nextStep} of ${current.steps}, ${current.state}` : "nothing";
  };
  const view = await create(
    <StrictMode>
      <EngageProvider engage={engage}>
        <Survey />
      </EngageProvider>
    </StrictMode>,
  );
  await act(() => world.until(() => world.server.delivery("ann", "nps")?.state === "shown"));
  await act(() => world.clock.settle());
  assert.equal(view.text(), "Two questions: 1 of 2, shown");
  await act(async () => {
    await current?.step(1, { q1: 9 });
  });
  assert.equal(view.text(), "Two questions: 2 of 2, in_progress");
  await act(async () => {
    await current?.complete();
  });
  assert.equal(view.text(), "nothing");
  await view.unmount();
  await engage.close();
});

test("notices call the latest listener", async () => {
  const engage = start();
  const seen: string[] = [];
  const Listener = ({ prefix }: { prefix: string }): ReactNode => {
    useNotices(({ id }) => seen.push(prefix + id));
    return null;
  };
  const tree = (prefix: string): ReactNode => (
    <EngageProvider engage={engage}>
      <Listener prefix={prefix} />
    </EngageProvider>
  );
  const view = await create(tree("a "));
  await act(() => world.until(() => engage.state.name === "open"));
  await view.draw(tree("b "));
  world.server.notice("ann", "flash");
  await act(() => world.clock.settle());
  assert.deepEqual(seen, ["b flash"]);
  await view.unmount();
  world.server.notice("ann", "again");
  await world.clock.settle();
  assert.deepEqual(seen, ["b flash"]);
  await engage.close();
});
